/** Where the project lies, seen from the compiled tests in `build/test`. */
import { fileURLToPath } from "node:url";

/** Absolute path of the repository, without a trailing slash. */
export const repository: string = fileURLToPath(new URL("../../..", import.meta.url)).replace(/\/$/, "");
