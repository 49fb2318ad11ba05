/** Compiles the seccomp filters that the bundle carries: every built-in profile for the default capabilities. */

import type { ShippedFilter } from "../src/engine/shipped-filters.ts";
import { kernelModel } from "../src/engine/seccomp/kernel-model.ts";
import { capabilityMask } from "../src/oci/capability-numbers.ts";
import { DEFAULT_CAPABILITIES } from "../src/plan/capabilities.ts";
import { nativeArchitecture } from "../src/profile/architectures.ts";
import { builtinProfile, builtinProfileNames } from "../src/profile/builtin-profiles.ts";
import { filterFlags } from "../src/profile/filter-flags.ts";
import type { Profile } from "../src/profile/profile.ts";
import { resolveProfile } from "../src/profile/resolve-profile.ts";
import { compileFilter } from "../src/seccomp/compile.ts";

/** From this kernel on the compiler shapes programs for the bitmap of constant answers. */
const BITMAP_KERNEL = { major: 5, minor: 11 };

/** The filters for machines like this one: the helper is native, too. */
export function compileShippedFilters(): readonly ShippedFilter[] {
  const native = nativeArchitecture(process.arch);
  if (native === undefined) return [];
  return builtinProfileNames.flatMap((name) => {
    const profile = builtinProfile(name);
    if (!profile.confined) return [];
    const kernel = newestCondition(profile);
    const { filter } = resolveProfile(profile, { native, capabilities: DEFAULT_CAPABILITIES, kernel });
    const { program } = compileFilter(filter, { kernel: kernelModel(kernel) });
    return [
      {
        profile: name,
        architecture: process.arch,
        capabilities: capabilityMask(DEFAULT_CAPABILITIES).toString(),
        kernel: [kernel.major, kernel.minor] as const,
        flags: filterFlags(profile),
        program: Buffer.from(program).toString("base64"),
      },
    ];
  });
}

/** The oldest kernel from which on no condition of the profile changes its answer. */
function newestCondition(profile: Profile): { readonly major: number; readonly minor: number } {
  const conditions = profile.rules.flatMap(({ includes, excludes }) => [includes.minKernel, excludes.minKernel]);
  return conditions.reduce<{ readonly major: number; readonly minor: number }>(
    (newest, kernel) =>
      kernel !== undefined && kernel.major * 1000 + kernel.minor > newest.major * 1000 + newest.minor ? kernel : newest,
    BITMAP_KERNEL,
  );
}
