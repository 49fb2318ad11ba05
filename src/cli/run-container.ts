/** What both bundles do for `pycri run`: plan the launch and become the helper. */

import { encodePlan } from "../plan/encode.ts";
import { becomeHelper } from "../executor/become-helper.ts";
import { commandLinePath } from "../executor/installation.ts";
import type { PreparedLaunch } from "../engine/prepare-launch.ts";
import type { RunRequest } from "../plan/run-request.ts";
import { callerContext } from "../engine/request/caller-context.ts";
import { buildRunRequest } from "../engine/request/run-options.ts";
import type { Invocation } from "./command.ts";
import { writeWarning } from "./output.ts";
import type { ContainerValues } from "./run-syntax.ts";
import { runOptionsOf } from "./run-options.ts";

/** What a command line asks for that names no image. */
export function requestOf({ values, operands }: Invocation<ContainerValues>): RunRequest {
  return buildRunRequest(runOptionsOf(values, operands), callerContext(process.env, values.tty === true, writeWarning));
}

/** The program that the helper calls when the launch fails. */
export function reporterCommand(): readonly string[] {
  return [process.execPath, commandLinePath(), "report-failure"];
}

/** Start the container; this process becomes its monitor. */
export function startContainer({ plan, warnings, held }: PreparedLaunch): never {
  for (const warning of warnings) writeWarning(warning);
  becomeHelper(encodePlan(plan), environmentEntries(), held);
}

/** This process's environment as execve(2) takes it. */
function environmentEntries(): string[] {
  return Object.entries(process.env).map(([name, value]) => `${name}=${value}`);
}
