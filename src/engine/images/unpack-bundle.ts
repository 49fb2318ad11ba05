/** The root filesystem of a bundle: the layers of an image as one tree, with the ids that the Spec maps, for any runtime. */

import { mkdirSync } from "node:fs";
import { RuntimeError } from "../../errors.ts";
import { runArchive, runExtract, runRemove } from "../../image/worker/run-worker.ts";
import type { Linux } from "../../oci/spec.ts";
import type { HostFacts } from "../../plan/host-facts.ts";
import type { RunRequest } from "../../plan/run-request.ts";
import { makeMappedNamespace } from "./worker-namespace.ts";

const LOWER = "lower";

/** @param rootfs absolute; it must not exist, its parent must. Nothing of it is left on failure. */
export async function unpackBundle(
  root: Extract<RunRequest["root"], { readonly kind: "image" }>,
  { uidMappings = [], gidMappings = [] }: Pick<Linux, "uidMappings" | "gidMappings">,
  facts: HostFacts,
  rootfs: string,
): Promise<void> {
  try {
    mkdirSync(rootfs, { mode: 0o755 });
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "EIO";
    throw new RuntimeError("IO", `Cannot make "${rootfs}": ${code}`, { cause, details: { path: rootfs, errno: code } });
  }
  const namespace = makeMappedNamespace({ uidMappings, gidMappings }, facts, null);
  const archive = runArchive(
    namespace,
    {
      op: "archive",
      root: ".",
      layers: root.layers.map((layer) => `${LOWER}/${layer}`),
      content: "merged",
      path: "",
      name: "",
      follow: false,
      expect: "any",
      without: [],
    },
    { kind: "trees", trees: [{ path: root.path, name: LOWER }] },
  );
  const owners = namespace.owners === "apply" ? "archive" : "root";
  try {
    await runExtract(namespace, { op: "extract", root: rootfs, target: "", place: "archive", owners }, archive, null);
  } catch (error) {
    await runRemove(namespace, [rootfs]);
    throw error;
  }
}
