/**
 * The seccomp program of a container: from a built-in profile or a file, through the compiler component, or from the
 * cache when the same program was compiled before.
 */

import { RuntimeError } from "../errors.ts";
import type { LinuxSeccomp } from "../oci/spec.ts";
import type { HostFacts } from "../plan/host-facts.ts";
import type { SeccompSource } from "../plan/run-request.ts";
import { type ArchitectureName, nativeArchitecture } from "../profile/architectures.ts";
import { builtinProfile, isBuiltinProfile } from "../profile/builtin-profiles.ts";
import { filterFlags, notifies } from "../profile/filter-flags.ts";
import { parseProfileText } from "../profile/parse-profile.ts";
import type { Profile } from "../profile/profile.ts";
import { resolveProfile, type ResolveTarget } from "../profile/resolve-profile.ts";
import { type OciSeccomp, toOciSeccomp } from "../profile/to-oci.ts";
import { filterKey, readCachedFilter, writeCachedFilter } from "../store/filter-cache.ts";
import { BUILD } from "../version.ts";
import type { ContainerFilter } from "./prepare-launch.ts";
import { compileNamed } from "./seccomp/compile-named.ts";
import { kernelModel } from "./seccomp/kernel-model.ts";
import { readText } from "./seccomp/read-input.ts";

/**
 * The filter of a profile for a container with these capabilities, null for `unconfined` and for profiles that say so.
 * @param cacheDirectory of the caller's own, or null.
 * @throws RuntimeError INVALID_PROFILE, INVALID_ARGUMENT for a file that cannot be read.
 */
export function containerFilter(
  source: SeccompSource,
  capabilities: readonly string[],
  facts: HostFacts,
  cacheDirectory: string | null,
): ContainerFilter | null {
  if (source.kind === "unconfined") return null;
  const { profile, text } = readProfile(source);
  if (!profile.confined) return null;
  if (notifies(profile)) {
    throw new RuntimeError(
      "INVALID_PROFILE",
      "Cannot run with this profile: it hands calls to a listener (SCMP_ACT_NOTIFY)",
      {
        hint: "pycri run has no listener to hand them to: give these calls another action",
      },
    );
  }
  const target: ResolveTarget = { native: requireArchitecture(facts), capabilities, kernel: facts.kernel };
  const document = toOciSeccomp(profile, target);
  const program = compileCached(profile, text, target, facts, cacheDirectory);
  return { program: { program, flags: filterFlags(profile) }, document: specSeccomp(document) };
}

/** In the Spec data beyond 2^53 are bigints; a profile document spells them as strings. */
function specSeccomp(document: OciSeccomp | undefined): LinuxSeccomp | null {
  if (document === undefined) return null;
  const { syscalls = [], ...rest } = document;
  return {
    ...rest,
    syscalls: syscalls.map(({ args, ...rule }) => ({
      ...rule,
      ...(args === undefined
        ? {}
        : {
            args: args.map(({ value, valueTwo, ...comparison }) => ({
              ...comparison,
              value: BigInt(value),
              ...(valueTwo === undefined ? {} : { valueTwo: BigInt(valueTwo) }),
            })),
          }),
    })),
  };
}

function readProfile(source: Exclude<SeccompSource, { kind: "unconfined" }>): {
  readonly profile: Profile;
  /** What stands for the profile in the cache's key: no document is a name. */
  readonly text: string;
} {
  if (source.kind === "builtin") {
    if (isBuiltinProfile(source.name)) return { profile: builtinProfile(source.name), text: source.name };
    throw new RuntimeError("INVALID_ARGUMENT", `There is no seccomp profile "${source.name}"`);
  }
  let text: string;
  try {
    text = readText(source.path);
  } catch (cause) {
    const code = cause instanceof RuntimeError ? cause.details["errno"] : undefined;
    if (code === undefined) throw cause;
    throw new RuntimeError("INVALID_ARGUMENT", `Cannot read the seccomp profile "${source.path}": ${String(code)}`, {
      hint: "give the path of a JSON profile, or one of: default, baseline, strict, ci, unconfined",
      details: { path: source.path },
      cause,
    });
  }
  try {
    return { profile: parseProfileText(text), text };
  } catch (cause) {
    if (!(cause instanceof RuntimeError)) throw cause;
    throw new RuntimeError(cause.code, `Cannot use the seccomp profile "${source.path}": ${cause.message}`, {
      ...(cause.hint === undefined ? {} : { hint: cause.hint }),
      details: { ...cause.details, path: source.path },
      cause,
    });
  }
}

function compileCached(
  profile: Profile,
  text: string,
  target: ResolveTarget,
  facts: HostFacts,
  cacheDirectory: string | null,
): Uint8Array {
  const compile = (): Uint8Array =>
    compileNamed(resolveProfile(profile, target).filter, { kernel: kernelModel(facts.kernel) }).program;
  if (cacheDirectory === null || BUILD === null) return compile();

  const { major, minor } = facts.kernel;
  const key = filterKey([BUILD, text, target.native, target.capabilities.toSorted().join(), `${major}.${minor}`]);
  const cached = readCachedFilter(cacheDirectory, facts.uid, key);
  if (cached !== null) return cached;
  const program = compile();
  writeCachedFilter(cacheDirectory, facts.uid, key, program);
  return program;
}

function requireArchitecture(facts: HostFacts): ArchitectureName {
  const littleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
  const native = nativeArchitecture(facts.architecture, littleEndian);
  if (native !== undefined) return native;
  throw new RuntimeError("HOST_UNSUPPORTED", `Cannot filter system calls on the architecture "${facts.architecture}"`, {
    hint: "run without a filter: --security-opt seccomp=unconfined",
  });
}
