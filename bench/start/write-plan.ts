/**
 * `write-plan.js FILE RUN-OPTION…`: writes the encoded plan of a run to a file, for measuring the helper alone. Without the
 * container's record: the same plan can then run several times at once, and peers that keep none are compared alike.
 */
import { writeFileSync } from "node:fs";
import { requestOf } from "../../src/cli/run-container.ts";
import { parseArguments } from "../../src/cli/parse-arguments.ts";
import { RUN_SYNTAX, type RunValues } from "../../src/cli/run-syntax.ts";
import type { Invocation } from "../../src/cli/command.ts";
import { prepareLaunch } from "../../src/engine/prepare-launch.ts";
import { containerFilter } from "../../src/engine/seccomp-program.ts";
import { probeHost } from "../../src/host/probe-host.ts";
import { encodePlan } from "../../src/plan/encode.ts";
import { makeContainerId } from "../../src/store/container-id.ts";

const [file = "", ...args] = process.argv.slice(2);
const invocation = parseArguments(RUN_SYNTAX, args) as Invocation<RunValues> | null;
if (invocation === null) throw new Error(`not a command line of run: ${args.join(" ")}`);

const { plan } = prepareLaunch(requestOf(invocation), {
  id: makeContainerId(),
  facts: probeHost(process.env),
  filter: (source, capabilities, facts) => containerFilter(source, capabilities, facts, null),
  reporter: [],
  cgroup: null,
  endsWithCaller: false,
});
const record = new Set(["makeHostDirectory", "holdLock", "writeHostFile", "writeChildPid"]);
writeFileSync(file, encodePlan({ ...plan, monitor: plan.monitor.filter(({ op }) => !record.has(op)), cleanup: [] }));
