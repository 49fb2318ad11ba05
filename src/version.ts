/** The version of this release, from package.json, and the build it is; both inlined by the bundler. */

import metadata from "../package.json" with { type: "json" };

export const VERSION: string = metadata.version;

declare const PYCRI_BUILD: string | undefined;

/** A digest of pycri's own code, which compiled filters are cached under; null outside the bundles. */
export const BUILD: string | null = typeof PYCRI_BUILD === "string" ? PYCRI_BUILD : null;
