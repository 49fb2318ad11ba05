/** Numbers for parked mounts: each is handed out once in a plan. */

import { RuntimeError } from "../errors.ts";
import { SLOT_LIMIT } from "./operations.ts";

export class Slots {
  #next = 0;

  take(): number {
    if (this.#next === SLOT_LIMIT) {
      throw new RuntimeError("INVALID_SPEC", `A container can have ${SLOT_LIMIT} mounts at most`);
    }
    return this.#next++;
  }
}
