/** Asserting on a RuntimeError: its code, its message, and what its hint names. */

import assert from "node:assert/strict";
import { type ErrorCode, RuntimeError } from "../../../src/errors.ts";

export function refuses(action: () => unknown, code: ErrorCode, message: string | RegExp, hint?: RegExp): void {
  assert.throws(action, (error) => {
    assert.ok(error instanceof RuntimeError, String(error));
    if (typeof message === "string") assert.equal(error.message, message);
    else assert.match(error.message, message);
    assert.equal(error.code, code);
    if (hint !== undefined) assert.match(error.hint ?? "", hint);
    return true;
  });
}
