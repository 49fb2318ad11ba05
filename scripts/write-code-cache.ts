/** `write-code-cache.js FILE`: see `writeCodeCache` in `code-cache.ts`. */

import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type Server, createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { DEFAULT_CAPABILITIES } from "../src/plan/capabilities.ts";
import { builtinProfile } from "../src/profile/builtin-profiles.ts";
import { resolveProfile } from "../src/profile/resolve-profile.ts";
import { Compiler, type Component } from "../src/seccomp/compiler.ts";
import { codeCachePath, compileBundle, runBundle } from "../src/sys/bundle.ts";

const [file = ""] = process.argv.slice(2);

/** What a start of each bundle uses. A function that has not run is compiled at every start. */
const rehearsals: Readonly<Record<string, (exports: never) => Promise<void> | void>> = {
  /** Common lines. Any directory does for a root filesystem. */
  async "run.cjs"({ rehearse }: { readonly rehearse: (args: readonly string[]) => Promise<void> }) {
    const directory = dirname(file);
    for (const line of [
      ["--rm", "-i", "-e", "A=b", "host", "true"],
      ["-v", "/tmp:/mnt:ro", "-w", "/", "-u", "0", "--hostname=name", "--name=name", directory, "true"],
      ["-it", "--read-only", "--tmpfs=/tmp", "--userns=keep-id", "--cap-drop=ALL", directory, "true"],
      ["--userns=single", "--init", "--ulimit=nofile=64", "--security-opt=seccomp=unconfined", directory],
    ])
      await rehearse(["run", ...line]);
  },
  /** Work on an image without layers, which needs no worker, in a store of its own. */
  async "full.cjs"({ start }: { readonly start: (args: readonly string[]) => Promise<void> }) {
    const folder = mkdtempSync(join(tmpdir(), "pycri-rehearsal-"));
    Object.assign(process.env, { HOME: folder, XDG_DATA_HOME: folder, XDG_RUNTIME_DIR: folder });
    const registry = await serveImage();
    try {
      const image = `127.0.0.1:${(registry.address() as AddressInfo).port}/rehearsal:1`;
      const archive = join(folder, "image.tar");
      for (const line of [
        ["version"],
        ["ps"],
        ["pull", "-q", image],
        ["pull", "-q", image],
        ["images"],
        ["tag", image, "rehearsal:2"],
        ["save", "-o", archive, image],
        ["rmi", image, "rehearsal:2"],
        ["load", "-q", "-i", archive],
        ["image", "prune", "-a"],
      ]) {
        await start(line);
        if (process.exitCode !== 0) throw new Error(`pycri ${line.join(" ")} failed`);
      }
    } finally {
      registry.close();
      rmSync(folder, { recursive: true });
    }
  },
  "seccomp-component.cjs"({ instantiateComponent }: { readonly instantiateComponent: () => Component }) {
    const { filter } = resolveProfile(builtinProfile("default"), {
      native: "x86_64",
      capabilities: DEFAULT_CAPABILITIES,
      kernel: { major: 6, minor: 1 },
    });
    new Compiler(instantiateComponent).compile(filter);
  },
};

/** A registry on loopback with one image. */
async function serveImage(): Promise<Server> {
  const type = (name: string): string => `application/vnd.oci.image.${name}+json`;
  const describe = (mediaType: string, bytes: string): { mediaType: string; digest: string; size: number } => ({
    mediaType,
    digest: `sha256:${createHash("sha256").update(bytes).digest("hex")}`,
    size: bytes.length,
  });
  const architecture = process.arch === "x64" ? "amd64" : process.arch;
  const config = JSON.stringify({ architecture, os: "linux", rootfs: { type: "layers", diff_ids: [] } });
  const configDescriptor = describe(type("config.v1"), config);
  const mediaType = type("manifest.v1");
  const manifest = JSON.stringify({ schemaVersion: 2, mediaType, config: configDescriptor, layers: [] });
  const server = createServer((request, response) => {
    const isBlob = request.url?.includes("/blobs/") === true;
    response.setHeader("content-type", isBlob ? "application/octet-stream" : mediaType);
    response.end(isBlob ? config : manifest);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return server;
}

const script = compileBundle(file);
const exports = runBundle<never>(script, file, createRequire(file));
await rehearsals[basename(file)]?.(exports);
writeFileSync(codeCachePath(file), script.createCachedData());
