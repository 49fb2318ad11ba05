/**
 * Image references as users of Docker and Podman type them: the grammar of distribution's `reference` package, the
 * completion of short names, and the two ways to print one.
 */

import { RuntimeError } from "../errors.ts";
import { type Digest, parseDigest } from "./descriptor.ts";

/** A reference as typed. `domain` is null for a short name (`debian`, `library/debian`). */
export interface ParsedReference {
  readonly domain: string | null;
  readonly path: string;
  readonly tag: string | null;
  readonly digest: Digest | null;
}

/** A reference with its registry. */
export interface Reference extends ParsedReference {
  readonly domain: string;
}

/** The registry of short names when no configuration says otherwise. */
export const DEFAULT_DOMAIN = "docker.io";
const LEGACY_DEFAULT_DOMAIN = "index.docker.io";
const OFFICIAL_PREFIX = "library/";
const DEFAULT_TAG = "latest";

const MAX_NAME_LENGTH = 255;
const PATH_COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const DOMAIN_LABEL = "(?:[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9])";
const DOMAIN = new RegExp(`^(?:${DOMAIN_LABEL}(?:\\.${DOMAIN_LABEL})*|\\[[0-9A-Fa-f:]+\\])(?::[0-9]{1,5})?$`);
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const IMAGE_ID = /^[0-9a-f]{64}$/;

/** Parse `[domain[:port]/]path[:tag][@digest]`. */
export function parseReference(text: string): ParsedReference {
  const at = text.indexOf("@");
  const named = at === -1 ? text : text.slice(0, at);
  const digest = at === -1 ? null : parseDigest(text.slice(at + 1));
  if (at !== -1 && digest === null) throw invalid(text, "the digest after @ must be sha256:<64 hexadecimal digits>");

  const colon = named.lastIndexOf(":");
  const hasTag = colon > named.lastIndexOf("/");
  const name = hasTag ? named.slice(0, colon) : named;
  const tag = hasTag ? named.slice(colon + 1) : null;
  if (tag !== null && !TAG.test(tag)) throw invalid(text, "a tag is up to 128 letters, digits, _, . and -");
  if (name === "") throw invalid(text, "the name is empty");
  if (name.length > MAX_NAME_LENGTH) throw invalid(text, `the name is longer than ${MAX_NAME_LENGTH} characters`);

  const slash = name.indexOf("/");
  const first = name.slice(0, Math.max(slash, 0));
  const hasDomain = slash !== -1 && namesRegistry(first);
  const domain = hasDomain ? canonicalDomain(first) : null;
  const path = hasDomain ? name.slice(slash + 1) : name;
  if (domain !== null && !DOMAIN.test(domain)) throw invalid(text, `"${domain}" is not a host name`);
  if (!path.split("/").every((component) => PATH_COMPONENT.test(component))) {
    const fault = /[A-Z]/.test(path)
      ? "the name must be in lower case"
      : "the name has characters that are not allowed";
    throw invalid(text, fault);
  }
  if (domain === null && IMAGE_ID.test(path)) throw invalid(text, "64 hexadecimal digits are an image id, not a name");
  return { domain, path, tag, digest };
}

/** Docker's rule: the part before the first slash is a host when nothing else could be meant. */
function namesRegistry(first: string): boolean {
  return /[.:]/.test(first) || first === "localhost" || first !== first.toLowerCase();
}

function canonicalDomain(domain: string): string {
  const lower = domain.toLowerCase();
  return lower === LEGACY_DEFAULT_DOMAIN ? DEFAULT_DOMAIN : lower;
}

/** Complete a short name with a registry; one with a registry stays. On Docker Hub `debian` is `library/debian`. */
export function qualifyReference(reference: ParsedReference, domain: string = DEFAULT_DOMAIN): Reference {
  const registry = reference.domain ?? domain;
  const official = registry === DEFAULT_DOMAIN && !reference.path.includes("/");
  return { ...reference, domain: registry, path: official ? `${OFFICIAL_PREFIX}${reference.path}` : reference.path };
}

/** Fill in `latest` when neither tag nor digest says which. */
export function withDefaultTag(reference: Reference): Reference {
  return reference.tag === null && reference.digest === null ? { ...reference, tag: DEFAULT_TAG } : reference;
}

/** Docker's reading of what a user typed: registry, `library/` and `latest` filled in. */
export function normalizeReference(text: string): Reference {
  return withDefaultTag(qualifyReference(parseReference(text)));
}

/** `domain/path`, the full name of the repository. */
export function repositoryName(reference: Reference): string {
  return `${reference.domain}/${reference.path}`;
}

/** The full form, which parses back to the same value: `docker.io/library/debian:12`. */
export function formatReference(reference: Reference): string {
  return repositoryName(reference) + suffix(reference);
}

/**
 * The repository in Docker's short form: `debian` for `docker.io/library/debian`. What would read as something else in
 * short (a first part that looks like a host, an image id) keeps as much as it takes.
 */
export function familiarRepository(reference: Reference): string {
  const { domain, path } = reference;
  if (domain !== DEFAULT_DOMAIN) return repositoryName(reference);
  const short = path.startsWith(OFFICIAL_PREFIX) ? path.slice(OFFICIAL_PREFIX.length) : path;
  if (!short.includes("/") && short !== path) return IMAGE_ID.test(short) ? path : short;
  return namesRegistry(path.slice(0, path.indexOf("/"))) ? repositoryName(reference) : path;
}

/** Docker's short form: `debian:12`. */
export function familiarReference(reference: Reference): string {
  return familiarRepository(reference) + suffix(reference);
}

function suffix({ tag, digest }: ParsedReference): string {
  return (tag === null ? "" : `:${tag}`) + (digest === null ? "" : `@${digest}`);
}

function invalid(text: string, fault: string): RuntimeError {
  const shown = text.length > 300 ? `${text.slice(0, 300)}…` : text;
  return new RuntimeError("INVALID_ARGUMENT", `Cannot parse the image reference "${shown}": ${fault}`, {
    hint: "Write it as [registry/]name[:tag][@digest], in lower case.",
    details: { reference: shown },
  });
}
