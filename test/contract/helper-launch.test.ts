/** The helper's way from a plan to a running command and back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { output, shell } from "./helper-runner.ts";

test("a container runs its command as PID 1 of its own namespaces", async () => {
  assert.equal(await output({ command: shell("echo $$ $(id -u)") }), "1 0\n");
});
