/**
 * Which registry a name means and where it is served from: the rules of containers-registries.conf(5), version 2, shared
 * with Podman, Buildah and Skopeo. Pure: files are read elsewhere and passed in as text.
 */

import { parse as parseToml } from "smol-toml";
import { RuntimeError } from "../../errors.ts";
import { JsonReader } from "../../oci/json-reader.ts";
import {
  DEFAULT_DOMAIN,
  type ParsedReference,
  type Reference,
  parseReference,
  qualifyReference,
  repositoryName,
} from "../../oci/reference.ts";

/** A place that serves a repository. */
export interface RegistryEndpoint {
  /** Host and port. */
  readonly host: string;
  /** Repository path on that host. */
  readonly path: string;
  /** Plain HTTP and unverified certificates are allowed. */
  readonly insecure: boolean;
}

interface Mirror {
  readonly location: string;
  readonly insecure: boolean;
  readonly pullFrom: "all" | "digest-only" | "tag-only";
}

interface RegistryRule {
  /** `host[:port][/path…]`, or `*.domain`. */
  readonly prefix: string;
  readonly location: string;
  readonly insecure: boolean;
  readonly blocked: boolean;
  readonly mirrors: readonly Mirror[];
}

export interface RegistriesConfig {
  readonly searchRegistries: readonly string[];
  readonly aliases: Readonly<Record<string, string>>;
  readonly registries: readonly RegistryRule[];
  /** `enforcing`: a short name that could mean several registries is an error, since nobody can be asked which. */
  readonly shortNameMode: "enforcing" | "permissive" | "disabled";
}

/** Docker's behaviour: short names are Docker Hub's. */
export const DEFAULT_REGISTRIES: RegistriesConfig = {
  searchRegistries: [DEFAULT_DOMAIN],
  aliases: {},
  registries: [],
  shortNameMode: "permissive",
};

const MAX_RULES = 10_000;

/** One configuration file: its path for messages, its text. */
export interface ConfigFile {
  readonly path: string;
  readonly text: string;
}

/** Merge files in order: a later file's lists replace earlier ones, its aliases and registries are added (by prefix). */
export function parseRegistriesConfig(files: readonly ConfigFile[]): RegistriesConfig {
  let searchRegistries: readonly string[] | undefined;
  let shortNameMode = DEFAULT_REGISTRIES.shortNameMode;
  const aliases = Object.create(null) as Record<string, string>;
  const registries = new Map<string, RegistryRule>();
  for (const file of files) {
    const reader = readToml(file);
    if (reader.has("registries")) {
      throw reader.issue("registries", "is the withdrawn version 1 of the format");
    }
    searchRegistries = reader.optionalStrings("unqualified-search-registries") ?? searchRegistries;
    shortNameMode = parseShortNameMode(reader) ?? shortNameMode;
    for (const [name, target] of Object.entries(reader.stringMap("aliases"))) {
      // An empty target takes an earlier alias back.
      if (target === "") delete aliases[name];
      else aliases[name] = target;
    }
    for (const table of reader.objects("registry", MAX_RULES)) {
      const rule = parseRule(table);
      registries.set(rule.prefix, rule);
    }
  }
  return {
    searchRegistries: searchRegistries ?? DEFAULT_REGISTRIES.searchRegistries,
    aliases,
    registries: [...registries.values()],
    shortNameMode,
  };
}

function parseShortNameMode(reader: JsonReader): RegistriesConfig["shortNameMode"] | undefined {
  const mode = reader.optionalString("short-name-mode");
  if (mode === undefined || mode === "enforcing" || mode === "permissive" || mode === "disabled") return mode;
  throw reader.issue("short-name-mode", `"${mode}" must be enforcing, permissive or disabled`);
}

function readToml({ path, text }: ConfigFile): JsonReader {
  try {
    return new JsonReader(`"${path}"`, parseToml(text));
  } catch (cause) {
    if (cause instanceof RuntimeError) throw cause;
    throw new RuntimeError("INVALID_DOCUMENT", `Cannot parse "${path}": ${(cause as Error).message.split("\n")[0]}`, {
      hint: "The format is described in containers-registries.conf(5).",
      cause,
    });
  }
}

function parseRule(table: JsonReader): RegistryRule {
  const location = trimSlashes(table.optionalString("location") ?? "");
  const prefix = trimSlashes(table.optionalString("prefix") ?? location);
  if (prefix === "") throw table.issue("prefix", "or location is required");
  const wildcard = prefix.startsWith("*.");
  if (prefix.includes("*", wildcard ? 1 : 0)) throw table.issue("prefix", "may have * only as its first label");
  if (wildcard && prefix.includes("/")) throw table.issue("prefix", "has * and a path");
  const byDigestOnly = table.boolean("mirror-by-digest-only");
  return {
    prefix,
    location: location === "" && !wildcard ? prefix : location,
    insecure: table.boolean("insecure"),
    blocked: table.boolean("blocked"),
    mirrors: table.objects("mirror", MAX_RULES).map((mirror) => {
      const pullFrom = mirror.optionalString("pull-from-mirror") ?? (byDigestOnly ? "digest-only" : "all");
      if (pullFrom !== "all" && pullFrom !== "digest-only" && pullFrom !== "tag-only") {
        throw mirror.issue("pull-from-mirror", "must be all, digest-only or tag-only");
      }
      return { location: trimSlashes(mirror.string("location")), insecure: mirror.boolean("insecure"), pullFrom };
    }),
  };
}

function trimSlashes(text: string): string {
  return text.replace(/\/+$/, "");
}

/**
 * The full references a name may stand for, in the order to try them: one for a name with a registry or an alias, one
 * per search registry otherwise.
 */
export function resolveShortName(reference: ParsedReference, config: RegistriesConfig): readonly Reference[] {
  if (reference.domain !== null) return [qualifyReference(reference)];
  const alias = config.aliases[reference.path];
  if (alias !== undefined) {
    const target = parseReference(alias);
    return [
      qualifyReference({ ...target, tag: reference.tag ?? target.tag, digest: reference.digest ?? target.digest }),
    ];
  }
  if (config.searchRegistries.length === 0) {
    throw new RuntimeError("INVALID_ARGUMENT", `Cannot resolve the short name "${reference.path}"`, {
      hint: "registries.conf lists no unqualified-search-registries: write the name with its registry.",
    });
  }
  if (config.shortNameMode === "enforcing" && config.searchRegistries.length > 1) {
    const names = config.searchRegistries.map((domain) => `${domain}/${reference.path}`);
    throw new RuntimeError("INVALID_ARGUMENT", `The short name "${reference.path}" may mean ${names.join(" or ")}`, {
      hint: "registries.conf has short-name-mode = enforcing: write the name with its registry, or add an alias.",
      details: { name: reference.path, readings: names },
    });
  }
  return config.searchRegistries.map((domain) => qualifyReference(reference, domain));
}

/** Where to pull from, mirrors first. A blocked registry is REGISTRY_DENIED. */
export function pullEndpoints(reference: Reference, config: RegistriesConfig): readonly RegistryEndpoint[] {
  const rule = findRule(reference, config);
  if (rule === undefined) return [endpoint(repositoryName(reference), false)];
  const mirrors = rule.mirrors.filter(
    ({ pullFrom }) => pullFrom === "all" || (pullFrom === "digest-only") === (reference.digest !== null),
  );
  return [
    ...mirrors.map(({ location, insecure }) => endpoint(relocate(reference, rule.prefix, location), insecure)),
    endpoint(relocate(reference, rule.prefix, rule.location), rule.insecure),
  ];
}

/** Where to push to: never a mirror. */
export function pushEndpoint(reference: Reference, config: RegistriesConfig): RegistryEndpoint {
  const rule = findRule(reference, config);
  if (rule === undefined) return endpoint(repositoryName(reference), false);
  return endpoint(relocate(reference, rule.prefix, rule.location), rule.insecure);
}

/** A registry itself, for logging in: as insecure as the place or mirror that has its name. */
export function registryEndpoint(host: string, config: RegistriesConfig): RegistryEndpoint {
  const places = config.registries.flatMap((rule) => [rule, ...rule.mirrors]);
  const insecure = places.some((place) => place.insecure && endpoint(place.location, true).host === host);
  return { host, path: "", insecure };
}

/** The rule with the longest matching prefix. */
function findRule(reference: Reference, config: RegistriesConfig): RegistryRule | undefined {
  let best: RegistryRule | undefined;
  for (const rule of config.registries) {
    if (matches(reference, rule.prefix) && rule.prefix.length > (best?.prefix.length ?? -1)) best = rule;
  }
  if (best?.blocked === true) {
    const name = repositoryName(reference);
    throw new RuntimeError("REGISTRY_DENIED", `Cannot use "${name}": registries.conf blocks "${best.prefix}"`, {
      details: { repository: name, prefix: best.prefix },
    });
  }
  return best;
}

function matches(reference: Reference, prefix: string): boolean {
  if (prefix.startsWith("*.")) return hostName(reference.domain).endsWith(prefix.slice(1));
  const name = repositoryName(reference);
  return name === prefix || name.startsWith(`${prefix}/`) || matchesTagged(reference, prefix);
}

/** A prefix may name one image: `host/path:tag` or `host/path@digest`. */
function matchesTagged({ tag, digest, ...rest }: Reference, prefix: string): boolean {
  const name = `${rest.domain}/${rest.path}`;
  return prefix === `${name}:${tag}` || prefix === `${name}@${digest}`;
}

function hostName(domain: string): string {
  return domain.replace(/:\d+$/, "");
}

function relocate(reference: Reference, prefix: string, location: string): string {
  const name = repositoryName(reference);
  if (location === "") return name;
  if (prefix.startsWith("*.")) return `${location}/${reference.path}`;
  return name.length >= prefix.length ? location + name.slice(prefix.length) : location;
}

function endpoint(name: string, insecure: boolean): RegistryEndpoint {
  const slash = name.indexOf("/");
  const host = slash === -1 ? name : name.slice(0, slash);
  return { host, path: slash === -1 ? "" : name.slice(slash + 1), insecure };
}

/** The host that serves a registry's API. */
export function apiHost(host: string): string {
  return host === DEFAULT_DOMAIN ? "registry-1.docker.io" : host;
}

/** Docker's rule: loopback registries need neither TLS nor a known certificate. */
export function isLoopback(host: string): boolean {
  const name = host.startsWith("[") ? host.slice(1, host.indexOf("]")) : hostName(host);
  return name === "localhost" || name === "::1" || /^127(?:\.\d{1,3}){3}$/.test(name);
}
