/**
 * Credentials for registries, from the files Docker and Podman keep (`config.json`, containers-auth.json(5)) and from
 * their helper programs (`docker-credential-NAME`).
 */

import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { mkdir } from "node:fs/promises";
import { RuntimeError } from "../../errors.ts";
import { type JsonReader, readJson } from "../../oci/json-reader.ts";
import { DEFAULT_DOMAIN } from "../../oci/reference.ts";
import { writeFileAtomically } from "../storage/atomic-file.ts";

export type Credentials =
  | { readonly kind: "password"; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token. */
  | { readonly kind: "token"; readonly identityToken: string };

/** The key that Docker files Docker Hub's credentials under. */
const DOCKER_HUB_KEY = "https://index.docker.io/v1/";
/** The user name by which a helper marks its secret as a refresh token. */
const TOKEN_USER = "<token>";
const MAX_FILE_BYTES = 1024 * 1024;
const MAX_HELPER_BYTES = 1024 * 1024;

/** The `auths` keys that apply to a repository, most specific first. */
export function credentialKeys(host: string, path: string): readonly string[] {
  const parts = path === "" ? [] : path.split("/");
  const scoped = parts.map((_, index) => `${host}/${parts.slice(0, parts.length - index).join("/")}`);
  const plain = [host, `https://${host}`, `https://${host}/v1/`, `https://${host}/v2/`, `http://${host}`];
  const hub = host === DEFAULT_DOMAIN ? [DOCKER_HUB_KEY, "index.docker.io", "registry-1.docker.io"] : [];
  return [...scoped, ...plain, ...hub];
}

/** The first credentials that any of `files` has for the repository, or null. Files that do not exist are passed over. */
export async function findCredentials(
  files: readonly string[],
  host: string,
  path: string,
): Promise<Credentials | null> {
  for (const file of files) {
    const reader = await readAuthFile(file);
    if (reader === null) continue;
    const found = (await fromHelpers(reader, host)) ?? fromAuths(reader, host, path);
    if (found !== null) return found;
  }
  return null;
}

async function readAuthFile(file: string): Promise<JsonReader | null> {
  try {
    const bytes = await readFile(file);
    return bytes.length === 0 ? null : readJson(`"${file}"`, bytes, MAX_FILE_BYTES);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR" || code === "EACCES") return null;
    throw error;
  }
}

function fromAuths(reader: JsonReader, host: string, path: string): Credentials | null {
  const auths = reader.optionalObject("auths");
  if (auths === undefined) return null;
  for (const key of credentialKeys(host, path)) {
    const entry = auths.optionalObject(key);
    const credentials = entry === undefined ? null : decodeEntry(entry);
    if (credentials !== null) return credentials;
  }
  return null;
}

function decodeEntry(entry: JsonReader): Credentials | null {
  const identityToken = entry.optionalString("identitytoken") ?? "";
  if (identityToken !== "") return { kind: "token", identityToken };
  const auth = entry.optionalString("auth") ?? "";
  if (auth !== "") {
    const text = Buffer.from(auth, "base64").toString("utf8").replace(/\0+$/, "");
    const colon = text.indexOf(":");
    if (colon <= 0) throw entry.issue("auth", "must be the base64 of user:password");
    return { kind: "password", username: text.slice(0, colon), password: text.slice(colon + 1) };
  }
  const username = entry.optionalString("username") ?? "";
  const password = entry.optionalString("password") ?? "";
  return username === "" ? null : { kind: "password", username, password };
}

/** A helper for this host (`credHelpers`), else the one for all (`credsStore`). */
function helperName(reader: JsonReader, host: string): string | null {
  const keys = host === DEFAULT_DOMAIN ? [host, DOCKER_HUB_KEY] : [host];
  const helpers = reader.stringMap("credHelpers");
  const name =
    keys.map((key) => helpers[key]).find((value) => value !== undefined) ?? reader.optionalString("credsStore");
  if (name === undefined || name === "") return null;
  if (!/^[A-Za-z0-9._-]+$/.test(name)) throw reader.issue("credsStore", `"${name}" is not the name of a helper`);
  return name;
}

async function fromHelpers(reader: JsonReader, host: string): Promise<Credentials | null> {
  const name = helperName(reader, host);
  if (name === null) return null;
  const server = host === DEFAULT_DOMAIN ? DOCKER_HUB_KEY : host;
  const { status, output } = await runHelper(name, "get", server);
  if (status !== 0) {
    // The protocol has no other way to say "none" than this sentence.
    if (/credentials not found/i.test(output)) return null;
    throw helperError(name, "get", output);
  }
  const answer = readJson(`the answer of docker-credential-${name}`, Buffer.from(output), MAX_HELPER_BYTES);
  const username = answer.string("Username");
  const secret = answer.string("Secret");
  return username === TOKEN_USER
    ? { kind: "token", identityToken: secret }
    : { kind: "password", username, password: secret };
}

type HelperAction = "get" | "store" | "erase";

async function runHelper(
  name: string,
  action: HelperAction,
  input: string,
): Promise<{ readonly status: number; readonly output: string }> {
  const program = `docker-credential-${name}`;
  const child = spawn(program, [action], { stdio: ["pipe", "pipe", "inherit"] });
  const chunks: Buffer[] = [];
  let size = 0;
  child.stdout.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size <= MAX_HELPER_BYTES) chunks.push(chunk);
    else child.kill();
  });
  // A helper may end without reading; its status tells.
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.on("error", (cause) => {
      reject(
        new RuntimeError("REGISTRY_DENIED", `Cannot start the credential helper "${program}"`, {
          hint: `Install ${program}, or remove it from the configuration of your registry credentials.`,
          cause,
        }),
      );
    });
    child.on("close", (status) => resolve({ status: status ?? 1, output: Buffer.concat(chunks).toString("utf8") }));
  });
}

function helperError(name: string, action: HelperAction, output: string): RuntimeError {
  return new RuntimeError("REGISTRY_DENIED", `docker-credential-${name} ${action} failed: ${output.trim()}`);
}

/** Keep credentials in `file`, or with the helper that the file names. Everything else in the file stays. */
export async function storeCredentials(
  file: string,
  key: string,
  credentials: { readonly username: string; readonly password: string },
): Promise<void> {
  const reader = await readAuthFile(file);
  const helper = reader === null ? null : helperName(reader, key);
  if (helper !== null) {
    const input = JSON.stringify({ ServerURL: key, Username: credentials.username, Secret: credentials.password });
    const { status, output } = await runHelper(helper, "store", input);
    if (status !== 0) throw helperError(helper, "store", output);
    return;
  }
  const auth = Buffer.from(`${credentials.username}:${credentials.password}`).toString("base64");
  await updateAuths(file, (auths) => ({ ...auths, [key]: { auth } }));
}

/** Forget the credentials of a registry. @returns whether there were any in the file. */
export async function eraseCredentials(file: string, key: string): Promise<boolean> {
  const reader = await readAuthFile(file);
  if (reader === null) return false;
  const helper = helperName(reader, key);
  if (helper !== null) {
    const { status, output } = await runHelper(helper, "erase", key);
    if (status !== 0) throw helperError(helper, "erase", output);
    return true;
  }
  const host = key.split("/")[0] ?? key;
  const keys = key.includes("/") ? [key] : credentialKeys(host, "");
  if (!keys.some((name) => reader.optionalObject("auths")?.has(name))) return false;
  await updateAuths(file, (auths) =>
    Object.fromEntries(Object.entries(auths).filter(([name]) => !keys.includes(name))),
  );
  return true;
}

/** Forget the credentials of every registry that `file` knows, those with helpers of their own among them. */
export async function eraseAllCredentials(file: string): Promise<void> {
  const reader = await readAuthFile(file);
  if (reader === null) return;
  for (const key of Object.keys(reader.stringMap("credHelpers"))) await eraseCredentials(file, key);
  const helper = reader.optionalString("credsStore") ?? "";
  // With a helper for everything, Docker keeps an empty entry for each registry that the helper knows.
  if (helper !== "" && reader.has("auths")) for (const key of reader.keys("auths")) await eraseCredentials(file, key);
  if (reader.has("auths")) await updateAuths(file, () => ({}));
}

type Auths = Readonly<Record<string, unknown>>;

async function updateAuths(file: string, change: (auths: Auths) => Auths): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  let document: Record<string, unknown> = {};
  try {
    const text = await readFile(file, "utf8");
    if (text.trim() !== "") document = JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  const auths = (document["auths"] ?? {}) as Auths;
  await writeFileAtomically(file, `${JSON.stringify({ ...document, auths: change(auths) }, null, 2)}\n`, 0o600);
}
