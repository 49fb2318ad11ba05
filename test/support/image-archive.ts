/** Docker archives of the tests' own making: any layers, any configuration. */

import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { tar } from "./tar.ts";

export interface ArchivedImage {
  /** Full reference with a tag. */
  readonly name: string;
  /** Layers as tar archives, bottom first. */
  readonly layers: readonly Uint8Array[];
  /** `config` of the image configuration. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly created?: string;
  readonly architecture?: string;
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** Write what `docker save` would. */
export function writeImageArchive(path: string, images: readonly ArchivedImage[]): void {
  const files = new Map<string, Uint8Array>();
  const manifest = images.map(({ name, layers, config = {}, created, architecture }) => {
    const paths = layers.map((layer) => {
      const file = `${sha256(layer)}.tar`;
      files.set(file, layer);
      return file;
    });
    const text = JSON.stringify({
      architecture: architecture ?? (process.arch === "arm64" ? "arm64" : "amd64"),
      os: "linux",
      ...(created === undefined ? {} : { created }),
      config,
      rootfs: { type: "layers", diff_ids: layers.map((layer) => `sha256:${sha256(layer)}`) },
      history: layers.map((_, index) => ({
        created_by: `step ${index}`,
        ...(created === undefined ? {} : { created }),
      })),
    });
    const file = `${sha256(Buffer.from(text))}.json`;
    files.set(file, Buffer.from(text));
    return { Config: file, RepoTags: [name], Layers: paths };
  });
  files.set("manifest.json", Buffer.from(JSON.stringify(manifest)));
  writeFileSync(path, tar([...files].map(([name, data]) => ({ name, data }))));
}
