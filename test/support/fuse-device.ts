/** The caller's commands where /dev/fuse can be opened by everybody, as udev has it and many a machine without udev has not. */

import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { caller } from "./caller.ts";
import { command, type Outcome } from "./run.ts";
import { scratch } from "./scratch.ts";

/** Runs `argv` in a mount namespace of its own, which has the device. Needs root and the kernel's fuse. */
export async function commandWithFuse(argv: readonly string[]): Promise<Outcome> {
  const device = join(scratch, "fuse");
  execFileSync("mknod", ["-m", "666", device, "c", "10", "229"]);
  try {
    const enter = 'mount --bind "$1" /dev/fuse; exec setpriv --reuid "$2" --regid "$3" --clear-groups "${@:4}"';
    const ids = [String(caller.uid), String(caller.gid)];
    return await command(["unshare", "--mount", "bash", "-c", enter, "bash", device, ...ids, ...argv], {
      asSelf: true,
    });
  } finally {
    rmSync(device);
  }
}
