/** Deletes what a container of an image wrote. The image store is loaded for those that have one. */

import type { ContainerConfig } from "../../store/container-record.ts";

export async function discardKeptWrites(config: ContainerConfig): Promise<void> {
  if (config.files?.layer == null || config.image === null) return;
  const [{ openImageStore }, { discardContainerLayer }] = await Promise.all([
    import("./image-access.ts"),
    import("../../engine/images/run-image.ts"),
  ]);
  await discardContainerLayer(await openImageStore(), config);
}
