/** `pycri spec`: the OCI Spec that a run would use. Nothing is started; an image may be pulled. */

import type { Spec } from "../oci/spec.ts";
import { oldestVersion } from "../oci/spec-version.ts";
import { RuntimeError } from "../errors.ts";
import { type ImageChoice, type PreparationContext, prepareContainer, release } from "./prepare-container.ts";
import type { RunOptions } from "./request/run-options.ts";

export interface SpecOfRun {
  readonly spec: Spec;
  readonly warnings: readonly string[];
}

/** @throws RuntimeError as a run would. */
export async function specOfRun(
  options: RunOptions,
  choice: ImageChoice,
  context: Omit<PreparationContext, "dryRun" | "endsWithCaller" | "wholeSpec">,
): Promise<SpecOfRun> {
  const prepared = await prepareContainer(options, choice, {
    ...context,
    dryRun: true,
    endsWithCaller: false,
    wholeSpec: true,
  });
  release(prepared);
  const { root } = prepared.request;
  if (root.kind === "image" && root.layers.length > 1) {
    throw new RuntimeError(
      "INVALID_ARGUMENT",
      `Cannot put the image "${root.image.name}" into an OCI Spec: it has ${root.layers.length} layers`,
      {
        hint: "A Spec names one root filesystem: export the image to a directory and give that.",
      },
    );
  }
  return { spec: { ...prepared.spec, ociVersion: oldestVersion(prepared.spec) }, warnings: prepared.warnings };
}
