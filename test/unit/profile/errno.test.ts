/** Errno numbers beside Node's, and where mips and parisc differ beside their kernel headers. */
import assert from "node:assert/strict";
import { constants } from "node:os";
import { test } from "node:test";
import { errnoName, errnoNumber } from "../../../src/profile/errno.ts";

test("the common numbers are those of the machine's libc", (context) => {
  if (/^(mips|parisc|sparc|alpha)/.test(process.arch)) {
    context.skip(`${process.arch} has numbers of its own`);
    return;
  }
  const names = Object.entries(constants.errno);
  assert.ok(names.length > 70);
  for (const [name, number] of names) assert.equal(errnoNumber(name, "x86_64"), number, name);
});

/** uapi asm/errno.h of each. */
const DIFFERENT: Readonly<Record<string, readonly [mips: number, parisc: number]>> = {
  EPERM: [1, 1],
  ERANGE: [34, 34],
  ENOMSG: [35, 35],
  EDEADLK: [45, 45],
  EILSEQ: [88, 47],
  ENAMETOOLONG: [78, 248],
  EOVERFLOW: [79, 72],
  ENOSYS: [89, 251],
  ELOOP: [90, 249],
  ENOTEMPTY: [93, 247],
  ENOTSOCK: [95, 216],
  EADDRINUSE: [125, 226],
  EALREADY: [149, 244],
  EINPROGRESS: [150, 245],
  ESTALE: [151, 70],
  ETIMEDOUT: [145, 238],
  ECONNREFUSED: [146, 239],
  ECANCELED: [158, 253],
  EDQUOT: [1133, 69],
};

test("mips and parisc have numbers of their own", () => {
  for (const [name, [mips, parisc]] of Object.entries(DIFFERENT)) {
    assert.deepEqual([errnoNumber(name, "mips"), errnoNumber(name, "parisc")], [mips, parisc], name);
    assert.deepEqual([errnoNumber(name, "mipsel64n32"), errnoNumber(name, "parisc64")], [mips, parisc], name);
  }
});

test("names and numbers are each other's inverse", () => {
  for (const architecture of ["x86_64", "mips", "parisc"] as const)
    for (let number = 1; number < 1200; number++) {
      const name = errnoName(number, architecture);
      if (name !== undefined) assert.equal(errnoNumber(name, architecture), number, `${architecture} ${name}`);
    }
  assert.equal(errnoNumber("ENOPE", "x86_64"), undefined);
  assert.equal(errnoName(0, "x86_64"), undefined);
});
