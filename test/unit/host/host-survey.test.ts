/** The parsers behind `pycri info` and `pycri doctor`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { findFreeSubordinateId, parseDistribution } from "../../../src/host/host-survey.ts";

test("a distribution is its ID, then what it is like", () => {
  const ubuntu = 'PRETTY_NAME="Ubuntu 24.04"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\n';
  assert.deepEqual(parseDistribution(ubuntu), ["ubuntu", "debian"]);
  assert.deepEqual(parseDistribution('NAME=x\nID="rocky"\nID_LIKE="rhel centos fedora"\n'), [
    "rocky",
    "rhel",
    "centos",
    "fedora",
  ]);
  assert.deepEqual(parseDistribution("ID='alpine'"), ["alpine"]);
  assert.deepEqual(parseDistribution(""), []);
});

test("the next free subordinate id lies behind every range, and not below the first that useradd gives", () => {
  assert.equal(findFreeSubordinateId(""), 100_000);
  assert.equal(findFreeSubordinateId("a:1000:10\n"), 100_000);
  assert.equal(findFreeSubordinateId("a:100000:65536\nb:300000:10\nbroken:x:y\n"), 300_010);
});
