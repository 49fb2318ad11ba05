/**
 * Names in layer archives, judged before anything is done with them. Names are byte strings: each character is one byte,
 * since file names need not be UTF-8. Pure.
 */

import { RuntimeError } from "../../errors.ts";

/** Prefix of whiteouts and of AUFS's own files (OCI image specification, layer.md). */
const WHITEOUT_PREFIX = ".wh.";
const AUFS_PREFIX = ".wh..wh.";
const OPAQUE_MARK = ".wh..wh..opq";

/** PATH_MAX less the terminating NUL. */
const MAX_PATH_BYTES = 4095;
const MAX_COMPONENT_BYTES = 255;

/** A byte string out of text that came as UTF-8. */
export function bytesOfText(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

/** For messages and for records: text where it is UTF-8, the bytes as U+00XX where not. */
export function textOfBytes(bytes: string): string {
  const buffer = Buffer.from(bytes, "latin1");
  const text = buffer.toString("utf8");
  return text.includes("\uFFFD") ? bytes : text;
}

/** What Node's fs takes: a string where that says the same, else the bytes. */
export function fsPath(bytes: string): string | Buffer {
  for (let index = 0; index < bytes.length; index++) {
    if (bytes.charCodeAt(index) >= 0x80) return Buffer.from(bytes, "latin1");
  }
  return bytes;
}

/**
 * The components of an archived name, "." for the root being none. An absolute name is taken relative to the root of the
 * layer, as tar(1) and Docker do; one with ".." is refused.
 */
export function splitEntryPath(name: string): readonly string[] {
  if (name.length > MAX_PATH_BYTES) throw badName(name, `is ${name.length} bytes long`);
  if (name.includes("\0")) throw badName(name, "has a NUL character");
  const components = name.split("/").filter((component) => component !== "" && component !== ".");
  for (const component of components) {
    if (component === "..") throw badName(name, 'has ".."');
    if (component.length > MAX_COMPONENT_BYTES) throw badName(name, `has a part of ${component.length} bytes`);
  }
  return components;
}

export type EntryName =
  | { readonly kind: "entry" }
  /** `target` in the same directory is deleted. */
  | { readonly kind: "whiteout"; readonly target: string }
  /** Nothing of lower layers shows in the directory. */
  | { readonly kind: "opaque" }
  /** AUFS's own bookkeeping. */
  | { readonly kind: "ignored" };

/** What the last component of a name means. `path` is the whole name, for messages. */
export function classifyName(base: string, path: string): EntryName {
  if (!base.startsWith(WHITEOUT_PREFIX)) return { kind: "entry" };
  if (base === OPAQUE_MARK) return { kind: "opaque" };
  if (base.startsWith(AUFS_PREFIX)) return { kind: "ignored" };
  const target = base.slice(WHITEOUT_PREFIX.length);
  // ".wh..." would delete the parent directory.
  if (target === "" || target === "." || target === "..") throw badName(path, "is a whiteout of no file");
  return { kind: "whiteout", target };
}

/** Whether a name lies below AUFS's own directories; one below a whiteout is an error. */
export function isBelowAufs(parents: readonly string[], path: string): boolean {
  const marked = parents.find((component) => component.startsWith(WHITEOUT_PREFIX));
  if (marked === undefined) return false;
  if (marked.startsWith(AUFS_PREFIX)) return true;
  throw badName(path, "lies below a whiteout");
}

/** The archived name of a whiteout. */
export function whiteoutName(base: string): string {
  return WHITEOUT_PREFIX + base;
}

export const OPAQUE_NAME: string = OPAQUE_MARK;

function badName(name: string, fault: string): RuntimeError {
  const text = textOfBytes(name);
  const shown = text.length > 200 ? `${text.slice(0, 200)}…` : text;
  return new RuntimeError("INVALID_LAYER", `Cannot unpack "${shown}": the name ${fault}`, {
    details: { name: shown, fault },
  });
}
