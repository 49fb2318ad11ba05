/** The one form of complaint about an option's value. */

import { RuntimeError } from "../../errors.ts";

/**
 * @param option as users write it: "--memory".
 * @param hint what a good value looks like.
 */
export function invalidValue(option: string, value: string, hint: string): RuntimeError {
  return new RuntimeError("INVALID_ARGUMENT", `Cannot use ${option}: "${value}"`, {
    hint,
    details: { option, value },
  });
}
