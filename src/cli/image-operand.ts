/** The image that a line of `pycri run` names, if it names one. Small: the common form asks this, too. */

import { statSync } from "node:fs";
import { namesImage } from "../engine/request/names-image.ts";
import type { Invocation } from "./command.ts";
import type { ContainerValues } from "./run-syntax.ts";

export function imageOperand({ values, operands }: Invocation<ContainerValues>): string | null {
  const [first] = operands;
  if (values.rootfs !== undefined || first === undefined) return null;
  const isDirectory = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  return namesImage(first, isDirectory) ? first : null;
}
