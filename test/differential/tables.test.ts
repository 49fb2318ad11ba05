/**
 * Every number of every table beside libseccomp's, which is maintained by other people from other sources. Where
 * libseccomp has a call and pycri has not, or the other way round, the reason stands here.
 */
import assert from "node:assert/strict";
import { architectures } from "../../src/profile/architectures.ts";
import { parseRelease, releaseOf, syscallTable } from "../../src/profile/syscall-tables.ts";
import { differentialTest, knowsArchitecture, namesOfNumbers } from "./libseccomp.ts";

/** libseccomp 2.5.4 (Debian 12) ends with Linux 5.17: calls of 6.0 and later cannot be compared there. */
const FIRST_UNKNOWN = parseRelease("6.0");

differentialTest("every number has the name that libseccomp knows", [], () => {
  const known = [...architectures.values()].filter(({ name }) => knowsArchitecture(name));
  const missing: string[] = [];
  let compared = 0;
  for (const { name: architecture } of known) {
    const { names, largest } = syscallTable(architecture);
    const listed = [...names.keys()];
    const first = listed[0] ?? 0;
    const holes = Array.from({ length: largest - first }, (_, index) => first + index).filter((n) => !names.has(n));
    const numbers = [...listed, ...holes];
    const theirs = namesOfNumbers(numbers.map((number) => [architecture, number] as const));
    for (const [index, number] of numbers.entries()) {
      const ours = names.get(number) ?? [];
      const name = theirs[index] ?? null;
      if (name === null) {
        if (ours.length > 0 && !ours.some((alias) => releaseOf(architecture, alias) >= FIRST_UNKNOWN))
          missing.push(`${architecture} ${ours.join("/")}`);
        continue;
      }
      assert.ok(ours.includes(name), `${architecture} ${number} is ${ours.join("/")} here and ${name} in libseccomp`);
      compared += 1;
    }
  }
  assert.deepEqual(missing, []);
  assert.ok(compared > 5000, `only ${compared} numbers were compared`);
});
