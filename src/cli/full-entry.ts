/** Entry point of the full bundle: every command. */

import { main } from "./main.ts";

/** Run a command line and leave its exit status to the process. */
export async function start(args: readonly string[]): Promise<void> {
  process.exitCode = await main(args);
}
