/** The code behind `pycri login`. */

import { readFileSync } from "node:fs";
import { openClient } from "../../image/pull-image.ts";
import { storeCredentials } from "../../image/registry/credentials.ts";
import { registryEndpoint } from "../../image/registry/registries-config.ts";
import { RuntimeError } from "../../errors.ts";
import { DEFAULT_DOMAIN } from "../../oci/reference.ts";
import { writeOutput } from "../output.ts";
import type { Invocation } from "../command.ts";
import type { LoginValues } from "./login.ts";
import { openImageStore } from "./image-access.ts";

const STDIN = 0;

/** The credentials are tried before they are kept. */
export async function execute({ values, operands }: Invocation<LoginValues>): Promise<number> {
  const host = operands[0] ?? DEFAULT_DOMAIN;
  const { username } = values;
  const password =
    values["password-stdin"] === true ? readFileSync(STDIN, "utf8").replace(/\r?\n$/, "") : values.password;
  if (username === undefined || password === undefined) {
    throw new RuntimeError("INVALID_ARGUMENT", `Cannot log in to "${host}": user name or password is missing`, {
      hint: "Give --username and --password-stdin.",
    });
  }
  const context = await openImageStore(
    values["tls-verify"] === undefined ? {} : { "tls-verify": values["tls-verify"] },
  );
  const access = { ...context.access, credentials: { kind: "password", username, password } as const };
  await using client = await openClient(registryEndpoint(host, access.registries), access, "pull");
  await client.checkAccess();
  await storeCredentials(values.authfile ?? context.settings.loginFile, host, { username, password });
  writeOutput("Login Succeeded\n");
  return 0;
}
