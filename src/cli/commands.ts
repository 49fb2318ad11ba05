/**
 * Every command there is, in the order help lists them. Definitions are cheap to import; the code behind a command is
 * loaded by its `load`.
 */

import type { Command, CommandGroup } from "./command.ts";
import { completionCommand } from "./completion.ts";
import { killCommand } from "./containers/kill.ts";
import { psCommand } from "./containers/ps.ts";
import { rmCommand } from "./containers/rm.ts";
import { doctorCommand } from "./doctor.ts";
import { IMAGE_COMMANDS } from "./images/image-commands.ts";
import { pauseCommand, unpauseCommand } from "./containers/pause.ts";
import { infoCommand } from "./info.ts";
import { reportFailureCommand } from "./report-failure.ts";
import { runCommand } from "./run.ts";
import { seccompCompileCommand } from "./seccomp-compile.ts";
import { seccompDisasmCommand } from "./seccomp-disasm.ts";
import { seccompListCommand } from "./seccomp-list.ts";
import { seccompSimulateCommand } from "./seccomp-simulate.ts";
import { seccompVerifyCommand } from "./seccomp-verify.ts";
import { statsCommand } from "./containers/stats.ts";
import { systemPruneCommand } from "./system-prune.ts";
import { updateCommand } from "./containers/update.ts";
import { specCommand } from "./spec.ts";
import { versionCommand } from "./version.ts";

/** Words that select among several commands; a group comes before the groups within it. */
export const COMMAND_GROUPS: readonly CommandGroup[] = [
  { path: ["image"], summary: "work on stored images" },
  { path: ["system"], summary: "look after what pycri keeps on this host" },
  { path: ["seccomp"], summary: "work on seccomp profiles and filters" },
];

export const COMMANDS: readonly Command[] = [
  runCommand,
  specCommand,
  psCommand,
  killCommand,
  rmCommand,
  statsCommand,
  updateCommand,
  pauseCommand,
  unpauseCommand,
  ...IMAGE_COMMANDS,
  systemPruneCommand,
  seccompCompileCommand,
  seccompDisasmCommand,
  seccompSimulateCommand,
  seccompVerifyCommand,
  seccompListCommand,
  doctorCommand,
  infoCommand,
  completionCommand,
  versionCommand,
  reportFailureCommand,
];
