/**
 * The images that the benchmark handles, in OCI image layouts: five layers of real files, taken from the host's own /usr
 * until each has 40 MB; and one layer as large as one likes. The same host gives the same images.
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
/** For what is large and whose packing nobody measures. */
const FAST_PROGRAMS = { gzip: ["gzip", "-1", "-n", "-c"], zstd: ["zstd", "-1", "-q", "-c"] } as const;
const LARGE_FILE = 10_000_000;

export function makeSampleImage(folder: string, compression: Compression): SampleImage {
  const used = new Set<string>();
  const packLayers = SOURCES.map((sources) => (plain: string): void => {
    execFileSync("tar", ["-C", "/", "--no-recursion", "--null", "-T", "-", "-cf", plain], {
      input: chooseFiles(sources, used).join("\0"),
    });
  });
  return { ...makeImage(folder, packLayers, PROGRAMS[compression]), entries: used.size };
}

/** One layer of so many files of 10 MB, cut from the host's programs and libraries. */
export function makeLargeLayer(folder: string, compression: Compression, files: number): SampleImage {
  const material: Buffer[] = [];
  for (const name of chooseFiles(["usr/bin", "usr/lib"], new Set(), 4 * LARGE_FILE)) {
    if (lstatSync(`/${name}`).isFile()) material.push(readFileSync(`/${name}`));
  }
  const bytes = Buffer.concat(material);
  const packLayer = (plain: string): void => {
    const tree = join(folder, "tree");
    mkdirSync(tree);
    for (let index = 0; index < files; index++) {
      // Each from another place.
      const start = (index * 1_000_003) % (bytes.byteLength - LARGE_FILE);
      writeFileSync(join(tree, `file-${index}`), bytes.subarray(start, start + LARGE_FILE));
    }
    execFileSync("tar", ["-C", tree, "-cf", plain, "."]);
    rmSync(tree, { recursive: true });
  };
  return { ...makeImage(folder, [packLayer], FAST_PROGRAMS[compression]), entries: files };
}

/** `packLayers`: each writes a layer's archive to the path it is given. */
function makeImage(
  folder: string,
  packLayers: readonly ((plain: string) => void)[],
  [program, ...args]: readonly [string, ...string[]],
): Omit<SampleImage, "entries"> {
  const layout = join(folder, "layout");
  const blobs = join(layout, "blobs/sha256");
  mkdirSync(blobs, { recursive: true });
  const layers: { digest: string; size: number }[] = [];
  const diffIds: string[] = [];
  let plainBytes = 0;
  for (const packLayer of packLayers) {
    const plain = join(folder, "layer.tar");
    packLayer(plain);
    diffIds.push(`sha256:${sha256(readFileSync(plain))}`);
    plainBytes += statSync(plain).size;
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
    layers: layers.map((layer) => ({ mediaType: type(`layer.v1.tar+${program}`), ...layer })),
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
  const archive = join(folder, "image.tar");
  execFileSync("tar", ["-C", layout, "-cf", archive, "."]);
  execFileSync("chmod", ["-R", "a+rX", folder]);
  return {
    layout,
    archive,
    layers: layers.map(({ digest }) => join(blobs, digest.slice("sha256:".length))),
    plainBytes,
    packedBytes: layers.reduce((sum, { size }) => sum + size, 0),
  };
}

/** Names below "/", parents first, of files and directories that no other layer has. */
function chooseFiles(sources: readonly string[], used: Set<string>, enough: number = LAYER_BYTES): readonly string[] {
  const chosen: string[] = [];
  let bytes = 0;
  const visit = (path: string): void => {
    const status = lstatSync(`/${path}`);
    const wanted = status.isDirectory() || status.isSymbolicLink() || (status.isFile() && status.size <= LARGEST_FILE);
    if (!wanted || bytes >= enough) return;
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
