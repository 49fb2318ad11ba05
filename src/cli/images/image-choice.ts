/** From the values of `run` and `spec`: which image, and when a registry is asked for it. */

import type { ImageChoice } from "../../engine/prepare-container.ts";
import type { ContainerValues } from "../run-syntax.ts";

export function imageChoiceOf(values: ContainerValues): ImageChoice {
  return {
    ...(values.pull === undefined ? {} : { pull: values.pull as NonNullable<ImageChoice["pull"]> }),
    ...(values.platform === undefined ? {} : { platform: values.platform }),
    ...(values["tls-verify"] === undefined ? {} : { tlsVerify: values["tls-verify"] }),
    ...(values["unpack-limit"] === undefined ? {} : { unpackLimits: values["unpack-limit"] }),
  };
}
