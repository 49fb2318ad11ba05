/** close(2), for descriptors that Node has not opened. */

import { check, declare } from "./native-library.ts";

const close = declare("close", ["int"]);

/** Of those that Node has opened a worker thread keeps a list, and warns when `closeSync` closes another. */
export function closeDescriptor(descriptor: number): void {
  check(close(descriptor), "close(2)");
}
