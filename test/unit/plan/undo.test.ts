import assert from "node:assert/strict";
import { test } from "node:test";
import { buildSpec } from "../../../src/plan/build-spec.ts";
import { planLaunch } from "../../../src/plan/plan-launch.ts";
import { filesToUndo } from "../../../src/plan/undo.ts";
import { anna, extra, filter, request, rootFacts } from "./made-up-host.ts";

const { spec, options } = buildSpec(request({ cidFile: "/tmp/cid", pidFile: "/tmp/pid" }), anna, rootFacts, extra);
const state = "/run/state/id";
const plan = planLaunch(spec, options, anna, filter, {
  state: {
    create: [
      { op: "writeHostFile", path: `${state}/config.json`, mode: 0o600, contents: new Uint8Array(), replace: 0 },
    ],
    started: [{ op: "writeChildPid", path: `${state}/pid`, style: 2 }],
    remove: [{ op: "removeHostTree", path: state }],
    exitFile: "",
  },
  cgroup: null,
  reporter: [],
});
const at = (op: string): number => plan.monitor.findIndex((operation) => operation.op === op);

test("a command that cannot be executed takes the id and pid files with it, and nothing that is cleaned up anyway", () => {
  const failure = { section: "container", index: plan.container.length - 1, errno: 2, detail: "" } as const;
  assert.deepEqual(filesToUndo(plan, failure), ["/tmp/cid", "/tmp/pid"]);
});

test("an id file that existed before is not this launch's to remove", () => {
  const index = plan.monitor.findIndex(
    (operation) => operation.op === "writeHostFile" && operation.path === "/tmp/cid",
  );
  assert.deepEqual(filesToUndo(plan, { section: "monitor", index, errno: 17, detail: "" }), []);
});

test("what was not reached was not written", () => {
  assert.deepEqual(filesToUndo(plan, { section: "monitor", index: at("writeChildPid"), errno: 13, detail: "" }), [
    "/tmp/cid",
  ]);
  assert.deepEqual(filesToUndo(plan, { section: "monitor", index: at("clone"), errno: 1, detail: "" }), []);
  assert.deepEqual(filesToUndo(plan, { section: "monitor", index: -1, errno: 22, detail: "" }), []);
});
