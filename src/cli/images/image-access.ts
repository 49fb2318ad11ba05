/** What commands about images share: opening the store with the caller's configuration, options of registries. */

import { type ImageContext, type ImageOptions, openImages } from "../../engine/images/image-context.ts";
import { readImageSettings } from "../../host/image-settings.ts";
import { probeHost } from "../../host/probe-host.ts";
import { RuntimeError } from "../../errors.ts";

/** Options of commands that speak to a registry. */
export const REGISTRY_OPTIONS = {
  "tls-verify": {
    type: "flag",
    help: "check certificates and insist on TLS; true but for loopback",
    group: "Registry",
  },
  creds: { type: "value", value: "USER[:PASSWORD]", help: "credentials for the registry", group: "Registry" },
  authfile: { type: "value", value: "FILE", help: "read credentials from FILE", completion: "file", group: "Registry" },
} as const;

/** Options of commands that unpack layers. */
export const UNPACK_OPTIONS = {
  "unpack-limit": {
    type: "list",
    value: "NAME=NUMBER",
    help: "bound what a layer may unpack to: bytes, entries, depth, ratio",
  },
} as const;

export interface ImageAccessValues {
  readonly "tls-verify"?: boolean;
  readonly creds?: string;
  readonly authfile?: string;
  readonly "unpack-limit"?: readonly string[];
}

export async function openImageStore(
  values: ImageAccessValues = {},
  more: Pick<ImageOptions, "userNamespace"> = {},
): Promise<ImageContext> {
  const facts = probeHost(process.env);
  const settings = readImageSettings(process.env, facts.home);
  return openImages(facts, settings, {
    ...more,
    ...(values["tls-verify"] === undefined ? {} : { tlsVerify: values["tls-verify"] }),
    ...(values.authfile === undefined ? {} : { authFile: values.authfile }),
    ...(values["unpack-limit"] === undefined ? {} : { unpackLimits: values["unpack-limit"] }),
    ...(values.creds === undefined ? {} : { credentials: parseCredentials(values.creds) }),
  });
}

function parseCredentials(text: string): {
  readonly kind: "password";
  readonly username: string;
  readonly password: string;
} {
  const colon = text.indexOf(":");
  if (colon > 0) return { kind: "password", username: text.slice(0, colon), password: text.slice(colon + 1) };
  throw new RuntimeError("INVALID_ARGUMENT", "Cannot parse --creds", {
    hint: "Write USER:PASSWORD, or log in: pycri login",
  });
}
