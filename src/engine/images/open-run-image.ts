/** The image of a run: found or pulled, unpacked; what it says goes below what the options say. */

import { closeSync } from "node:fs";
import type { ImageSettings } from "../../host/image-settings.ts";
import { RuntimeError } from "../../errors.ts";
import type { HostFacts } from "../../plan/host-facts.ts";
import type { ImageChoice } from "../prepare-container.ts";
import { parseUserNamespace } from "../request/identity.ts";
import type { RunOptions } from "../request/run-options.ts";
import { applyImageDefaults } from "./apply-image.ts";
import { openImages } from "./image-context.ts";
import { type ImageRunOptions, keepsWrites, keptLayerPath, makeKeptLayer, prepareImage } from "./run-image.ts";

export interface OpenedImage {
  readonly options: RunOptions;
  /** Keeps the image's layers while some process has it open. */
  readonly held: number;
  /** Before the start: make what the container needs. @returns a further descriptor to hold, or null. */
  readonly begin: () => Promise<number | null>;
}

/** Who is told what is pulled. */
export interface PullProgress extends Pick<ImageRunOptions, "onLayer" | "onStart"> {
  /** Everything is there. */
  readonly finish: () => void;
  /** Ends the pull; a layer that is being unpacked is finished first. */
  readonly signal?: AbortSignal;
}

const SILENT: PullProgress = { onLayer: () => {}, onStart: () => {}, finish: () => {} };

/** `id`: the container's. @throws RuntimeError INVALID_ARGUMENT, and whatever pulling and unpacking run into. */
export async function openRunImage(
  options: RunOptions,
  choice: ImageChoice,
  facts: HostFacts,
  settings: ImageSettings,
  id: string,
  progress: PullProgress = SILENT,
): Promise<OpenedImage> {
  const name = options.rootfs;
  const userNamespace = parseUserNamespace(options.userns ?? "default");
  if (userNamespace.kind === "auto" || options.uidMappings !== undefined || options.gidMappings !== undefined) {
    throw new RuntimeError(
      "INVALID_ARGUMENT",
      `Cannot run the image "${name}" with a map of its own for each container`,
      {
        hint: "Its files belong to ids that are shared by all: use the user namespace default, keep-id, nomap or single.",
      },
    );
  }
  const context = await openImages(facts, settings, {
    userNamespace,
    ...(choice.tlsVerify === undefined ? {} : { tlsVerify: choice.tlsVerify }),
    ...(choice.unpackLimits === undefined ? {} : { unpackLimits: choice.unpackLimits }),
    ...(progress.signal === undefined ? {} : { signal: progress.signal }),
  });
  const prepared = await prepareImage(name, context, {
    policy: choice.pull ?? "missing",
    platform: choice.platform,
    onLayer: (event) => {
      if (progress.signal?.aborted === true) {
        throw new RuntimeError("ABORTED", `The pull of "${name}" was aborted`, { cause: progress.signal.reason });
      }
      progress.onLayer(event);
    },
    onStart: progress.onStart,
  });
  progress.finish();
  const { root, defaults, held } = prepared;
  const keeps = keepsWrites(options);
  const upper = keeps ? { upper: keptLayerPath(context, id) } : {};
  try {
    return {
      options: applyImageDefaults({ ...options, image: root, ...upper }, defaults),
      held,
      begin: async () => (keeps ? makeKeptLayer(context, id, prepared) : null),
    };
  } catch (error) {
    closeSync(held);
    throw error;
  }
}
