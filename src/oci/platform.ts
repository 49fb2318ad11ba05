/**
 * Platforms of images: parsing `os/architecture[/variant]`, the names different worlds give one architecture, and the
 * choice of a manifest out of an index (OCI image specification, image-index.md; the variant order is the one that
 * containerd and Docker use).
 */

import { RuntimeError } from "../errors.ts";

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  /** "" when the architecture has no variants, or the default one. */
  readonly variant: string;
}

/** Names of uname(2), Debian and Node for what OCI calls by Go's name. */
const ARCHITECTURES: Readonly<Record<string, readonly [architecture: string, variant?: string]>> = {
  x86_64: ["amd64"],
  "x86-64": ["amd64"],
  x64: ["amd64"],
  i386: ["386"],
  i486: ["386"],
  i586: ["386"],
  i686: ["386"],
  x86: ["386"],
  ia32: ["386"],
  aarch64: ["arm64"],
  armhf: ["arm", "v7"],
  armel: ["arm", "v6"],
  mipsel: ["mipsle"],
  mips64el: ["mips64le"],
  loong64: ["loong64"],
};

const COMPONENT = /^[A-Za-z0-9_.-]+$/;

/** One spelling per platform, so that equality is comparison of fields. */
export function normalizePlatform(os: string, architecture: string, variant = ""): Platform {
  const lower = architecture.toLowerCase();
  const [name, implied = ""] = ARCHITECTURES[lower] ?? [lower];
  return {
    os: os.toLowerCase(),
    architecture: name,
    variant: normalizeVariant(name, variant.toLowerCase() || implied),
  };
}

function normalizeVariant(architecture: string, variant: string): string {
  const value = /^\d+$/.test(variant) ? `v${variant}` : variant;
  if (architecture === "arm64" && value === "v8") return "";
  if (architecture === "arm" && value === "") return "v7";
  if (architecture === "amd64" && value === "v1") return "";
  return value;
}

/** `--platform`: `os/architecture[/variant]`, or an architecture alone for Linux. */
export function parsePlatform(text: string): Platform {
  const parts = text.split("/");
  if (parts.length > 3 || text === "linux" || !parts.every((part) => COMPONENT.test(part))) {
    throw new RuntimeError("INVALID_ARGUMENT", `Cannot parse the platform "${text}"`, {
      hint: "Write it as os/architecture[/variant], such as linux/arm64 or linux/arm/v7.",
      details: { platform: text },
    });
  }
  const [first = "", second, variant] = parts;
  if (second === undefined) return normalizePlatform("linux", first);
  return normalizePlatform(first, second, variant);
}

export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = platform;
  return variant === "" ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`;
}

/** The platforms that run on a machine of `platform`, best first. */
export function compatiblePlatforms(platform: Platform): readonly Platform[] {
  const { os, architecture, variant } = platform;
  if (architecture === "arm")
    return armVariants(Number(variant.slice(1)) || 7).map((name) => ({ ...platform, variant: name }));
  if (architecture === "amd64" && /^v[2-9]$/.test(variant)) {
    const level = Number(variant.slice(1));
    const names = Array.from({ length: level }, (_, below) => (level - below === 1 ? "" : `v${level - below}`));
    return names.map((name) => ({ ...platform, variant: name }));
  }
  if (architecture === "arm64" && variant !== "") return [platform, { os, architecture, variant: "" }];
  return [platform];
}

function armVariants(version: number): readonly string[] {
  return Array.from({ length: Math.max(version - 4, 1) }, (_, below) => `v${version - below}`);
}

/** The first candidate that fits `wanted` best, or undefined. A candidate without a platform never fits. */
export function choosePlatform<Candidate extends { readonly platform: Platform | null }>(
  candidates: readonly Candidate[],
  wanted: Platform,
): Candidate | undefined {
  for (const { os, architecture, variant } of compatiblePlatforms(wanted)) {
    const found = candidates.find(
      ({ platform }) =>
        platform !== null &&
        platform.os === os &&
        platform.architecture === architecture &&
        platform.variant === variant,
    );
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Whether an image of `platform` runs on a machine of `wanted`. One that does not say its architecture may. */
export function isCompatible(platform: Platform, wanted: Platform): boolean {
  return platform.architecture === "" || choosePlatform([{ platform }], wanted) !== undefined;
}
