/** Dialects of profiles: what each may say, and every fault with its JSON pointer. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { RuntimeError } from "../../../src/errors.ts";
import {
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_KILL_PROCESS,
  SECCOMP_RET_KILL_THREAD,
  SECCOMP_RET_LOG,
  SECCOMP_RET_TRACE,
  SECCOMP_RET_TRAP,
  SECCOMP_RET_USER_NOTIF,
} from "../../../src/profile/action.ts";
import { builtinDocument, builtinProfileNames } from "../../../src/profile/builtin-profiles.ts";
import { filterFlags } from "../../../src/profile/filter-flags.ts";
import { parseProfile, parseProfileText } from "../../../src/profile/parse-profile.ts";
import type { Profile } from "../../../src/profile/profile.ts";
import { resolveProfile } from "../../../src/profile/resolve-profile.ts";
import { foreignProfile, foundForeignProfiles, skipWithoutContainersCommon } from "../../support/foreign-profiles.ts";
import { shapesProfile } from "../../support/shapes-profile.ts";

/** `linux.seccomp` with one rule. */
function withRule(rule: object, top: object = {}): object {
  return {
    defaultAction: "SCMP_ACT_ERRNO",
    ...top,
    syscalls: [{ names: ["read"], action: "SCMP_ACT_ALLOW", ...rule }],
  };
}

function withComparison(comparison: object): object {
  return withRule({ args: [{ index: 0, value: 1, op: "SCMP_CMP_EQ", ...comparison }] });
}

function issuesOf(parse: () => unknown): readonly string[] {
  try {
    parse();
  } catch (error) {
    assert.ok(error instanceof RuntimeError, String(error));
    assert.equal(error.code, "INVALID_PROFILE");
    return (error.details["issues"] as { pointer: string; message: string }[]).map(
      ({ pointer, message }) => `${pointer}: ${message}`,
    );
  }
  return [];
}

const ACTIONS =
  '"SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL", "SCMP_ACT_TRAP", "SCMP_ACT_ERRNO", "SCMP_ACT_NOTIFY", "SCMP_ACT_TRACE", "SCMP_ACT_LOG", "SCMP_ACT_ALLOW"';

describe("faults", () => {
  const faults: readonly (readonly [name: string, document: unknown, issues: readonly string[]])[] = [
    ["no object", [], [": must be object"]],
    [
      "no default for rules",
      { syscalls: [{ names: ["read"], action: "SCMP_ACT_ALLOW" }] },
      ["/defaultAction: defaultAction is missing"],
    ],
    [
      "an empty default for a rule, even one without names",
      { defaultAction: "", syscalls: [{ action: "SCMP_ACT_ALLOW" }] },
      ["/defaultAction: defaultAction is missing"],
    ],
    ["an unknown default", { defaultAction: "ALLOW" }, [`/defaultAction: must be one of ${ACTIONS}, "", null`]],
    ["an unknown action", withRule({ action: "SCMP_ACT_DENY" }), [`/syscalls/0/action: must be one of ${ACTIONS}`]],
    ["a misspelt member", withRule({ arg: [] }), ['/syscalls/0/arg: unknown member "arg"']],
    ["a member with a slash", { defaultAction: "SCMP_ACT_ALLOW", "a/~b": 1 }, ['/a~1~0b: unknown member "a/~b"']],
    ["name beside names", withRule({ name: "write" }), ["/syscalls/0/name: name and names exclude each other"]],
    [
      "architectures beside archMap",
      { ...withRule({}), architectures: ["SCMP_ARCH_X86"], archMap: [{ architecture: "SCMP_ARCH_X86_64" }] },
      ["/archMap: architectures and archMap exclude each other"],
    ],
    [
      "unknown architectures",
      {
        ...withRule({ includes: { arches: ["amd65"] } }),
        archMap: [{ architecture: "A", subArchitectures: ["SCMP_ARCH_X86", "B"] }],
      },
      [
        '/syscalls/0/includes/arches/0: "amd65" is no architecture',
        '/archMap/0/architecture: "A" is no architecture',
        '/archMap/0/subArchitectures/1: "B" is no architecture',
      ],
    ],
    [
      "an unknown flag",
      { ...withRule({}), flags: ["TSYNC"] },
      [
        '/flags/0: must be one of "SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"',
      ],
    ],
    [
      "errnoRet for an action without one",
      withRule({ errnoRet: 1 }),
      ["/syscalls/0/errnoRet: SCMP_ACT_ALLOW takes no errno"],
    ],
    [
      "errno for an action without one",
      withRule({ errno: "EPERM" }),
      ["/syscalls/0/errno: SCMP_ACT_ALLOW takes no errno"],
    ],
    [
      "defaultErrnoRet for a default without one",
      { defaultAction: "SCMP_ACT_KILL", defaultErrnoRet: 1 },
      ["/defaultErrnoRet: SCMP_ACT_KILL takes no errno"],
    ],
    [
      "an errno above the largest",
      withRule({ action: "SCMP_ACT_ERRNO", errnoRet: 4095 }),
      ["/syscalls/0/errnoRet: 4095 is not between 0 and 4094"],
    ],
    ["a negative errno", withRule({ action: "SCMP_ACT_ERRNO", errnoRet: -1 }), ["/syscalls/0/errnoRet: must be >= 0"]],
    [
      "trace data of more than 16 bits",
      withRule({ action: "SCMP_ACT_TRACE", errnoRet: 65536 }),
      ["/syscalls/0/errnoRet: must be <= 65535"],
    ],
    [
      "an errno that does not exist",
      withRule({ action: "SCMP_ACT_ERRNO", errno: "ENOPE" }),
      ['/syscalls/0/errno: "ENOPE" is no errno'],
    ],
    [
      "notify as the default",
      { defaultAction: "SCMP_ACT_NOTIFY" },
      ["/defaultAction: SCMP_ACT_NOTIFY cannot be the default: nothing could answer the first call"],
    ],
    [
      "notify for write",
      withRule({ names: ["read", "write"], action: "SCMP_ACT_NOTIFY" }),
      ['/syscalls/0/action: SCMP_ACT_NOTIFY cannot be used for "write": the runtime needs it to report errors'],
    ],
    [
      "listenerMetadata alone",
      { ...withRule({}), listenerMetadata: "m" },
      ["/listenerMetadata: listenerMetadata needs a listenerPath"],
    ],
    [
      "a minKernel of three parts",
      withRule({ includes: { minKernel: "4.8.1" } }),
      ['/syscalls/0/includes/minKernel: "4.8.1" is not MAJOR.MINOR'],
    ],
    ["an argument beyond the sixth", withComparison({ index: 6 }), ["/syscalls/0/args/0/index: must be <= 5"]],
    [
      "an unknown operator",
      withComparison({ op: "SCMP_CMP_EQUAL" }),
      [
        '/syscalls/0/args/0/op: must be one of "SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ"',
      ],
    ],
    ["a negative datum", withComparison({ value: -1 }), ["/syscalls/0/args/0/value: -1 is no unsigned 64-bit number"]],
    [
      "a datum of 65 bits",
      withComparison({ value: "0x10000000000000000" }),
      ["/syscalls/0/args/0/value: 18446744073709551616 is no unsigned 64-bit number"],
    ],
    [
      "a datum in words",
      withComparison({ value: "AF_INET" }),
      ['/syscalls/0/args/0/value: "AF_INET" is no unsigned number'],
    ],
    [
      "a number that JavaScript has rounded",
      withComparison({ value: 2 ** 60 }),
      ["/syscalls/0/args/0/value: 1152921504606847000 is beyond 2^53 and has lost digits; write it as a string"],
    ],
    [
      "several at once, each where it is",
      {
        defaultAction: "SCMP_ACT_ALLOW",
        syscalls: [
          { names: ["read"], action: "SCMP_ACT_LOG", errnoRet: 5 },
          { name: "write", action: "SCMP_ACT_NOTIFY" },
        ],
      },
      [
        "/syscalls/0/errnoRet: SCMP_ACT_LOG takes no errno",
        '/syscalls/1/action: SCMP_ACT_NOTIFY cannot be used for "write": the runtime needs it to report errors',
      ],
    ],
  ];
  for (const [name, document, expected] of faults)
    test(name, () =>
      assert.deepEqual(
        issuesOf(() => parseProfile(document)),
        expected,
      ),
    );

  test("text that is no JSON", () => {
    const [issue] = issuesOf(() => parseProfileText('{"defaultAction": '));
    assert.match(issue ?? "", /^: not JSON: /);
  });

  test("the message quotes the first fault and counts the others", () => {
    assert.throws(() => parseProfile({ defaultAction: "SCMP_ACT_ALLOW", a: 1, b: 2 }), {
      code: "INVALID_PROFILE",
      message: 'Invalid seccomp profile at /a: unknown member "a" (and 1 more)',
    });
  });
});

describe("actions", () => {
  const errno = (rule: object): number | undefined => parseProfile(withRule(rule)).rules[0]?.action;
  const values: readonly (readonly [object, number])[] = [
    [{ action: "SCMP_ACT_KILL" }, SECCOMP_RET_KILL_THREAD],
    [{ action: "SCMP_ACT_KILL_THREAD" }, SECCOMP_RET_KILL_THREAD],
    [{ action: "SCMP_ACT_KILL_PROCESS" }, SECCOMP_RET_KILL_PROCESS],
    [{ action: "SCMP_ACT_TRAP" }, SECCOMP_RET_TRAP],
    [{ action: "SCMP_ACT_NOTIFY" }, SECCOMP_RET_USER_NOTIF],
    [{ action: "SCMP_ACT_LOG" }, SECCOMP_RET_LOG],
    [{ action: "SCMP_ACT_ALLOW" }, SECCOMP_RET_ALLOW],
    [{ action: "SCMP_ACT_ERRNO" }, SECCOMP_RET_ERRNO + 1],
    [{ action: "SCMP_ACT_ERRNO", errnoRet: null }, SECCOMP_RET_ERRNO + 1],
    [{ action: "SCMP_ACT_ERRNO", errnoRet: 0 }, SECCOMP_RET_ERRNO],
    [{ action: "SCMP_ACT_ERRNO", errnoRet: 4094 }, SECCOMP_RET_ERRNO + 4094],
    [{ action: "SCMP_ACT_TRACE" }, SECCOMP_RET_TRACE + 1],
    [{ action: "SCMP_ACT_TRACE", errnoRet: 65535 }, SECCOMP_RET_TRACE + 65535],
    [{ action: "SCMP_ACT_ERRNO", errnoRet: 1, errno: "ENOSYS" }, SECCOMP_RET_ERRNO + 38],
  ];
  for (const [rule, value] of values) test(JSON.stringify(rule), () => assert.equal(errno(rule), value));

  test("an errno's name is the architecture's own", () => {
    const profile = parseProfile({ defaultAction: "SCMP_ACT_ERRNO", defaultErrno: "ENOSYS", syscalls: [] });
    const defaultOn = (native: "x86_64" | "mips" | "parisc"): number | undefined =>
      resolveProfile(profile, { native, capabilities: [], kernel: { major: 6, minor: 1 } }).filter.architectures[0]
        ?.defaultAction;
    assert.deepEqual(
      [defaultOn("x86_64"), defaultOn("mips"), defaultOn("parisc")],
      [SECCOMP_RET_ERRNO + 38, SECCOMP_RET_ERRNO + 89, SECCOMP_RET_ERRNO + 251],
    );
  });
});

describe("flags", () => {
  const TSYNC = 1;
  const LOG = 2;
  const SPEC_ALLOW = 4;
  const NEW_LISTENER = 8;
  const TSYNC_ESRCH = 16;
  const WAIT_KILLABLE_RECV = 32;
  const notify = { action: "SCMP_ACT_NOTIFY" };
  const flag = (...names: string[]): object => ({ flags: names.map((name) => `SECCOMP_FILTER_FLAG_${name}`) });
  const table: readonly (readonly [name: string, profile: object, flags: number])[] = [
    ["absent means SPEC_ALLOW", withRule({}), SPEC_ALLOW],
    ["null is absent", withRule({}, { flags: null }), SPEC_ALLOW],
    ["an empty list means none", withRule({}, flag()), 0],
    ["each has its bit", withRule({}, flag("TSYNC", "LOG", "SPEC_ALLOW")), TSYNC | LOG | SPEC_ALLOW],
    ["a listener is asked for by the rules", withRule(notify, flag()), NEW_LISTENER],
    ["TSYNC beside a listener needs TSYNC_ESRCH", withRule(notify, flag("TSYNC")), TSYNC | NEW_LISTENER | TSYNC_ESRCH],
    ["waiting killable needs a listener", withRule({}, flag("WAIT_KILLABLE_RECV")), 0],
    ["and is set with one", withRule(notify, flag("WAIT_KILLABLE_RECV")), WAIT_KILLABLE_RECV | NEW_LISTENER],
  ];
  for (const [name, document, flags] of table)
    test(name, () => assert.equal(filterFlags(parseProfile(document)), flags));
});

describe("shapes in the wild", () => {
  const same = (document: unknown, other: unknown): void =>
    assert.deepEqual(parseProfile(document), parseProfile(other));

  test("no default action and no rules: nothing is confined", () => {
    for (const document of [
      {},
      { defaultAction: "" },
      { defaultAction: "", syscalls: [] },
      { defaultAction: null, syscalls: null },
    ])
      assert.equal(parseProfile(document).confined, false);
    assert.equal(parseProfile({ defaultAction: "SCMP_ACT_ALLOW" }).confined, true);
  });

  test("Docker's old name is names of one", () => {
    same(withRule({ names: undefined, name: "read" }), withRule({}));
    same(withRule({ names: [], name: "read" }), withRule({}));
  });

  test("Go writes null for what is absent", () => {
    same(
      withRule(
        {
          name: null,
          args: null,
          errnoRet: null,
          errno: null,
          comment: null,
          includes: null,
          excludes: { caps: null, arches: null, minKernel: null },
        },
        {
          architectures: null,
          archMap: null,
          flags: null,
          listenerPath: null,
          listenerMetadata: null,
          defaultErrno: null,
        },
      ),
      withRule({}),
    );
  });

  test("a rule without names decides nothing", () => {
    assert.deepEqual(
      parseProfile({ defaultAction: "SCMP_ACT_ERRNO", syscalls: [{ action: "SCMP_ACT_ALLOW" }] }).rules,
      [],
    );
  });

  test("comment lines and a byte order mark precede the JSON", () => {
    const json = JSON.stringify(withRule({ comment: "# is no comment here" }));
    for (const head of ["# vim: ft=json\n", "\n  # one\r\n# two\n", "\uFEFF", "\uFEFF# mark\n"])
      assert.deepEqual(parseProfileText(`${head}${json}`), parseProfile(JSON.parse(json)));
  });

  test("64-bit numbers keep their digits", () => {
    const text = JSON.stringify(withComparison({})).replace('"value":1', '"value":18446744073709551615');
    assert.equal(parseProfileText(text).rules[0]?.comparisons[0]?.value, 0xffffffffffffffffn);
    const masked = parseProfile(
      withComparison({ value: "0xffffffff00000000", valueTwo: "4294967296", op: "SCMP_CMP_MASKED_EQ" }),
    );
    assert.deepEqual(masked.rules[0]?.comparisons[0], {
      index: 0,
      operator: "MASKED_EQ",
      value: 1n << 32n,
      mask: 0xffffffff00000000n,
    });
  });

  test("digits inside of strings stay strings", () => {
    const profile = parseProfileText(JSON.stringify(withRule({ comment: '12345678901234567890 "\\' })));
    assert.equal(profile.rules[0]?.comment, '12345678901234567890 "\\');
  });

  test("MASKED_EQ masks its datum, as libseccomp does", () => {
    const profile = parseProfile(withComparison({ value: 0xf, valueTwo: 0x11, op: "SCMP_CMP_MASKED_EQ" }));
    assert.deepEqual(profile.rules[0]?.comparisons, [{ index: 0, operator: "MASKED_EQ", value: 1n, mask: 0xfn }]);
  });

  test("architectures by the names of the OCI Spec, of Docker and by short ones", () => {
    const profile = parseProfile(
      withRule(
        { includes: { arches: ["amd64", "loong64", "s390x"] } },
        { architectures: ["SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_SHEB", "x32"] },
      ),
    );
    assert.deepEqual(profile.architectures, ["mipsel64n32", "sheb", "x32"]);
    assert.deepEqual(profile.rules[0]?.includes.architectures, ["x86_64", "loongarch64", "s390x"]);
  });
});

describe("profiles of other projects", () => {
  const warnings = (profile: Profile): readonly string[] =>
    resolveProfile(profile, { native: "x86_64", capabilities: [], kernel: { major: 6, minor: 1 } }).warnings.map(
      ({ code, pointer }) => `${code} ${pointer}`,
    );

  test("containers-common's is read, with what its versions have in common", (context) => {
    const profile = foreignProfile("containers-common");
    if (profile === null) {
      skipWithoutContainersCommon(context);
      return;
    }
    assert.equal(profile.confined, true);
    assert.deepEqual(profile.subArchitectures.get("x86_64"), ["x86", "x32"]);
    const chroot = profile.rules.filter(({ names }) => names.includes("chroot"));
    assert.ok(chroot.some(({ includes }) => includes.capabilities.includes("CAP_SYS_CHROOT")));
  });

  test("every shape means what its project takes it for", () => {
    const { rules } = shapesProfile;
    const ofCall = (call: string): typeof rules => rules.filter(({ names }) => names.includes(call));
    assert.equal(shapesProfile.confined, true);
    assert.deepEqual(
      [...shapesProfile.subArchitectures],
      [
        ["x86_64", ["x86", "x32"]],
        ["aarch64", ["arm"]],
        ["s390x", ["s390"]],
        ["mips64", []],
      ],
    );
    assert.deepEqual(
      ofCall("dup3").map(({ names, comparisons }) => [names, comparisons.map(({ operator }) => operator)]),
      [
        [["dup3"], ["EQ"]],
        [["dup3"], ["GE"]],
      ],
    );
    assert.deepEqual(
      ofCall("ptrace").map(({ includes, excludes }) => [includes.minKernel, excludes.minKernel]),
      [
        [{ major: 4, minor: 8 }, undefined],
        [undefined, { major: 4, minor: 8 }],
      ],
    );
    assert.deepEqual(
      ofCall("bpf").map(({ includes, excludes }) => [includes.capabilities, excludes.capabilities]),
      [
        [["CAP_SYS_ADMIN"], []],
        [[], ["CAP_SYS_ADMIN"]],
      ],
    );
    assert.deepEqual(
      ofCall("clone").map(({ includes, excludes }) => [includes.architectures, excludes.architectures]),
      [
        [[], ["s390", "s390x"]],
        [["s390", "s390x"], []],
        [[], []],
      ],
    );
  });

  test("localhost profiles of Kubernetes are the OCI Spec's", () => {
    const audit = parseProfile({ defaultAction: "SCMP_ACT_LOG" });
    assert.deepEqual([audit.confined, audit.defaultAction, audit.rules], [true, SECCOMP_RET_LOG, []]);
    const fine = parseProfile({
      defaultAction: "SCMP_ACT_ERRNO",
      architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
      syscalls: [{ names: ["accept4", "epoll_wait"], action: "SCMP_ACT_ALLOW" }],
    });
    assert.deepEqual(fine.architectures, ["x86_64", "x86", "x32"]);
    assert.deepEqual(fine.rules[0]?.names, ["accept4", "epoll_wait"]);
  });

  test("what they say in vain is reported", () => {
    assert.deepEqual(warnings(shapesProfile), [
      "REPEATED_ARGUMENT /syscalls/4",
      "REPEATED_ARGUMENT /syscalls/5",
      "MULTIPLEXED_CALL ",
    ]);
    const found: Readonly<Record<string, readonly string[]>> = {
      "moby-default": ["MULTIPLEXED_CALL "],
      "runc-syscall-test1": ["REPEATED_ARGUMENT /syscalls/4", "REPEATED_ARGUMENT /syscalls/5"],
      "runc-syscall-test2": [],
    };
    for (const [name, profile] of foundForeignProfiles("moby-default", "runc-syscall-test1", "runc-syscall-test2"))
      assert.deepEqual(warnings(profile), found[name], name);
  });
});

test("the shipped profiles hold to the schema", () => {
  for (const name of builtinProfileNames) assert.doesNotThrow(() => parseProfile(builtinDocument(name)), name);
});

test("a document nested beyond any stack is refused like any other", () => {
  const depth = 200_000;
  const text = `{"defaultAction": "SCMP_ACT_ALLOW", "x": ${"[".repeat(depth)}${"]".repeat(depth)}}`;
  assert.deepEqual(
    issuesOf(() => parseProfileText(text)),
    ['/x: unknown member "x"'],
  );
});
