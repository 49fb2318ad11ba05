/** Which calls a profile decides how: the use case behind `pycri seccomp list`. */
import { type ArchitectureListing, listByAction } from "../../profile/list-by-action.ts";
import type { ProfileWarning } from "../../profile/profile.ts";
import { type FilterOptions, type FilterSource, loadFilter } from "./load-filter.ts";

export interface ProfileListing {
  readonly architectures: readonly ArchitectureListing[];
  readonly warnings: readonly ProfileWarning[];
}

/** @throws RuntimeError INVALID_PROFILE, INVALID_ARGUMENT or IO */
export function listCalls(source: FilterSource, options: FilterOptions = {}): ProfileListing {
  const { filter, warnings } = loadFilter(source, options);
  return { architectures: listByAction(filter), warnings };
}
