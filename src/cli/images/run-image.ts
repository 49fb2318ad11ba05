/** The image of a `pycri run`: found, pulled, unpacked; what it says goes below what the line says. */

import { applyImageDefaults } from "../../engine/images/apply-image.ts";
import { keepsWrites, keptLayerPath, makeKeptLayer, prepareImage } from "../../engine/images/run-image.ts";
import { parseUserNamespace } from "../../engine/request/identity.ts";
import type { RunOptions } from "../../engine/request/run-options.ts";
import type { PullPolicy } from "../../image/pull-image.ts";
import { formatReference } from "../../oci/reference.ts";
import { RuntimeError } from "../../errors.ts";
import { writeMessage } from "../output.ts";
import type { RunValues } from "../run-syntax.ts";
import { openImageStore } from "./image-access.ts";
import { makeLayerProgress } from "./layer-progress.ts";

export interface RunImage {
  readonly apply: (options: RunOptions) => RunOptions;
  /** Before the start: make what it needs. @returns descriptors for the monitor to hold. */
  readonly begin: () => Promise<readonly number[]>;
}

/** `id`: the container's. */
export async function openRunImage(name: string, values: RunValues, id: string): Promise<RunImage> {
  const mode = parseUserNamespace(values.userns ?? "default");
  if (mode.kind === "auto" || values.uidmap !== undefined || values.gidmap !== undefined) {
    throw new RuntimeError(
      "INVALID_ARGUMENT",
      `Cannot run the image "${name}" with a map of its own for each container`,
      {
        hint: "Its files belong to ids that are shared by all: use --userns default, keep-id, nomap or single.",
      },
    );
  }
  const context = await openImageStore(values, { userNamespace: mode });
  const progress = makeLayerProgress(process.stderr.isTTY, false);
  const prepared = await prepareImage(name, context, {
    policy: (values.pull ?? "missing") as PullPolicy,
    platform: values.platform,
    onLayer: progress.onLayer,
    onStart: (reference) => writeMessage(`Trying to pull ${formatReference(reference)}...`),
  });
  progress.finish();
  const { root, defaults, held } = prepared;
  let keeps = false;
  return {
    apply: (options) => {
      keeps = keepsWrites(options);
      const upper = keeps ? { upper: keptLayerPath(context, id) } : {};
      return applyImageDefaults({ ...options, image: root, ...upper }, defaults);
    },
    begin: async () => (keeps ? [held, await makeKeptLayer(context, id, prepared)] : [held]),
  };
}
