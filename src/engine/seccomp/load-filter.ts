/**
 * A profile by name or path → resolved filter, for every use case of the workbench. What a caller does not say comes
 * from this machine: its architecture and its kernel.
 */
import { readFileSync } from "node:fs";
import { endianness, release } from "node:os";
import { RuntimeError } from "../../errors.ts";
import { type ArchitectureName, findArchitecture, nativeArchitecture } from "../../profile/architectures.ts";
import { builtinProfile, isBuiltinProfile } from "../../profile/builtin-profiles.ts";
import { filterFlags } from "../../profile/filter-flags.ts";
import { parseProfileText, readJsonText } from "../../profile/parse-profile.ts";
import { parseRules } from "../../profile/parse-rules.ts";
import type { Profile, ProfileWarning } from "../../profile/profile.ts";
import { filteredArchitectures, resolveProfile, type ResolveTarget } from "../../profile/resolve-profile.ts";
import type { Filter } from "../../seccomp/filter.ts";

/** What a profile is resolved for. */
export interface FilterOptions {
  /** `profile` (the default): any of the JSON dialects. `rules`: a flat rule list. */
  readonly format?: "profile" | "rules";
  /**
   * Names as `findArchitecture` takes them; the first is the native one. Absent: this machine's, and what the profile
   * adds to it.
   */
  readonly architectures?: readonly string[];
  /** With or without `CAP_`, any case: the bounding set that conditions of the profile ask for. */
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

/**
 * @param source a built-in profile's name, else a path
 * @throws RuntimeError INVALID_PROFILE, INVALID_ARGUMENT, or IO when the file cannot be read
 */
export function loadFilter(source: string, options: FilterOptions = {}): LoadedFilter {
  const target = resolveTarget(options);
  if (options.format === "rules") {
    const filter = parseRules(readJsonText(readSource(source)), target.native);
    return { filter, flags: 0, architectures: target.architectures ?? [target.native], warnings: [] };
  }
  const profile = loadProfile(source);
  const { filter, warnings } = resolveProfile(profile, target);
  return {
    filter,
    flags: filterFlags(profile),
    architectures: filteredArchitectures(profile, target),
    // What ships has been looked at.
    warnings: isBuiltinProfile(source) ? [] : warnings,
  };
}

/** A name of a shipped profile wins over a file of that name; `./default` is the file. */
export function loadProfile(source: string): Profile {
  return isBuiltinProfile(source) ? builtinProfile(source) : parseProfileText(readSource(source));
}

export function readSource(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "unknown error";
    throw new RuntimeError("IO", `Cannot read "${path}": ${code}`, { cause, details: { path, errno: code } });
  }
}

export function resolveTarget(options: FilterOptions): ResolveTarget {
  const architectures = options.architectures?.map(namedArchitecture);
  return {
    native: architectures?.[0] ?? hostArchitecture(),
    ...(architectures === undefined ? {} : { architectures }),
    capabilities: (options.capabilities ?? []).map(namedCapability),
    kernel: parseKernel(options.kernel ?? release()),
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

function namedCapability(name: string): string {
  const upper = name.toUpperCase();
  return upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
}

function parseKernel(text: string): ResolveTarget["kernel"] {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(text) ?? [];
  if (major === undefined || minor === undefined)
    throw new RuntimeError("INVALID_ARGUMENT", `Cannot use the kernel version "${text}"`, {
      hint: "write MAJOR.MINOR",
    });
  return { major: Number(major), minor: Number(minor) };
}
