/**
 * Image configurations (OCI image specification, config.md, and Docker's superset of it): what a container of the image
 * runs by default, and the layers by the digest of their uncompressed content.
 */

import { type Digest, parseDigest } from "./descriptor.ts";
import { type JsonReader, readJson } from "./json-reader.ts";
import { MAX_DOCUMENT_BYTES } from "./manifest.ts";
import { type Platform, normalizePlatform } from "./platform.ts";

/** Docker's HEALTHCHECK. Durations are nanoseconds; 0 means the default. */
export interface Healthcheck {
  /** `["NONE"]`, `["CMD", …]` or `["CMD-SHELL", command]`. */
  readonly test: readonly string[];
  readonly interval: number;
  readonly timeout: number;
  readonly startPeriod: number;
  readonly retries: number;
}

/** Defaults of a container of the image. */
export interface ContainerDefaults {
  /** `user[:group]`, or "". */
  readonly user: string;
  /** `NAME=value`. */
  readonly environment: readonly string[];
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  /** Absolute, or "". */
  readonly workingDirectory: string;
  /** Mount points that get an anonymous volume. */
  readonly volumes: readonly string[];
  /** `port/protocol`. */
  readonly exposedPorts: readonly string[];
  /** `SIGTERM`, `15` …, or "". */
  readonly stopSignal: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly healthcheck: Healthcheck | null;
}

export interface HistoryEntry {
  /** RFC 3339, or "". */
  readonly created: string;
  readonly createdBy: string;
  readonly comment: string;
  readonly author: string;
  /** The step changed the configuration only and has no layer. */
  readonly emptyLayer: boolean;
}

export interface ImageConfig {
  readonly platform: Platform;
  /** RFC 3339, or "". */
  readonly created: string;
  readonly author: string;
  readonly defaults: ContainerDefaults;
  /** Digests of the uncompressed layers, bottom first. */
  readonly diffIds: readonly Digest[];
  readonly history: readonly HistoryEntry[];
}

const MAX_LAYERS = 500;
const MAX_HISTORY = 2000;
const NANOSECONDS = { minimum: 0, maximum: Number.MAX_SAFE_INTEGER };

/** Parse a configuration; `name` stands in messages. */
export function parseImageConfig(bytes: Uint8Array, name: string): ImageConfig {
  const reader = readJson(`the configuration of "${name}"`, bytes, MAX_DOCUMENT_BYTES);
  const rootfs = reader.object("rootfs");
  if (rootfs.string("type") !== "layers") throw rootfs.issue("type", 'must be "layers"');
  return {
    platform: normalizePlatform(
      reader.optionalString("os") ?? "linux",
      reader.optionalString("architecture") ?? "",
      reader.optionalString("variant"),
    ),
    created: reader.optionalString("created") ?? "",
    author: reader.optionalString("author") ?? "",
    defaults: parseDefaults(reader.optionalObject("config")),
    diffIds: parseDiffIds(rootfs),
    history: reader.objects("history", MAX_HISTORY).map((entry) => ({
      created: entry.optionalString("created") ?? "",
      createdBy: entry.optionalString("created_by") ?? "",
      comment: entry.optionalString("comment") ?? "",
      author: entry.optionalString("author") ?? "",
      emptyLayer: entry.boolean("empty_layer"),
    })),
  };
}

function parseDiffIds(rootfs: JsonReader): readonly Digest[] {
  const texts = rootfs.strings("diff_ids");
  if (texts.length > MAX_LAYERS) throw rootfs.issue("diff_ids", `has more than ${MAX_LAYERS} items`);
  return texts.map((text, index) => {
    const digest = parseDigest(text);
    if (digest === null) throw rootfs.issue(`diff_ids/${index}`, `"${text}" is not a digest`);
    return digest;
  });
}

/** Defaults of an image that states none. */
export const EMPTY_DEFAULTS: ContainerDefaults = {
  user: "",
  environment: [],
  entrypoint: [],
  command: [],
  workingDirectory: "",
  volumes: [],
  exposedPorts: [],
  stopSignal: "",
  labels: {},
  healthcheck: null,
};

function parseDefaults(config: JsonReader | undefined): ContainerDefaults {
  if (config === undefined) return EMPTY_DEFAULTS;
  const environment = config.strings("Env");
  for (const [index, entry] of environment.entries()) {
    if (entry.includes("\0")) throw config.issue(`Env/${index}`, "has a NUL character");
  }
  const workingDirectory = config.optionalString("WorkingDir") ?? "";
  if (workingDirectory.includes("\0")) throw config.issue("WorkingDir", "has a NUL character");
  const volumes = config.keys("Volumes");
  for (const volume of volumes) {
    if (!volume.startsWith("/") || volume.includes("\0")) throw config.issue("Volumes", `"${volume}" is not absolute`);
    // CVE-2022-23648: a volume that is taken from the host by its path.
    if (volume.split("/").includes("..")) throw config.issue("Volumes", `"${volume}" has ".."`);
  }
  return {
    user: config.optionalString("User") ?? "",
    environment,
    entrypoint: config.strings("Entrypoint"),
    command: config.strings("Cmd"),
    // Docker takes "src" for "/src".
    workingDirectory:
      workingDirectory === "" || workingDirectory.startsWith("/") ? workingDirectory : `/${workingDirectory}`,
    volumes,
    exposedPorts: config.keys("ExposedPorts"),
    stopSignal: config.optionalString("StopSignal") ?? "",
    labels: config.stringMap("Labels"),
    healthcheck: parseHealthcheck(config.optionalObject("Healthcheck")),
  };
}

function parseHealthcheck(reader: JsonReader | undefined): Healthcheck | null {
  if (reader === undefined) return null;
  const test = reader.strings("Test");
  if (test.length === 0) return null;
  return {
    test,
    interval: reader.optionalInteger("Interval", NANOSECONDS) ?? 0,
    timeout: reader.optionalInteger("Timeout", NANOSECONDS) ?? 0,
    startPeriod: reader.optionalInteger("StartPeriod", NANOSECONDS) ?? 0,
    retries: reader.optionalInteger("Retries", NANOSECONDS) ?? 0,
  };
}

/** The JSON value of a configuration, in the words of the specification; empty fields are left out. */
export function imageConfigToJson(config: ImageConfig): Record<string, unknown> {
  const { platform, created, author, defaults, diffIds, history } = config;
  return {
    ...given("created", created),
    ...given("author", author),
    architecture: platform.architecture,
    os: platform.os,
    ...given("variant", platform.variant),
    config: defaultsToJson(defaults),
    rootfs: { type: "layers", diff_ids: diffIds },
    history: history.map((entry) => ({
      ...given("created", entry.created),
      ...given("created_by", entry.createdBy),
      ...given("author", entry.author),
      ...given("comment", entry.comment),
      ...(entry.emptyLayer ? { empty_layer: true } : {}),
    })),
  };
}

/** The `config` object of the specification. */
export function defaultsToJson(defaults: ContainerDefaults): Record<string, unknown> {
  const { healthcheck, labels } = defaults;
  const keys = (names: readonly string[]): Record<string, unknown> =>
    Object.fromEntries(names.map((name) => [name, {}]));
  return {
    ...given("User", defaults.user),
    ...(defaults.exposedPorts.length > 0 ? { ExposedPorts: keys(defaults.exposedPorts) } : {}),
    ...given("Env", defaults.environment),
    ...given("Entrypoint", defaults.entrypoint),
    ...given("Cmd", defaults.command),
    ...(defaults.volumes.length > 0 ? { Volumes: keys(defaults.volumes) } : {}),
    ...given("WorkingDir", defaults.workingDirectory),
    ...(Object.keys(labels).length > 0 ? { Labels: labels } : {}),
    ...given("StopSignal", defaults.stopSignal),
    ...(healthcheck === null
      ? {}
      : {
          Healthcheck: {
            Test: healthcheck.test,
            Interval: healthcheck.interval,
            Timeout: healthcheck.timeout,
            StartPeriod: healthcheck.startPeriod,
            Retries: healthcheck.retries,
          },
        }),
  };
}

function given(name: string, value: string | readonly string[]): Record<string, unknown> {
  return value.length > 0 ? { [name]: value } : {};
}
