/** The library. Everything that is public stands here; the rest of the package may change at any time. */

export { run, start } from "./library/run.ts";
export type { Container, ResultOf } from "./library/run.ts";
export type {
  ContainerOptions,
  InputOption,
  OutputOption,
  PullEvent,
  RunOptions,
  StartOptions,
} from "./library/options.ts";
export { RunError } from "./library/result.ts";
export type { RunResult } from "./library/result.ts";
export { doctor, info, spec } from "./library/host.ts";
export type { Examination } from "./engine/doctor/examine-host.ts";
export type { Finding } from "./engine/doctor/finding.ts";
export type { Info } from "./engine/info.ts";
export type { SpecOfRun } from "./engine/spec.ts";
export { formatSpec } from "./oci/format-spec.ts";
export { RuntimeError } from "./errors.ts";
export type { ErrorCode } from "./errors.ts";
export { VERSION as version } from "./version.ts";

// Seccomp profiles: compile, explain, check.
export { compileProfile } from "./engine/seccomp/compile-profile.ts";
export type { CompiledProfile, CompileProfileOptions } from "./engine/seccomp/compile-profile.ts";
export { formatProfileCost, profileCost } from "./engine/seccomp/profile-cost.ts";
export type { ProfileCost } from "./engine/seccomp/profile-cost.ts";
export { disassembleProgram } from "./engine/seccomp/disassemble-program.ts";
export { listCalls } from "./engine/seccomp/list-calls.ts";
export type { ProfileListing } from "./engine/seccomp/list-calls.ts";
export type { FilterOptions, FilterSource } from "./engine/seccomp/load-filter.ts";
export { prepareSimulation, simulateCall } from "./engine/seccomp/simulate-calls.ts";
export type { SimulatedCall, SimulationSource } from "./engine/seccomp/simulate-calls.ts";
export { verifyProgram } from "./engine/seccomp/verify-program.ts";
export type { Difference, Verification } from "./engine/seccomp/verify-program.ts";
export type { ProfileDocument } from "./profile/profile-document.ts";
export type { RuleListDocument } from "./profile/parse-rules.ts";
export type { ProfileWarning } from "./profile/profile.ts";
export type { PreparedProgram } from "./seccomp/simulate.ts";
