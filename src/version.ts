/** The version of this release, from package.json, inlined by the bundler. */

import metadata from "../package.json" with { type: "json" };

export const VERSION: string = metadata.version;
