/** Every command about images, in the order help lists them. */

import type { Command } from "../command.ts";
import { commitCommand } from "./commit.ts";
import { cpCommand } from "./cp.ts";
import { diffCommand } from "./diff.ts";
import { exportCommand } from "./export.ts";
import { historyCommand } from "./history.ts";
import { imageInspectCommand } from "./image-inspect.ts";
import { imagePruneCommand } from "./image-prune.ts";
import { imagesCommand } from "./images.ts";
import { importImageCommand } from "./import.ts";
import { inspectCommand } from "./inspect.ts";
import { loadCommand } from "./load.ts";
import { loginCommand } from "./login.ts";
import { logoutCommand } from "./logout.ts";
import { pullCommand } from "./pull.ts";
import { pushCommand } from "./push.ts";
import { rmiCommand } from "./rmi.ts";
import { saveCommand } from "./save.ts";
import { systemCheckCommand } from "./system-check.ts";
import { systemDfCommand } from "./system-df.ts";
import { tagCommand } from "./tag.ts";
import { untagCommand } from "./untag.ts";

export const IMAGE_COMMANDS: readonly Command[] = [
  pullCommand,
  pushCommand,
  imagesCommand,
  rmiCommand,
  tagCommand,
  untagCommand,
  historyCommand,
  loadCommand,
  saveCommand,
  importImageCommand,
  exportCommand,
  commitCommand,
  diffCommand,
  cpCommand,
  loginCommand,
  logoutCommand,
  inspectCommand,
  imageInspectCommand,
  imagePruneCommand,
  systemDfCommand,
  systemCheckCommand,
];
