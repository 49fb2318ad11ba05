/** The code behind `pycri logout`. */

import { eraseAllCredentials, eraseCredentials } from "../../image/registry/credentials.ts";
import { RuntimeError } from "../../errors.ts";
import { DEFAULT_DOMAIN } from "../../oci/reference.ts";
import { writeOutput } from "../output.ts";
import type { Invocation } from "../command.ts";
import type { LogoutValues } from "./logout.ts";
import { openImageStore } from "./image-access.ts";

export async function execute({ values, operands }: Invocation<LogoutValues>): Promise<number> {
  const host = operands[0] ?? DEFAULT_DOMAIN;
  const { settings } = await openImageStore();
  const file = values.authfile ?? settings.loginFile;
  if (values.all === true) {
    if (operands.length > 0) throw new RuntimeError("INVALID_ARGUMENT", `Cannot use --all together with "${host}"`);
    await eraseAllCredentials(file);
    writeOutput("Removed login credentials for all registries\n");
    return 0;
  }
  if (!(await eraseCredentials(file, host))) {
    throw new RuntimeError("INVALID_ARGUMENT", `Not logged in to "${host}"`);
  }
  writeOutput(`Removed login credentials for ${host}\n`);
  return 0;
}
