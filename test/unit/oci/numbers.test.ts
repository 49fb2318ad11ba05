import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CAPABILITY_NAMES,
  capabilityMask,
  capabilityNames,
  capabilityNumber,
} from "../../../src/oci/capability-numbers.ts";
import { RLIM_INFINITY, rlimitNumber } from "../../../src/oci/rlimit-numbers.ts";

test("capabilities have the kernel's numbers, without gaps", () => {
  assert.equal(capabilityNumber("CAP_CHOWN"), 0);
  assert.equal(capabilityNumber("CAP_SYS_ADMIN"), 21);
  assert.equal(capabilityNumber("CAP_CHECKPOINT_RESTORE"), 40);
  assert.deepEqual(
    CAPABILITY_NAMES.map((name) => capabilityNumber(name)),
    Array.from({ length: 41 }, (_, number) => number),
  );
});

test("unknown capabilities have no number and count for nothing in a mask", () => {
  assert.equal(capabilityNumber("CAP_EVERYTHING"), undefined);
  assert.equal(capabilityNumber("constructor"), undefined);
  assert.equal(capabilityMask(["CAP_DAC_OVERRIDE", "CAP_EVERYTHING", "CAP_KILL"]), 0b100010n);
});

test("a mask turns back into the names it was made of", () => {
  assert.deepEqual(capabilityNames(capabilityMask(["CAP_BPF", "CAP_CHOWN"])), ["CAP_CHOWN", "CAP_BPF"]);
});

test("resource limits have the numbers of asm-generic", () => {
  assert.deepEqual(
    ["RLIMIT_CPU", "RLIMIT_NPROC", "RLIMIT_NOFILE", "RLIMIT_MEMLOCK", "RLIMIT_RTTIME", "RLIMIT_NONE", "toString"].map(
      rlimitNumber,
    ),
    [0, 6, 7, 8, 15, undefined, undefined],
  );
  assert.equal(RLIM_INFINITY, 18_446_744_073_709_551_615n);
});
