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
import { askCredentials } from "./ask-credentials.ts";
import { openImageStore } from "./image-access.ts";

const STDIN = 0;

async function credentialsOf(
  host: string,
  values: LoginValues,
): Promise<{ readonly username: string; readonly password: string }> {
  const { username } = values;
  const fromStdin = values["password-stdin"] === true;
  const password = fromStdin ? readFileSync(STDIN, "utf8").replace(/\r?\n$/, "") : values.password;
  if (username !== undefined && password !== undefined) return { username, password };
  if (!fromStdin && process.stdin.isTTY) return askCredentials(host, { username, password });
  throw new RuntimeError("INVALID_ARGUMENT", `Cannot log in to "${host}": user name or password is missing`, {
    hint: "Give --username and --password-stdin.",
  });
}

/** The credentials are tried before they are kept. */
export async function execute({ values, operands }: Invocation<LoginValues>): Promise<number> {
  const host = operands[0] ?? DEFAULT_DOMAIN;
  const { username, password } = await credentialsOf(host, values);
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
