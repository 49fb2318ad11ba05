/** What every command line has in common: version, help, mistakes, and readers that go away. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { COMMAND_GROUPS, COMMANDS } from "../../src/cli/commands.ts";
import { helpText } from "../../src/cli/commander-program.ts";
import { VERSION } from "../../src/version.ts";
import { repository } from "../support/repository.ts";

const program = join(repository, "dist/pycri.cjs");

function pycri(...args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: "utf8" });
  return { status, stdout, stderr };
}

test("--version and version are one", () => {
  const { status, stdout, stderr } = pycri("--version");
  assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
  assert.match(
    stdout,
    new RegExp(`^pycri ${VERSION.replaceAll(".", "\\.")}\nNode \\d+\\.\\d+\\.\\d+\nLinux \\S+ \\(\\w+\\)\n$`),
  );
  assert.equal(pycri("version").stdout, stdout);
});

test("help of a command is the same by help and by --help, at every depth", () => {
  for (const path of [["run"], ["seccomp", "compile"], ["seccomp"], ["doctor"]]) {
    const expected = { status: 0, stderr: "", stdout: pycri(...path, "--help").stdout };
    assert.deepEqual(pycri("help", ...path), expected);
    assert.match(expected.stdout, new RegExp(`^Usage: pycri ${path.join(" ")} `));
  }
  assert.deepEqual(pycri("help"), pycri());
  // What follows a command is not read, least of all run.
  assert.equal(pycri("help", "run", "host", "true").stdout, pycri("run", "--help").stdout);
});

test("the help of every command names all of its options and operands", () => {
  for (const { path, options, operands, summary } of COMMANDS) {
    const text = helpText(COMMANDS, COMMAND_GROUPS, path);
    assert.ok(text.toLowerCase().includes(summary.slice(0, 40).toLowerCase()), path.join(" "));
    for (const { name } of operands) assert.ok(text.includes(name), `${path.join(" ")}: ${name}`);
    for (const [long, { refusal, help }] of Object.entries(options)) {
      assert.equal(new RegExp(`--${long}[ \\n]`).test(text), refusal === undefined, `${path.join(" ")}: ${long}`);
      if (refusal === undefined) assert.notEqual(help, "", long);
    }
  }
});

for (const [args, message, hint] of [
  [["rnu"], "unknown command 'rnu'", "did you mean run? – see 'pycri --help'"],
  [["help", "rnu"], "unknown command 'rnu'", "did you mean run? – see 'pycri --help'"],
  [["seccomp", "compil"], "unknown command 'compil'", "did you mean compile? – see 'pycri seccomp --help'"],
  [["doctor", "--fromat", "json"], "unknown option '--fromat'", "did you mean --format? – see 'pycri doctor --help'"],
  [["doctor", "--format", "yaml"], 'cannot use --format: "yaml"', "the value is one of: text, json"],
  [["completion", "tcsh"], 'cannot complete for the shell "tcsh"', "the value is one of: bash, zsh, fish"],
] as const) {
  test(`"${args.join(" ")}" is refused with a suggestion`, () => {
    assert.deepEqual(pycri(...args), { status: 125, stdout: "", stderr: `pycri: ${message}\nhint: ${hint}\n` });
  });
}

test("a group without a command prints its help to stderr", () => {
  const { status, stdout, stderr } = pycri("seccomp");
  assert.deepEqual({ status, stdout }, { status: 125, stdout: "" });
  assert.match(stderr, /^Usage: pycri seccomp COMMAND/);
});

test("a reader that goes away ends a command quietly; a full disk does not", () => {
  const shell = (script: string): { stdout: string; stderr: string } => {
    const { stdout, stderr } = spawnSync("bash", ["-c", script, "bash", process.execPath, program], {
      encoding: "utf8",
    });
    return { stdout, stderr };
  };
  // More than a pipe holds, so that the write itself fails.
  const reader = '"$1" "$2" completion zsh | head -c 10 >/dev/null; echo "${PIPESTATUS[0]}"';
  assert.deepEqual(shell(`{ ${reader}; } `), { stdout: "0\n", stderr: "" });
  assert.deepEqual(shell('exec 3> >(:); wait $!; "$1" "$2" info >&3; echo $?'), { stdout: "0\n", stderr: "" });
  assert.deepEqual(shell('"$1" "$2" --version >/dev/full; echo $?'), {
    stdout: "125\n",
    stderr: "pycri: cannot write to standard output: ENOSPC\n",
  });
});

test("there is no colour, on a terminal or elsewhere", () => {
  const { stdout, stderr } = spawnSync(
    "script",
    ["-qec", `"${process.execPath}" "${program}" run --help`, "/dev/null"],
    {
      encoding: "utf8",
      env: { ...process.env, TERM: "xterm-256color" },
    },
  );
  assert.ok(stdout.includes("Usage: pycri run"), stderr);
  assert.ok(!stdout.includes("\u001B["));
});
