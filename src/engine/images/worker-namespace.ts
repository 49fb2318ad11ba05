/**
 * The user namespace in which image files are handled: its ids are those of the containers, so that what a layer says
 * belongs to id 33 belongs to the container's id 33. The native helper makes it, as it makes containers.
 */

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync } from "node:fs";
import { commandLinePath, distributionDirectory, helperPath } from "../../executor/installation.ts";
import type { WorkerNamespace } from "../../image/worker/run-worker.ts";
import type { Linux } from "../../oci/spec.ts";
import { encodePlan } from "../../plan/encode.ts";
import type { HostFacts } from "../../plan/host-facts.ts";
import { type IdMappings, buildIdMappings, planIdMappings } from "../../plan/id-mappings.ts";
import type { LaunchPlan } from "../../plan/launch-plan.ts";
import { SUPERVISE } from "../../plan/operations.ts";
import type { UserNamespaceMode } from "../../plan/run-request.ts";
import { createSealedFile } from "../../sys/memory-file.ts";

const CLONE_NEWUSER = 0x1000_0000n;
const CLONE_NEWNET = 0x4000_0000n;
const SIGKILL = 9;
/** Where spawn puts the plan: the first descriptor after stdio. */
const PLAN_DESCRIPTOR = "3";
const NO_EVENTS = "-1";

/** Bytes of V8's young generation: the worker moves large buffers, which lie outside of it. */
const NODE_OPTIONS = ["--max-semi-space-size=1"];

/** The namespace for containers of this `--userns` mode. */
export function makeWorkerNamespace(
  mode: UserNamespaceMode,
  facts: HostFacts,
  zstdProgram: string | null,
): WorkerNamespace {
  const mappings = buildIdMappings(mode, facts, { uid: [], gid: [] });
  return {
    idsKey: keyOf(mappings),
    owners: isSingle(mappings) ? "record" : "apply",
    zstdProgram,
    spawn: (args, stdin) => {
      const worker = [process.execPath, ...NODE_OPTIONS, `${distributionDirectory()}/image-worker.cjs`, ...args];
      const plan = createSealedFile("pycri-plan", encodePlan(planWorker(mappings, facts, worker)), false);
      try {
        return spawn(helperPath(), [PLAN_DESCRIPTOR, NO_EVENTS], {
          argv0: "pycri-image-worker",
          env: {},
          stdio: [stdin, "pipe", "pipe", plan],
        });
      } finally {
        closeSync(plan);
      }
    },
  };
}

/** Names a mapping: layers written with one have the wrong owners under another. */
function keyOf({ uidMappings, gidMappings }: IdMappings): string {
  const lines = [uidMappings, gidMappings].map((mappings) =>
    mappings.map(({ containerID, hostID, size }) => `${containerID}:${hostID}:${size}`).join(","),
  );
  return createHash("sha256").update(lines.join(";")).digest("hex").slice(0, 12);
}

function isSingle({ uidMappings, gidMappings }: IdMappings): boolean {
  return [uidMappings, gidMappings].some((mappings) => mappings.reduce((sum, { size }) => sum + size, 0) === 1);
}

function planWorker(mappings: IdMappings, facts: HostFacts, command: readonly string[]): LaunchPlan {
  const linux: Linux = {
    namespaces: [{ type: "user" }],
    uidMappings: mappings.uidMappings,
    gidMappings: mappings.gidMappings,
  };
  return {
    monitor: [
      // The worker reads what strangers have written, and needs no network for it.
      { op: "clone", flags: CLONE_NEWUSER | CLONE_NEWNET, cgroup: "" },
      ...planIdMappings(linux, facts),
      { op: "release" },
      { op: "supervise", flags: SUPERVISE.forwardSignals, stopTimeoutMs: 0, exitFile: "" },
    ],
    container: [
      { op: "deathSignal", signal: SIGKILL },
      // As root of the namespace; the change of ids clears the death signal (prctl(2)).
      { op: "setUser", uid: 0, gid: 0 },
      { op: "deathSignal", signal: SIGKILL },
      { op: "execute", candidates: [command[0] ?? ""], arguments: command, environment: [] },
    ],
    cleanup: [],
    reporter: [process.execPath, commandLinePath(), "report-failure"],
  };
}
