/** What both bundles do for `pycri run`: plan the launch and become the helper. */

import { closeSync } from "node:fs";
import { encodePlan } from "../plan/encode.ts";
import { createMemoryFile, createSealedFile, setInherited } from "../sys/memory-file.ts";
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

/** Everything that `startContainer` does but become the helper: for the code cache, which holds the functions that have run. */
export function rehearseStart({ plan }: PreparedLaunch): void {
  environmentEntries();
  closeSync(createSealedFile("pycri-plan", encodePlan(plan), false));
  setInherited(createMemoryFile("pycri-events", false), false);
}

/** This process's environment as execve(2) takes it. */
function environmentEntries(): string[] {
  return Object.entries(process.env).map(([name, value]) => `${name}=${value}`);
}
