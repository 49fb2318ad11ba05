/** `pycri spec`: the OCI Spec that a run would use. Nothing is started; an image may be pulled, and unpacked into a bundle. */

import type { Spec } from "../oci/spec.ts";
import { oldestVersion } from "../oci/spec-version.ts";
import { RuntimeError } from "../errors.ts";
import { probeHost } from "../host/probe-host.ts";
import { type ImageChoice, type PreparationContext, prepareContainer, release } from "./prepare-container.ts";
import type { RunOptions } from "./request/run-options.ts";

export interface SpecOfRun {
  readonly spec: Spec;
  readonly warnings: readonly string[];
}

/**
 * @param bundle directory that gets the files of an image as `rootfs`; null: an image is an error.
 * @throws RuntimeError as a run would.
 */
export async function specOfRun(
  options: RunOptions,
  choice: ImageChoice,
  context: Omit<PreparationContext, "dryRun" | "endsWithCaller" | "wholeSpec">,
  bundle: string | null = null,
): Promise<SpecOfRun> {
  const prepared = await prepareContainer(options, choice, {
    ...context,
    dryRun: true,
    endsWithCaller: false,
    wholeSpec: true,
  });
  try {
    const { root } = prepared.request;
    const { spec, warnings } = prepared;
    const whole = { ...spec, ociVersion: oldestVersion(spec) };
    if (root.kind !== "image") return { spec: whole, warnings };
    // Even of one layer: the store's is shared, and another runtime would write to it.
    if (bundle === null) {
      throw new RuntimeError("INVALID_ARGUMENT", `Cannot put the image "${root.image.name}" into an OCI Spec alone`, {
        hint: `A Spec names one directory as the root filesystem; make one: pycri spec --bundle DIR ${root.image.name}`,
      });
    }
    const { unpackBundle } = await import("./images/unpack-bundle.ts");
    await unpackBundle(root, spec.linux ?? {}, probeHost(context.environment), `${bundle}/rootfs`);
    return { spec: { ...whole, root: { ...spec.root, path: "rootfs" } }, warnings };
  } finally {
    release(prepared);
  }
}
