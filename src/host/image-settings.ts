/**
 * Where images are kept and how registries are reached, out of the environment and the configuration that Podman, Skopeo
 * and Docker share: containers-registries.conf(5), containers-auth.json(5), containers-certs.d(5), proxy variables.
 */

import { readFileSync, readdirSync } from "node:fs";
import { RuntimeError } from "../errors.ts";
import { findProgram } from "./find-program.ts";
import type { Environment } from "./runtime-directory.ts";

export interface ImageSettings {
  /** `$XDG_DATA_HOME/pycri`. */
  readonly dataDirectory: string;
  /** Credential files, best first; some may not exist. */
  readonly authFiles: readonly string[];
  /** Where `login` writes. */
  readonly loginFile: string;
  /** registries.conf and its drop-ins, in the order they apply. */
  readonly registries: readonly { readonly path: string; readonly text: string }[];
  readonly httpProxy: string;
  readonly httpsProxy: string;
  readonly noProxy: string;
  readonly certificateFiles: readonly string[];
  readonly certificateDirectories: readonly string[];
  /** Path of zstd(1), or null. */
  readonly zstdProgram: string | null;
}

const SYSTEM_AUTHORITIES = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/** @param home the caller's home directory, or null. */
export function readImageSettings(environment: Environment, home: string | null): ImageSettings {
  const config = absolute(environment["XDG_CONFIG_HOME"]) ?? (home === null ? null : `${home}/.config`);
  const runtime = absolute(environment["XDG_RUNTIME_DIR"]);
  const data = absolute(environment["XDG_DATA_HOME"]) ?? (home === null ? null : `${home}/.local/share`);
  if (data === null) {
    throw new RuntimeError("IO", "Cannot tell where images are kept: you have no home directory", {
      hint: "Set XDG_DATA_HOME.",
    });
  }
  const chosen = environment["REGISTRY_AUTH_FILE"];
  const docker = environment["DOCKER_CONFIG"] ?? (home === null ? undefined : `${home}/.docker`);
  const authFiles = [
    ...(runtime === null ? [] : [`${runtime}/containers/auth.json`]),
    ...(config === null ? [] : [`${config}/containers/auth.json`]),
    ...(docker === undefined ? [] : [`${docker}/config.json`]),
  ];
  const own = environment["SSL_CERT_FILE"];
  return {
    dataDirectory: `${data}/pycri`,
    authFiles: chosen === undefined ? authFiles : [chosen],
    loginFile: chosen ?? authFiles[0] ?? `${data}/pycri/auth.json`,
    registries: readRegistries(environment["CONTAINERS_REGISTRIES_CONF"], config),
    httpProxy: proxy(environment, "http_proxy"),
    httpsProxy: proxy(environment, "https_proxy"),
    noProxy: proxy(environment, "no_proxy"),
    certificateFiles: own === undefined ? SYSTEM_AUTHORITIES : [own, ...SYSTEM_AUTHORITIES],
    certificateDirectories: [
      ...(config === null ? [] : [`${config}/containers/certs.d`]),
      "/etc/containers/certs.d",
      "/etc/docker/certs.d",
    ],
    zstdProgram: findProgram("zstd", environment["PATH"] ?? ""),
  };
}

function absolute(path: string | undefined): string | null {
  return path !== undefined && path.startsWith("/") ? path : null;
}

/** curl's rule: lower case wins. HTTP_PROXY in upper case is honoured, too: pycri is no CGI program (CVE-2016-5385). */
function proxy(environment: Environment, name: string): string {
  return environment[name] ?? environment[name.toUpperCase()] ?? "";
}

function readRegistries(chosen: string | undefined, config: string | null): ImageSettings["registries"] {
  if (chosen !== undefined) return [readOne(chosen)].filter((file) => file !== null);
  const own = config === null ? null : readOne(`${config}/containers/registries.conf`);
  const main = own ?? readOne("/etc/containers/registries.conf");
  const dropIns = [
    "/etc/containers/registries.conf.d",
    ...(config === null ? [] : [`${config}/containers/registries.conf.d`]),
  ];
  return [main, ...dropIns.flatMap(readDirectory)].filter((file) => file !== null);
}

function readOne(path: string): { readonly path: string; readonly text: string } | null {
  try {
    return { path, text: readFileSync(path, "utf8") };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (["ENOENT", "ENOTDIR", "EACCES"].includes(code)) return null;
    throw error;
  }
}

function readDirectory(path: string): readonly ({ readonly path: string; readonly text: string } | null)[] {
  try {
    return readdirSync(path)
      .filter((name) => name.endsWith(".conf"))
      .toSorted()
      .map((name) => readOne(`${path}/${name}`));
  } catch {
    return [];
  }
}
