/**
 * Where profiles of other projects are found, none of which is part of this one: in the directory that PYCRI_PROFILES
 * names, as NAME.json, and containers-common's where Debian installs it. The directory wins.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync } from "node:fs";
import type { TestContext } from "node:test";
import { parseProfileText } from "../../src/profile/parse-profile.ts";
import type { Profile } from "../../src/profile/profile.ts";

export type ForeignProfileName =
  /** Docker's default. */
  | "moby-default"
  /** The default of Podman, Buildah and CRI-O. */
  | "containers-common"
  | "jessfraz-chrome"
  /** Of runc's integration tests. */
  | "runc-syscall-test1"
  | "runc-syscall-test2"
  /** One filter for each thread, in the dialect of seccompiler. */
  | "firecracker-aarch64";

const INSTALLED: Partial<Readonly<Record<ForeignProfileName, string>>> = {
  "containers-common": "/usr/share/containers/seccomp.json",
};

function find(name: ForeignProfileName): string | null {
  const directory = process.env["PYCRI_PROFILES"];
  if (directory !== undefined && directory !== "") {
    if (!(statSync(directory, { throwIfNoEntry: false })?.isDirectory() ?? false))
      throw new Error(`PYCRI_PROFILES: ${directory} is no directory`);
    const file = `${directory}/${name}.json`;
    if (existsSync(file)) return file;
  }
  const installed = INSTALLED[name];
  return installed !== undefined && existsSync(installed) ? installed : null;
}

/** The file's text, or null where there is none. */
export function foreignProfileText(name: ForeignProfileName): string | null {
  const file = find(name);
  return file === null ? null : readFileSync(file, "utf8");
}

/** Null where there is none. */
export function foreignProfile(name: ForeignProfileName): Profile | null {
  const text = foreignProfileText(name);
  return text === null ? null : parseProfileText(text);
}

/** Those of the names that are found. */
export function foundForeignProfiles(...names: readonly ForeignProfileName[]): readonly (readonly [string, Profile])[] {
  return names.flatMap((name) => {
    const profile = foreignProfile(name);
    return profile === null ? [] : [[name, profile] as const];
  });
}

/** Every machine can have this one: its absence skips a test with a reason, and fails it under REQUIRE_KERNEL=1. */
export function skipWithoutContainersCommon(context: TestContext): void {
  const reason = "containers-common's profile is not installed (Debian: golang-github-containers-common)";
  assert.notEqual(process.env["REQUIRE_KERNEL"], "1", `REQUIRE_KERNEL=1, but ${reason}`);
  context.skip(reason);
}
