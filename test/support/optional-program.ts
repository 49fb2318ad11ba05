/** Programs that a test uses and a machine may lack: skipped with a reason, an error under REQUIRE_KERNEL=1 (CI). */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test, type TestContext } from "node:test";

function isInstalled(program: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${program}`], { stdio: "ignore" }).status === 0;
}

/** A test that needs a program of a Debian package of the same name, unless `packageName` is another. */
export function programTest(
  name: string,
  program: string,
  body: (context: TestContext) => Promise<void> | void,
  packageName: string = program,
): void {
  void test(name, async (context) => {
    if (!isInstalled(program)) {
      const reason = `${program} is not installed (Debian: ${packageName})`;
      assert.notEqual(process.env["REQUIRE_KERNEL"], "1", `REQUIRE_KERNEL=1, but ${reason}`);
      context.skip(reason);
      return;
    }
    await body(context);
  });
}
