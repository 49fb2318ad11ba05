/** `pycri tag`. */

import { parseImageName, requireImage, updateImageRecords, withImage } from "../../image/storage/image-records.ts";
import type { Reference } from "../../oci/reference.ts";
import { type ImageContext, readingsOf } from "./image-context.ts";

/** Give an image another name, which an image that had it loses. */
export async function tagImage(context: ImageContext, text: string, name: string): Promise<Reference> {
  const reference = parseImageName(name);
  const readings = readingsOf(context, text);
  return updateImageRecords(context.store, (records) => {
    const { image } = requireImage(records, text, readings);
    return { records: withImage(records, image, reference), result: reference };
  });
}
