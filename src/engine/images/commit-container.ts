/** `pycri commit`: what a container changed becomes the top layer of a new image. */

import { createHash } from "node:crypto";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { isFrozen, setFrozen } from "../../cgroup/live-cgroup.ts";
import { RuntimeError } from "../../errors.ts";
import type { LayerEvent } from "../../image/storage/add-image.ts";
import { ingestStream } from "../../image/storage/blob-ingest.ts";
import type { ImageRecord } from "../../image/storage/image-records.ts";
import type { ArchiveJob } from "../../image/worker/jobs.ts";
import { runArchive } from "../../image/worker/run-worker.ts";
import { type Digest, MEDIA_TYPE, describe, makeDigest } from "../../oci/descriptor.ts";
import { parseImageConfig } from "../../oci/image-config.ts";
import { parseManifest } from "../../oci/manifest.ts";
import type { Reference } from "../../oci/reference.ts";
import type { CgroupRecord } from "../../plan/cgroup-plan.ts";
import { changeDefaults } from "./config-changes.ts";
import { type ContainerAccess, containerChanges, mountPointsOf, openContainer } from "./container-files.ts";
import { type ImageContext, addContent } from "./image-context.ts";
import { addMadeImage } from "./import-image.ts";

export interface CommitOptions {
  readonly name: Reference | null;
  readonly author: string;
  readonly message: string;
  /** Dockerfile instructions. */
  readonly changes: readonly string[];
  /** Stop a running container's processes meanwhile, where it has a cgroup to do that with. */
  readonly pause: boolean;
  readonly onLayer: (event: LayerEvent) => void;
}

export async function commitContainer(
  context: ImageContext,
  wanted: string,
  options: CommitOptions,
): Promise<ImageRecord> {
  const { store } = context;
  const access = openContainer(context, wanted);
  const { image, command, name } = access.state.config;
  if (image === null) {
    throw new RuntimeError("INVALID_STATE", `Cannot commit container "${wanted}": it was not made of an image`, {
      hint: `Take all of its files: pycri export ${name ?? wanted} | pycri import - NAME`,
    });
  }
  return addContent(context, async () => {
    await using held = await store.holdAgainstCollection();
    const config = parseImageConfig(await store.readDocument(image.id as Digest), image.name);
    const manifest = parseManifest(await store.readDocument(image.manifest as Digest), "", image.name);
    if (manifest.kind !== "manifest") throw new Error("an image record names an image manifest");
    const defaults = changeDefaults(config.defaults, options.changes);

    const hash = createHash("sha256");
    const blob = await whilePaused(access, options.pause, () => ingestLayer(context, access, hash));
    const diffId = makeDigest("sha256", hash.digest("hex"));
    const created = new Date().toISOString();
    const { author, message } = options;
    return await addMadeImage(
      context,
      {
        ...config,
        created,
        author,
        defaults,
        diffIds: [...config.diffIds, diffId],
        history: [
          ...config.history,
          { created, createdBy: command.join(" "), comment: message, author, emptyLayer: false },
        ],
      },
      [...manifest.layers, describe(MEDIA_TYPE.ociLayerGzip, blob.digest, blob.size)],
      options.name,
      options.onLayer,
    );
  });
}

/** `hash` gets the bytes before compression. */
async function ingestLayer(
  { store }: ImageContext,
  access: ContainerAccess,
  hash: ReturnType<typeof createHash>,
): ReturnType<typeof ingestStream> {
  const { view, layers } = containerChanges(access, "commit");
  const job: ArchiveJob = {
    op: "archive",
    root: ".",
    layers,
    content: "diff",
    path: "",
    name: "",
    follow: false,
    expect: "any",
    without: mountPointsOf(access),
  };
  const plain = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of runArchive(access.namespace, job, view)) {
      hash.update(chunk);
      yield chunk;
    }
  };
  const gzip = createGzip();
  const [blob] = await Promise.all([
    ingestStream(store, gzip as AsyncIterable<Uint8Array>, null, "the container"),
    pipeline(plain, gzip),
  ]);
  return blob;
}

async function whilePaused<Result>(
  { state }: ContainerAccess,
  pause: boolean,
  work: () => Promise<Result>,
): Promise<Result> {
  const { cgroup } = state.config;
  if (!pause || cgroup === null || state.status !== "running" || isFrozen(cgroup)) return work();
  const letGo = endsPause(cgroup);
  try {
    await setFrozen(cgroup, true);
    return await work();
  } finally {
    await letGo();
  }
}

const ENDING_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Whatever ends this process, but for SIGKILL, lets the container go on first. @returns what does so at the usual end. */
function endsPause(cgroup: CgroupRecord): () => Promise<void> {
  const onSignal = (signal: NodeJS.Signals): void => {
    void letGo().finally(() => process.kill(process.pid, signal));
  };
  const letGo = async (): Promise<void> => {
    try {
      await setFrozen(cgroup, false);
    } finally {
      for (const signal of ENDING_SIGNALS) process.off(signal, onSignal);
    }
  };
  for (const signal of ENDING_SIGNALS) process.on(signal, onSignal);
  return letGo;
}
