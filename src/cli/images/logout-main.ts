/** The code behind `pycri logout`. */

import { eraseCredentials } from "../../image/registry/credentials.ts";
import { RuntimeError } from "../../errors.ts";
import { DEFAULT_DOMAIN } from "../../oci/reference.ts";
import { writeOutput } from "../output.ts";
import type { Invocation } from "../command.ts";
import type { LogoutValues } from "./logout.ts";
import { openImageStore } from "./image-access.ts";

export async function execute({ values, operands }: Invocation<LogoutValues>): Promise<number> {
  const host = operands[0] ?? DEFAULT_DOMAIN;
  const { settings } = await openImageStore();
  if (!(await eraseCredentials(values.authfile ?? settings.loginFile, host))) {
    throw new RuntimeError("INVALID_ARGUMENT", `Not logged in to "${host}"`);
  }
  writeOutput(`Removed login credentials for ${host}\n`);
  return 0;
}
