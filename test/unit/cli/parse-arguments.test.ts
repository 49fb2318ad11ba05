/** The fast argument parser: its grammar case by case, and its agreement with commander on any line it accepts. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Command, OptionTable } from "../../../src/cli/command.ts";
import { parseWithCommander } from "../../../src/cli/commander-program.ts";
import { COMMAND_GROUPS, COMMANDS } from "../../../src/cli/commands.ts";
import { parseArguments } from "../../../src/cli/parse-arguments.ts";
import { runCommand } from "../../../src/cli/run.ts";
import { RuntimeError } from "../../../src/errors.ts";

const parse = (...args: string[]) => parseArguments(runCommand, args);

test("options end at ROOTFS, whatever follows", () => {
  assert.deepEqual(parse("--rm", "./r", "ls", "--rm", "-it", "--", "x"), {
    values: { rm: true },
    operands: ["./r", "ls", "--rm", "-it", "--", "x"],
  });
});

test("-- ends options and is dropped once", () => {
  assert.deepEqual(parse("-t", "--", "./r", "--", "x"), { values: { tty: true }, operands: ["./r", "--", "x"] });
});

test("letters cluster, and the last one may take the rest or the next word", () => {
  assert.deepEqual(parse("-it", "-itv/a:/b", "-eA=1", "-e", "B=2", "r")?.values, {
    interactive: true,
    tty: true,
    volume: ["/a:/b"],
    env: ["A=1", "B=2"],
  });
});

test("a letter may have = before its value, as with Docker; what follows it is the value's", () => {
  assert.deepEqual(parse("-m=64m", "-e=A=b", "-e==", "-v=/a:/b", "-it=false", "-tw=/", "r")?.values, {
    memory: "64m",
    env: ["A=b", "="],
    volume: ["/a:/b"],
    interactive: true,
    tty: true,
    workdir: "/",
  });
  assert.equal(parse("-t=false", "r")?.values["tty"], false);
});

test("a value may look like an option", () => {
  assert.deepEqual(parse("--entrypoint", "--help", "r")?.values, { entrypoint: "--help" });
});

test("--mem and --net are other spellings, the last occurrence wins", () => {
  assert.deepEqual(parse("--mem=1g", "--memory", "2g", "--mem", "3g", "--net=host", "r")?.values, {
    memory: "3g",
    network: "host",
  });
});

test("flags take =true and =false", () => {
  assert.deepEqual(parse("--sig-proxy=false", "--rm=1", "--init", "--init=0", "r")?.values, {
    "sig-proxy": false,
    rm: true,
    init: false,
  });
});

for (const [line, value] of [
  [["--rm=maybe", "r"], "maybe"],
  [["--pid", "container:x", "r"], "container:x"],
  [["--cgroups=split", "r"], "split"],
] as const) {
  test(`${line.join(" ")} is refused by value`, () => {
    assert.throws(
      () => parse(...line),
      (error: RuntimeError) => error.code === "INVALID_ARGUMENT" && error.message.includes(`"${value}"`),
    );
  });
}

test("options of other runtimes are refused with what is possible", () => {
  for (const line of [
    ["-d", "r"],
    ["-p", "80:80", "r"],
    ["--dns=1.1.1.1", "r"],
    ["--restart", "always", "r"],
  ]) {
    assert.throws(
      () => parse(...line),
      (error: RuntimeError) => error.code === "INVALID_ARGUMENT" && (error.hint?.length ?? 0) > 20,
    );
  }
});

for (const line of [["--memroy", "1", "r"], ["--memory"], ["-Z", "r"], ["--help"], ["-iZ"], ["-e"]]) {
  test(`${line.join(" ")} is left to commander`, () => assert.equal(parse(...line), null));
}

test("a definition spells no option twice", () => {
  for (const command of COMMANDS) {
    const spellings = Object.entries(command.options).flatMap(([long, { short, aliases }]) => [
      `--${long}`,
      ...(short === undefined ? [] : [`-${short}`]),
      ...(aliases ?? []).map((alias) => `--${alias}`),
    ]);
    assert.equal(new Set(spellings).size, spellings.length, command.path.join(" "));
  }
});

/** Words that are likely to mean something to a command, and some that are not. */
function words(options: OptionTable): fc.Arbitrary<string> {
  const longs = Object.keys(options).filter((long) => options[long]?.refusal === undefined);
  const shorts = longs.flatMap((long) => options[long]?.short ?? []);
  const value = fc.constantFrom(
    "x",
    "host",
    "private",
    "none",
    "a=b",
    "-",
    "--",
    "-1",
    "true",
    "",
    "json",
    "text",
    "/a:/b",
  );
  return fc.oneof(
    value,
    fc.constantFrom(...longs, "help", "nonsense").map((long) => `--${long}`),
    fc.tuple(fc.constantFrom(...longs, "nonsense"), value).map(([long, text]) => `--${long}=${text}`),
    fc
      .tuple(fc.array(fc.constantFrom(...shorts, "Z"), { minLength: 1, maxLength: 3 }), fc.constantFrom("", "x"))
      .map(([letters, rest]) => `-${letters.join("")}${rest}`),
  );
}

function parseQuietly(command: Command, line: readonly string[]): unknown {
  try {
    return parseArguments(command, line);
  } catch (error) {
    assert.ok(error instanceof RuntimeError, String(error));
    return error.message;
  }
}

test("every command is found among all of them", () => {
  for (const command of COMMANDS) {
    const required = command.operands.filter(({ count }) => count === "one" || count === "some").map(() => "x");
    const parsed = parseWithCommander(COMMANDS, COMMAND_GROUPS, [...command.path, ...required]);
    assert.ok(parsed.kind === "command" && parsed.command === command, command.path.join(" "));
  }
});

test("commander reads every line the same that the fast parser accepts", () => {
  for (const command of COMMANDS) {
    const property = fc.property(
      fc.array(words({ ...command.options, version: { type: "flag", help: "" } }), { maxLength: 6 }),
      (some) => {
        // What a command cannot do without, so that enough lines are in order.
        const required = command.operands.filter(({ count }) => count === "one" || count === "some").map(() => "x");
        const line = [...some, ...required];
        const fast = parseQuietly(command, line);
        fc.pre(fast !== null && typeof fast !== "string");
        const parsed = parseWithCommander([command], COMMAND_GROUPS, [...command.path, ...line]);
        assert.equal(parsed.kind, "command");
        if (parsed.kind !== "command") return;
        assert.equal(parsed.command, command);
        assert.deepEqual(parsed.invocation, fast);
      },
    );
    fc.assert(property, { numRuns: 300 });
  }
});
