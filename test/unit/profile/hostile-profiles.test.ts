/** Whatever a document holds: it is read and compiled, or refused with pointers that lead somewhere. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { RuntimeError } from "../../../src/errors.ts";
import { parseProfileText } from "../../../src/profile/parse-profile.ts";
import { parseRules } from "../../../src/profile/parse-rules.ts";
import { resolveProfile } from "../../../src/profile/resolve-profile.ts";
import type { Filter } from "../../../src/seccomp/filter.ts";
import { compileFilter } from "../../../src/seccomp/compile.ts";

const MEMBERS = [
  ..."defaultAction defaultErrnoRet defaultErrno architectures archMap architecture subArchitectures flags listenerPath".split(
    " ",
  ),
  ..."listenerMetadata syscalls name names action errnoRet errno args index value valueTwo op includes excludes caps".split(
    " ",
  ),
  ..."arches minKernel comment default rules call when argument mask unknownArchitecture __proto__ constructor a/b".split(
    " ",
  ),
];
const WORDS = [
  ..."SCMP_ACT_ALLOW SCMP_ACT_ERRNO SCMP_ACT_KILL SCMP_ACT_NOTIFY SCMP_CMP_EQ SCMP_CMP_MASKED_EQ SCMP_ARCH_X86_64".split(
    " ",
  ),
  ..."SCMP_ARCH_S390X SCMP_ARCH_X32 read write ioctl socket socketcall CAP_SYS_ADMIN 4.8 EPERM 18446744073709551615".split(
    " ",
  ),
  ..."18446744073709551616 0x -1 allow errno(EPERM) kill_process == &== x86_64 SECCOMP_FILTER_FLAG_TSYNC".split(" "),
  "",
  "\u0000",
];

const { value: anything } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom<unknown>(...WORDS, null, true, 0, 1, 5, 6, -1, 0.5, 4095, 65536, 2 ** 53, 1e308),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom(...MEMBERS), tie("value"), { maxKeys: 5 }),
  ),
}));

/** Right in most places, anything in some. */
const or = (right: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 12, arbitrary: right }, { weight: 1, arbitrary: anything });
const word = (...words: readonly string[]): fc.Arbitrary<unknown> => or(fc.constantFrom(...words));
const some = (item: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> => or(fc.array(item, { maxLength: 4 }));
const partly = (
  members: Record<string, fc.Arbitrary<unknown>>,
  ...required: readonly string[]
): fc.Arbitrary<unknown> => or(fc.record(members, { requiredKeys: [...required] }));

const action = word("SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_LOG", "SCMP_ACT_NOTIFY");
const datum = or(fc.oneof(fc.nat(20), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String)));
const condition = partly({
  caps: some(word("CAP_SYS_ADMIN")),
  arches: some(word("amd64", "s390x")),
  minKernel: word("4.8", "9.0"),
});
const profiles = partly(
  {
    defaultAction: action,
    defaultErrnoRet: or(fc.nat(4096)),
    architectures: some(word("SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_X86_64")),
    flags: some(word("SECCOMP_FILTER_FLAG_LOG")),
    syscalls: some(
      partly(
        {
          names: some(word("read", "ioctl", "socket", "shmat", "socketcall", "no_such_call")),
          action,
          errnoRet: or(fc.nat(4096)),
          args: some(
            partly(
              {
                index: or(fc.nat(5)),
                value: datum,
                valueTwo: datum,
                op: word("SCMP_CMP_EQ", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ"),
              },
              "index",
              "value",
              "op",
            ),
          ),
          includes: condition,
          excludes: condition,
        },
        "names",
        "action",
      ),
    ),
  },
  "defaultAction",
);
const lists = partly(
  {
    architectures: some(word("x86_64", "x32", "s390x")),
    default: word("allow", "errno(EPERM)"),
    rules: some(
      partly(
        {
          call: or(fc.oneof(fc.constantFrom("read", "ioctl"), fc.nat(0xffffffff))),
          action: word("allow", "trap", "errno(5)"),
          when: some(
            partly(
              { argument: or(fc.nat(5)), op: word("==", "<", "&=="), value: datum, mask: datum },
              "argument",
              "op",
              "value",
            ),
          ),
        },
        "call",
        "action",
      ),
    ),
  },
  "default",
  "rules",
);

/** RFC 6901, up to a last member that may be the missing or unknown one. */
function leadsSomewhere(document: unknown, pointer: string): boolean {
  const words = pointer
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  let place = document;
  for (const [index, part] of words.entries()) {
    if (typeof place !== "object" || place === null) return false;
    if (!Object.hasOwn(place, part)) return index === words.length - 1;
    place = (place as Record<string, unknown>)[part];
  }
  return true;
}

function readOrRefuse(document: unknown, read: (text: string) => Filter): void {
  const text = JSON.stringify(document);
  let filter: Filter;
  try {
    filter = read(text);
  } catch (error) {
    assert.ok(error instanceof RuntimeError && error.code === "INVALID_PROFILE", `${text}: ${String(error)}`);
    const issues = error.details["issues"] as readonly { pointer: string; message: string }[];
    assert.ok(issues.length > 0);
    for (const { pointer, message } of issues) {
      assert.ok(leadsSomewhere(JSON.parse(text), pointer), `${pointer} (${message}) in ${text}`);
      assert.notEqual(message, "");
    }
    return;
  }
  assert.ok(compileFilter(filter).proven, text);
}

test("profiles", () => {
  fc.assert(
    fc.property(profiles, (document) =>
      readOrRefuse(document, (text) => {
        const target = { native: "x86_64", capabilities: ["CAP_SYS_ADMIN"], kernel: { major: 6, minor: 1 } } as const;
        return resolveProfile(parseProfileText(text), target).filter;
      }),
    ),
    { numRuns: 3000 },
  );
});

test("rule lists", () => {
  fc.assert(
    fc.property(lists, (document) => readOrRefuse(document, (text) => parseRules(JSON.parse(text), "x86_64").filter)),
    { numRuns: 3000 },
  );
});
