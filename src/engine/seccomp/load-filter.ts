/**
 * A profile by name, by path or as JSON → resolved filter, for every use case of the workbench. What a caller does not say comes
 * from this machine: its architecture and its kernel.
 */
import { endianness, release } from "node:os";
import { RuntimeError } from "../../errors.ts";
import { CAPABILITY_NAMES, capabilityNumber } from "../../oci/capability-numbers.ts";
import { type ArchitectureName, findArchitecture, nativeArchitecture } from "../../profile/architectures.ts";
import { builtinProfile, builtinProfileNames, isBuiltinProfile } from "../../profile/builtin-profiles.ts";
import { filterFlags } from "../../profile/filter-flags.ts";
import { parseProfile, parseProfileText, readJsonText } from "../../profile/parse-profile.ts";
import { parseRules } from "../../profile/parse-rules.ts";
import type { Profile, ProfileWarning } from "../../profile/profile.ts";
import { filteredArchitectures, resolveProfile, type ResolveTarget } from "../../profile/resolve-profile.ts";
import type { Filter } from "../../seccomp/filter.ts";
import { readText } from "./read-input.ts";

/** A built-in profile's name or a path; or the profile itself, as JSON text or parsed. */
export type FilterSource = string | { readonly text: string } | { readonly document: unknown };

/** What a profile is resolved for. */
export interface FilterOptions {
  /** `profile` (the default): any of the JSON dialects. `rules`: a flat rule list. */
  readonly format?: "profile" | "rules";
  /**
   * Names as `findArchitecture` takes them; the first is the native one. Absent: this machine's, and what the profile
   * adds to it.
   */
  readonly architectures?: readonly string[];
  /** With or without `CAP_`, any case, or `ALL`: the bounding set that conditions of the profile ask for. None when absent. */
  readonly capabilities?: readonly string[];
  /** "MAJOR.MINOR"; the running kernel when absent. */
  readonly kernel?: string;
}

export interface LoadedFilter {
  readonly filter: Filter;
  /** Of seccomp(2). */
  readonly flags: number;
  /** The native one first. */
  readonly architectures: readonly ArchitectureName[];
  readonly warnings: readonly ProfileWarning[];
}

/** @throws RuntimeError INVALID_PROFILE, INVALID_ARGUMENT, or IO when the file cannot be read */
export function loadFilter(source: FilterSource, options: FilterOptions = {}): LoadedFilter {
  const target = resolveTarget(options);
  if (options.format === "rules") {
    if (options.capabilities !== undefined)
      throw new RuntimeError("INVALID_ARGUMENT", "Cannot use capabilities with a rule list: its rules ask for none");
    const list = parseRules(loadDocument(source), target.native, target.architectures);
    return { ...list, flags: 0, warnings: [] };
  }
  const profile = loadProfile(source);
  const { filter, warnings } = resolveProfile(profile, target);
  return {
    filter,
    flags: filterFlags(profile),
    architectures: filteredArchitectures(profile, target),
    // What ships has been looked at.
    warnings: typeof source === "string" && isBuiltinProfile(source) ? [] : warnings,
  };
}

const PROFILE_HINT = `give the path of a JSON profile, or one of: ${builtinProfileNames.join(", ")}`;

/** A name of a shipped profile wins over a file of that name; `./default` is the file. */
export function loadProfile(source: FilterSource): Profile {
  if (typeof source !== "string")
    return "text" in source ? parseProfileText(source.text) : parseProfile(spellBigints(source.document));
  return isBuiltinProfile(source) ? builtinProfile(source) : parseProfileText(readText(source, PROFILE_HINT));
}

function loadDocument(source: FilterSource): unknown {
  if (typeof source === "string") return readJsonText(readText(source));
  return "text" in source ? readJsonText(source.text) : spellBigints(source.document);
}

/** JSON Schema knows no bigint; the schemas take a string of digits for a number beyond 2^53. */
function spellBigints(value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (Array.isArray(value)) return value.map(spellBigints);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, spellBigints(member)]));
}

export function resolveTarget(options: FilterOptions): ResolveTarget {
  const architectures = options.architectures?.map(namedArchitecture);
  return {
    native: architectures?.[0] ?? hostArchitecture(),
    ...(architectures === undefined ? {} : { architectures }),
    capabilities: (options.capabilities ?? []).flatMap(namedCapabilities),
    kernel: options.kernel === undefined ? runningKernel() : parseKernel(options.kernel),
  };
}

export function hostArchitecture(): ArchitectureName {
  const name = nativeArchitecture(process.arch, endianness() === "LE");
  if (name === undefined)
    throw new RuntimeError("HOST_UNSUPPORTED", `Cannot tell the seccomp architecture of "${process.arch}"`, {
      hint: "name one with --arch",
    });
  return name;
}

export function namedArchitecture(name: string): ArchitectureName {
  const architecture = findArchitecture(name);
  if (architecture === undefined)
    throw new RuntimeError("INVALID_ARGUMENT", `Cannot use the architecture "${name}": no such architecture`, {
      hint: "names are those of the OCI Spec, x86_64 or SCMP_ARCH_X86_64",
    });
  return architecture.name;
}

function namedCapabilities(name: string): readonly string[] {
  const upper = name.toUpperCase();
  if (upper === "ALL") return CAPABILITY_NAMES;
  const full = upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
  if (capabilityNumber(full) === undefined)
    throw new RuntimeError("INVALID_ARGUMENT", `Cannot use the capability "${name}": no such capability`, {
      hint: "names are those of capabilities(7), SYS_ADMIN or CAP_SYS_ADMIN, and ALL",
    });
  return [full];
}

/** Distributions append what they like to a release. */
function runningKernel(): ResolveTarget["kernel"] {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(release()) ?? [];
  return { major: Number(major ?? 0), minor: Number(minor ?? 0) };
}

function parseKernel(text: string): ResolveTarget["kernel"] {
  const [, major, minor] = /^(\d+)\.(\d+)(?:\.\d+)*(?:[-+].*)?$/.exec(text) ?? [];
  if (major === undefined || minor === undefined)
    throw new RuntimeError("INVALID_ARGUMENT", `Cannot use the kernel version "${text}"`, {
      hint: "write MAJOR.MINOR, as in 5.10",
    });
  return { major: Number(major), minor: Number(minor) };
}
