/**
 * What a profile decides where `default` promises to decide as Docker's: for every architecture, capabilities and kernel
 * that make a difference, each as a digest. `test/data/docker-decisions.json` holds the digests of Docker's own profile,
 * which `scripts/note-docker-decisions.ts` notes.
 */
import { createHash } from "node:crypto";
import { architectures } from "../../src/profile/architectures.ts";
import { builtinDocument } from "../../src/profile/builtin-profiles.ts";
import { parseProfile } from "../../src/profile/parse-profile.ts";
import type { Profile } from "../../src/profile/profile.ts";
import { resolveProfile, type ResolveTarget } from "../../src/profile/resolve-profile.ts";
import type { Filter } from "../../src/seccomp/filter.ts";
import { repository } from "./repository.ts";

export const noteFile: string = `${repository}/test/data/docker-decisions.json`;

export interface DockerDecisions {
  readonly profile: string;
  /** The day. */
  readonly noted: string;
  /** Of the profile's bytes. */
  readonly sha256: string;
  /** SHA-256 of the decisions, by target. */
  readonly decisions: Readonly<Record<string, string>>;
}

/** Those that Docker's profile asks for. */
export const CAPABILITIES: readonly string[] =
  "BPF DAC_READ_SEARCH PERFMON SYSLOG SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_TIME SYS_TTY_CONFIG"
    .split(" ")
    .map((name) => `CAP_${name}`);

/** Every architecture with no capability, all and each alone, before and after the condition on 4.8. */
export const decisionTargets: readonly (readonly [name: string, target: ResolveTarget])[] = [
  ...architectures.keys(),
].flatMap((native) =>
  [[], CAPABILITIES, ...CAPABILITIES.map((name) => [name])].flatMap((capabilities) =>
    [
      { major: 4, minor: 7 },
      { major: 6, minor: 1 },
    ].map((kernel) => {
      const held = capabilities === CAPABILITIES ? "every capability" : (capabilities[0] ?? "no capability");
      return [`${native}, ${held}, ${kernel.major}.${kernel.minor}`, { native, capabilities, kernel }] as const;
    }),
  ),
);

/** `default` with Docker's comparisons of all 64 bits of socket(2)'s family, the one difference that is meant. */
export const likeDocker: Profile = withDockersFamilies(builtinDocument("default") as unknown as PlainDocument);

interface PlainDocument {
  readonly syscalls: readonly { readonly names: readonly string[] }[];
}

function withDockersFamilies(document: PlainDocument): Profile {
  const others = document.syscalls.filter(({ names }) => !names.includes("socket"));
  const families = [
    { op: "SCMP_CMP_LT", value: 38 },
    { op: "SCMP_CMP_EQ", value: 39 },
    { op: "SCMP_CMP_GT", value: 40 },
  ].map((comparison) => ({ names: ["socket"], action: "SCMP_ACT_ALLOW", args: [{ index: 0, ...comparison }] }));
  return parseProfile({ ...document, syscalls: [...others, ...families] });
}

/** All that a profile's filter decides. */
export function decisionsOf(profile: Profile, target: ResolveTarget): Filter {
  return resolveProfile(profile, target).filter;
}

export function digestsOf(profile: Profile): Readonly<Record<string, string>> {
  return Object.fromEntries(
    decisionTargets.map(([name, target]) => {
      const text = JSON.stringify(decisionsOf(profile, target), (_, value: unknown) =>
        typeof value === "bigint" ? String(value) : value,
      );
      return [name, createHash("sha256").update(text).digest("hex")];
    }),
  );
}

export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
