/**
 * The image that the benchmark handles: five layers of real files, taken from the host's own /usr until each has 40 MB, in
 * an OCI image layout. The same host gives the same image.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export type Compression = "gzip" | "zstd";

export interface SampleImage {
  /** A layout directory with the image tagged `1`. */
  readonly layout: string;
  /** The same as a tar archive. */
  readonly archive: string;
  /** The layers' blobs, bottom first. */
  readonly layers: readonly string[];
  /** Bytes of the layers, as archives. */
  readonly plainBytes: number;
  readonly packedBytes: number;
  readonly entries: number;
}

/** Where the files of each layer are looked for, in turn. */
const SOURCES: readonly (readonly string[])[] = [
  ["usr/bin/busybox", "usr/bin", "usr/sbin"],
  ["usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu"],
  ["usr/share"],
  ["usr/include", "usr/libexec", "usr/lib/gcc"],
  ["usr/lib"],
];
const LAYER_BYTES = 40_000_000;
/** One file does not make a layer. */
const LARGEST_FILE = 8_000_000;

const PROGRAMS = { gzip: ["gzip", "-6", "-n", "-c"], zstd: ["zstd", "-3", "-q", "-c"] } as const;

export function makeSampleImage(folder: string, compression: Compression): SampleImage {
  const layout = join(folder, `layout-${compression}`);
  const blobs = join(layout, "blobs/sha256");
  mkdirSync(blobs, { recursive: true });
  const used = new Set<string>();
  const layers: { digest: string; size: number }[] = [];
  const diffIds: string[] = [];
  let plainBytes = 0;
  for (const sources of SOURCES) {
    const plain = join(folder, "layer.tar");
    execFileSync("tar", ["-C", "/", "--no-recursion", "--null", "-T", "-", "-cf", plain], {
      input: chooseFiles(sources, used).join("\0"),
    });
    diffIds.push(`sha256:${sha256(readFileSync(plain))}`);
    plainBytes += statSync(plain).size;
    const [program, ...args] = PROGRAMS[compression];
    const packed = execFileSync(program, [...args, plain], { maxBuffer: 1 << 30 });
    rmSync(plain);
    layers.push(keep(blobs, packed));
  }
  const type = (name: string): string => `application/vnd.oci.image.${name}`;
  const config = keepJson(blobs, {
    architecture: process.arch === "arm64" ? "arm64" : "amd64",
    os: "linux",
    config: { Cmd: ["/usr/bin/true"] },
    rootfs: { type: "layers", diff_ids: diffIds },
  });
  const manifest = keepJson(blobs, {
    schemaVersion: 2,
    mediaType: type("manifest.v1+json"),
    config: { mediaType: type("config.v1+json"), ...config },
    layers: layers.map((layer) => ({ mediaType: type(`layer.v1.tar+${compression}`), ...layer })),
  });
  const annotations = { "org.opencontainers.image.ref.name": "1" };
  writeFileSync(
    join(layout, "index.json"),
    JSON.stringify({
      schemaVersion: 2,
      manifests: [{ mediaType: type("manifest.v1+json"), ...manifest, annotations }],
    }),
  );
  writeFileSync(join(layout, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  const archive = join(folder, `${compression}.tar`);
  execFileSync("tar", ["-C", layout, "-cf", archive, "."]);
  execFileSync("chmod", ["-R", "a+rX", folder]);
  return {
    layout,
    archive,
    layers: layers.map(({ digest }) => join(blobs, digest.slice("sha256:".length))),
    plainBytes,
    packedBytes: layers.reduce((sum, { size }) => sum + size, 0),
    entries: used.size,
  };
}

/** Names below "/", parents first, of files and directories that no other layer has. */
function chooseFiles(sources: readonly string[], used: Set<string>): readonly string[] {
  const chosen: string[] = [];
  let bytes = 0;
  const visit = (path: string): void => {
    const status = lstatSync(`/${path}`);
    const wanted = status.isDirectory() || status.isSymbolicLink() || (status.isFile() && status.size <= LARGEST_FILE);
    if (!wanted || bytes >= LAYER_BYTES) return;
    if (!used.has(path)) chosen.push(path);
    used.add(path);
    bytes += status.isFile() ? status.size : 0;
    if (status.isDirectory()) for (const name of readdirSync(`/${path}`).toSorted()) visit(`${path}/${name}`);
  };
  for (const source of sources) if (lstatSync(`/${source}`, { throwIfNoEntry: false }) !== undefined) visit(source);
  return chosen;
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function keep(blobs: string, bytes: Uint8Array): { digest: string; size: number } {
  const hex = sha256(bytes);
  const temporary = join(blobs, "new");
  writeFileSync(temporary, bytes);
  renameSync(temporary, join(blobs, hex));
  return { digest: `sha256:${hex}`, size: bytes.byteLength };
}

function keepJson(blobs: string, value: unknown): { digest: string; size: number } {
  return keep(blobs, Buffer.from(JSON.stringify(value)));
}
