/**
 * The options of the library's `run` and `start`, and their one normalisation: what makes the container goes to the engine
 * as it is, what becomes of its streams and its time stays here.
 */

import type { Readable, Writable } from "node:stream";
import { RuntimeError } from "../errors.ts";
import type { ImageChoice } from "../engine/prepare-container.ts";
import type { RunOptions as ContainerRunOptions } from "../engine/request/run-options.ts";
import type { LayerEvent } from "../image/storage/add-image.ts";

/** Lists of the command line that a record of names and values can stand for. */
type Pairs = readonly string[] | Readonly<Record<string, string>>;

/** What makes the container: the flags of `pycri run` under the names that JavaScript gives them. */
export interface ContainerOptions
  extends
    Omit<
      ContainerRunOptions,
      | "image"
      | "environmentDefaults"
      | "imageVolumes"
      | "interactive"
      | "environment"
      | "labels"
      | "sysctls"
      | "forwardSignals"
    >,
    ImageChoice {
  /** `NAME=value`, `NAME` for this process's own value, or a record. Nothing is passed on unasked. */
  readonly environment?: Pairs;
  readonly labels?: Pairs;
  readonly sysctls?: Pairs;
}

/** `pulling` names what is asked for in full; the others tell of a layer, of which several are under way at once. */
export type PullEvent = { readonly kind: "pulling"; readonly image: string } | LayerEvent;

/** A stream with an `fd` of a file or terminal is passed on as it is; through any other this process copies. */
export type InputOption = "pipe" | "ignore" | "inherit" | number | Readable;
export type OutputOption = "pipe" | "ignore" | "inherit" | number | Writable;

export interface StartOptions extends ContainerOptions {
  /** `ignore`, which is /dev/null, when absent. */
  readonly stdin?: InputOption;
  /** `pipe` when absent. */
  readonly stdout?: OutputOption;
  readonly stderr?: OutputOption;
  /** Told how an image comes along that has to be pulled. What it throws ends the run. */
  readonly onPull?: (event: PullEvent) => void;
  /** Ends the pull or the container; the result is then a RunError ABORTED whose `cause` is the signal's reason. */
  readonly signal?: AbortSignal;
  /** Milliseconds the container may run; the result is then a RunError TIMED_OUT. */
  readonly timeout?: number;
  /** What `signal` and `timeout` send: SIGTERM when absent. SIGKILL follows after `stopTimeout` seconds, 10 when absent. */
  readonly killSignal?: NodeJS.Signals;
  /** Make the result a RunError COMMAND_FAILED when the exit status is not 0. */
  readonly check?: boolean;
}

export interface RunOptions extends StartOptions {
  /** Written to the command's stdin, which is then closed; excludes `stdin`. */
  readonly input?: string | Uint8Array;
  /** What `stdout` and `stderr` of the result are: text (`utf8`, the default) or `bytes`. */
  readonly encoding?: "utf8" | "bytes";
  /** Bytes of each of stdout and stderr to keep at most, 64 MiB when absent; more is an error OUTPUT_LIMIT. */
  readonly maxBuffer?: number;
}

/** Options as the engine and the rest of the library want them. */
export interface NormalOptions {
  readonly container: ContainerRunOptions;
  readonly image: ImageChoice;
  readonly stdin: InputOption;
  readonly stdout: OutputOption;
  readonly stderr: OutputOption;
  readonly input: string | Uint8Array | null;
  readonly encoding: "utf8" | "bytes";
  readonly maxBuffer: number;
  readonly signal: AbortSignal | null;
  readonly onPull: ((event: PullEvent) => void) | null;
  readonly timeout: number | null;
  readonly killSignal: NodeJS.Signals;
  /** Milliseconds from `killSignal` to SIGKILL. */
  readonly killAfter: number;
  readonly check: boolean;
}

const DEFAULT_MAX_BUFFER = 64 * 1024 * 1024;
const DEFAULT_STOP_TIMEOUT = 10;
/** setTimeout takes 31 bits of milliseconds. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

type Kind = "text" | "number" | "text or number" | "flag" | "list" | "pairs" | "text or list" | "any";

/** Every option there is, so that a misspelt `capDrop` is an error and no silent grant. */
const KINDS = {
  rootfs: "text",
  command: "list",
  entrypoint: "text or list",
  writes: "text",
  upper: "text",
  name: "text",
  remove: "flag",
  labels: "pairs",
  cidFile: "text",
  pidFile: "text",
  userns: "text",
  uidMappings: "list",
  gidMappings: "list",
  pid: "text",
  ipc: "text",
  uts: "text",
  cgroupns: "text",
  network: "text",
  timeOffset: "text or number",
  volumes: "list",
  mounts: "list",
  tmpfs: "list",
  devices: "list",
  shmSize: "text or number",
  environment: "pairs",
  environmentFiles: "list",
  workingDirectory: "text",
  user: "text",
  groups: "list",
  hostname: "text",
  ulimits: "list",
  sysctls: "pairs",
  oomScoreAdj: "text or number",
  umask: "text or number",
  init: "flag",
  terminal: "flag",
  stopTimeout: "text or number",
  capAdd: "list",
  capDrop: "list",
  privileged: "flag",
  securityOptions: "list",
  memory: "text or number",
  memorySwap: "text or number",
  memoryReservation: "text or number",
  memoryHigh: "text or number",
  memorySwappiness: "text or number",
  oomKillDisable: "flag",
  oomGroup: "flag",
  cpus: "text or number",
  cpuQuota: "text or number",
  cpuPeriod: "text or number",
  cpuBurst: "text or number",
  cpuShares: "text or number",
  cpuIdle: "flag",
  cpusetCpus: "text",
  cpusetMems: "text",
  pidsLimit: "text or number",
  blkioWeight: "text or number",
  blkioWeightDevice: "list",
  deviceReadBps: "list",
  deviceWriteBps: "list",
  deviceReadIops: "list",
  deviceWriteIops: "list",
  hugepageLimits: "list",
  cgroupConf: "list",
  cgroups: "text",
  cgroupManager: "text",
  cgroupParent: "text",
  pull: "text",
  platform: "text",
  tlsVerify: "flag",
  unpackLimits: "list",
  stdin: "any",
  stdout: "any",
  stderr: "any",
  signal: "any",
  onPull: "any",
  timeout: "number",
  killSignal: "text",
  check: "flag",
  input: "any",
  encoding: "text",
  maxBuffer: "number",
} as const satisfies Readonly<Record<keyof Required<RunOptions>, Kind>>;

/** Texts that are one of a few. */
const CHOICES: Readonly<Partial<Record<keyof RunOptions, readonly string[]>>> = {
  writes: ["discard", "through", "refuse"],
  pid: ["private", "host"],
  ipc: ["private", "host"],
  uts: ["private", "host"],
  cgroupns: ["private", "host"],
  network: ["none", "host"],
  cgroups: ["enabled", "auto", "disabled"],
  cgroupManager: ["systemd", "cgroupfs", "disabled"],
  pull: ["always", "missing", "never", "newer"],
  encoding: ["utf8", "bytes"],
};

const isList = (value: unknown): boolean => Array.isArray(value) && value.every((item) => typeof item === "string");
const isText = (value: unknown): boolean => typeof value === "string";
const isNumber = (value: unknown): boolean => typeof value === "number" && !Number.isNaN(value);

const CHECKS: Readonly<Record<Kind, (value: unknown) => boolean>> = {
  text: isText,
  number: isNumber,
  "text or number": (value) => isText(value) || isNumber(value),
  flag: (value) => typeof value === "boolean",
  list: isList,
  "text or list": (value) => isText(value) || isList(value),
  pairs: (value) =>
    isList(value) ||
    (typeof value === "object" && value !== null && !Array.isArray(value) && Object.values(value).every(isText)),
  any: () => true,
};

const EXPECTED: Readonly<Record<Kind, string>> = {
  text: "give a string",
  number: "give a number",
  "text or number": "give a string or a number",
  flag: "give true or false",
  list: "give an array of strings",
  "text or list": "give a string or an array of strings",
  pairs: "give an array of strings, or an object whose values are strings",
  any: "",
};

/**
 * Check and normalise. Undefined values count as absent, whatever the declarations say.
 * @throws RuntimeError INVALID_ARGUMENT with the option's name and value.
 */
export function normalizeOptions(options: RunOptions): NormalOptions {
  if (typeof options !== "object" || options === null) throw invalid("options", options, "give an object");
  const given = Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as unknown as RunOptions;
  for (const [name, value] of Object.entries(given)) checkOption(name, value);
  if (given.rootfs === undefined) throw invalid("rootfs", undefined, "give a directory, an image, or host");

  const {
    stdin,
    stdout = "pipe",
    stderr = "pipe",
    signal = null,
    onPull = null,
    timeout = null,
    killSignal = "SIGTERM",
    check = false,
    input = null,
    encoding = "utf8",
    maxBuffer = DEFAULT_MAX_BUFFER,
    pull,
    platform,
    tlsVerify,
    unpackLimits,
    environment,
    labels,
    sysctls,
    ...rest
  } = given;
  if (input !== null && stdin !== undefined) throw invalid("stdin", stdin, "give stdin or input, not both");
  if (input !== null && typeof input !== "string" && !(input instanceof Uint8Array)) {
    throw invalid("input", input, "give a string or bytes");
  }
  if (signal !== null && !(signal instanceof AbortSignal)) throw invalid("signal", signal, "give an AbortSignal");
  if (onPull !== null && typeof onPull !== "function") throw invalid("onPull", onPull, "give a function");
  if (timeout !== null && !(timeout > 0 && timeout <= LONGEST_TIMEOUT)) {
    throw invalid("timeout", timeout, `give milliseconds, more than 0 and at most ${LONGEST_TIMEOUT}`);
  }
  if (!(maxBuffer > 0)) throw invalid("maxBuffer", maxBuffer, "give a number of bytes");
  checkStream("stdin", stdin, "read");
  checkStream("stdout", stdout, "write");
  checkStream("stderr", stderr, "write");

  const source = input === null ? (stdin ?? "ignore") : "pipe";
  return {
    container: {
      ...rest,
      ...(environment === undefined ? {} : { environment: asPairs(environment) }),
      ...(labels === undefined ? {} : { labels: asPairs(labels) }),
      ...(sysctls === undefined ? {} : { sysctls: asPairs(sysctls) }),
      interactive: source !== "ignore",
    },
    image: {
      ...(pull === undefined ? {} : { pull }),
      ...(platform === undefined ? {} : { platform }),
      ...(tlsVerify === undefined ? {} : { tlsVerify }),
      ...(unpackLimits === undefined ? {} : { unpackLimits }),
    },
    stdin: source,
    stdout,
    stderr,
    input,
    encoding,
    maxBuffer,
    signal,
    onPull,
    timeout,
    killSignal,
    killAfter: Number(rest.stopTimeout ?? DEFAULT_STOP_TIMEOUT) * 1000,
    check,
  };
}

function checkOption(name: string, value: unknown): void {
  if (!Object.hasOwn(KINDS, name)) {
    throw new RuntimeError("INVALID_ARGUMENT", `There is no option "${name}"`, {
      hint: "docs/library.md lists the options",
      details: { option: name },
    });
  }
  const option = name as keyof typeof KINDS;
  const kind = KINDS[option];
  if (!CHECKS[kind](value)) throw invalid(name, value, EXPECTED[kind]);
  const choices = CHOICES[option];
  if (choices !== undefined && !choices.includes(value as string)) {
    throw invalid(name, value, `the value is one of: ${choices.join(", ")}`);
  }
}

function checkStream(name: string, value: unknown, direction: "read" | "write"): void {
  if (value === undefined || value === "pipe" || value === "ignore" || value === "inherit") return;
  if (Number.isInteger(value) && (value as number) >= 0) return;
  const method = direction === "read" ? "pipe" : "write";
  if (typeof (value as { readonly [name: string]: unknown } | null)?.[method] === "function") return;
  throw invalid(
    name,
    value,
    `give pipe, ignore, inherit, a descriptor or a ${direction === "read" ? "readable" : "writable"} stream`,
  );
}

function asPairs(pairs: Pairs): readonly string[] {
  return isList(pairs)
    ? (pairs as readonly string[])
    : Object.entries(pairs as Readonly<Record<string, string>>).map(([name, value]) => `${name}=${value}`);
}

function invalid(option: string, value: unknown, hint: string): RuntimeError {
  return new RuntimeError("INVALID_ARGUMENT", `Cannot use the option ${option}: ${quote(value)}`, {
    hint,
    details: { option },
  });
}

function quote(value: unknown): string {
  if (typeof value === "string") return `"${value}"`;
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "an array" : "an object";
  return String(value);
}
