/** The library. Everything that is public stands here; the rest of the package may change at any time. */

export { run, start } from "./library/run.ts";
export type { Container, ResultOf } from "./library/run.ts";
export type { ContainerOptions, InputOption, OutputOption, RunOptions, StartOptions } from "./library/options.ts";
export { RunError } from "./library/result.ts";
export type { RunResult } from "./library/result.ts";
export { RuntimeError } from "./errors.ts";
export type { ErrorCode } from "./errors.ts";
export { VERSION as version } from "./version.ts";
