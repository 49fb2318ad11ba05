/** The completion scripts in the shells themselves, which are asked what they would offer. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { COMMAND_GROUPS, COMMANDS } from "../../src/cli/commands.ts";
import { bashCompletion } from "../../src/cli/completion/bash.ts";
import { completionTree, valueCommands } from "../../src/cli/completion/completion-tree.ts";
import { fishCompletion } from "../../src/cli/completion/fish.ts";
import { zshCompletion } from "../../src/cli/completion/zsh.ts";
import { programTest } from "../support/optional-program.ts";

const tree = completionTree(COMMANDS, COMMAND_GROUPS);
const values = valueCommands(COMMANDS);

const folder = mkdtempSync(join(tmpdir(), "pycri-completion-"));
after(() => rmSync(folder, { recursive: true }));
mkdirSync(join(folder, "work/rootfs"), { recursive: true });
writeFileSync(join(folder, "work/file.json"), "");
/** Stands for pycri where a script asks for the names of images and containers. */
mkdirSync(join(folder, "bin"));
writeFileSync(
  join(folder, "bin/pycri"),
  "#!/bin/sh\ncase $1 in images) echo debian:stable; echo example.com/app:1 ;; ps) echo web; echo worker ;; esac\n",
  { mode: 0o755 },
);

const script = (name: string, text: string): string => {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
};
const scripts = {
  bash: script("pycri.bash", bashCompletion(tree, values)),
  zsh: script("_pycri", zshCompletion(tree, values)),
  fish: script("pycri.fish", fishCompletion(tree, values)),
};

const options = {
  cwd: join(folder, "work"),
  encoding: "utf8",
  env: { PATH: `${join(folder, "bin")}:/usr/bin:/bin`, HOME: folder, LANG: "C.UTF-8", TERM: "dumb" },
} as const;

/** What is offered for the last word of a line, sorted. */
type Ask = (line: string) => readonly string[];

/** bash cuts words at = and : as well, as its line editor does. */
function askBash(line: string): readonly string[] {
  const words = line
    .split(" ")
    .flatMap((word) => word.split(/([=:])/).filter((part, index) => part !== "" || index > 1));
  const program = `
    source ${scripts.bash}
    compopt() { :; }
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
    _pycri
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const last = line.endsWith(" ") || words.length === 0 ? [...words.filter((word) => word !== ""), ""] : words;
  return execFileSync("bash", ["-c", program, "bash", ...last], options)
    .split("\n")
    .map((word) => word.trim())
    .filter(Boolean)
    .toSorted();
}

/** fish answers this itself: a candidate a line, with its description behind a tab. */
function askFish(line: string): readonly string[] {
  const program = `source ${scripts.fish}; complete -C ${JSON.stringify(line)}`;
  return execFileSync("fish", ["--no-config", "-c", program], options)
    .split("\n")
    .map((candidate) => candidate.replace(/\t.*/, ""))
    .filter(Boolean)
    .toSorted();
}

/** zsh completes at its line editor only: one on a terminal of zsh's own, whose widget prints what it would add. */
function askZsh(line: string): readonly string[] {
  const inner = `
    PS1=READY; fpath=(${folder} $fpath); autoload -Uz compinit; compinit -u -d ${join(folder, "zcompdump")}
    zstyle ':completion:*' completer _complete
    print-candidates() {
      compadd() {
        local -a hits
        if [[ \${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]]; then builtin compadd "$@"; return $?; fi
        builtin compadd -A hits "$@"
        local hit; for hit in $hits; do print -r -- "CANDIDATE $hit"; done
        builtin compadd "$@"
      }
      print; _main_complete; print -r -- "FINISHED"
    }
    zle -C print-candidates list-choices print-candidates
    bindkey '^I' print-candidates`;
  const outer = `
    zmodload zsh/zpty
    zpty shell zsh -f -i
    zpty -w shell "source ${script("inner.zsh", inner)}"
    zpty -r -m shell seen '*READY*'
    zpty -w -n shell $'${line.replaceAll("'", "\\'")}\\t'
    zpty -r -m shell seen '*FINISHED*'
    print -r -- "$seen"
    zpty -d shell`;
  const { stdout } = spawnSync("zsh", ["-f", "-c", outer], { ...options, timeout: 60_000 });
  return [...new Set([...stdout.matchAll(/CANDIDATE ([^\r\n]*)/g)].map(([, word = ""]) => word.trim()))].toSorted();
}

const includes = (ask: Ask, line: string, wanted: readonly string[], unwanted: readonly string[] = []): void => {
  const offered = ask(line);
  for (const word of wanted)
    assert.ok(offered.includes(word), `"${line}" offers ${JSON.stringify(offered)}, not ${word}`);
  for (const word of unwanted) assert.ok(!offered.includes(word), `"${line}" offers ${word}`);
};

for (const [shell, ask] of [
  ["bash", askBash],
  ["fish", askFish],
  ["zsh", askZsh],
] as const) {
  programTest(`${shell} completes commands and groups`, shell, () => {
    includes(ask, "pycri ", ["run", "doctor", "seccomp"], ["report-failure", "compile"]);
    includes(ask, "pycri seccomp ", ["compile", "simulate"], ["run"]);
    includes(ask, "pycri sp", ["spec"], ["run"]);
  });

  programTest(`${shell} completes options, and none behind ROOTFS`, shell, () => {
    includes(ask, "pycri run --cap", ["--cap-add", "--cap-drop"], ["--volume"]);
    // Refused options are no options.
    includes(ask, "pycri run --d", ["--device", "--dry-run"], ["--detach", "--dns"]);
    includes(ask, "pycri run --name x --cap", ["--cap-add"]);
    assert.deepEqual(
      ask("pycri run ./rootfs --cap").filter((word) => word.startsWith("--cap")),
      [],
    );
    includes(ask, "pycri seccomp compile default --form", ["--format"]);
  });

  programTest(`${shell} completes the values of options`, shell, () => {
    assert.deepEqual(ask("pycri run --pull "), ["always", "missing", "never", "newer"]);
    assert.deepEqual(ask("pycri completion "), ["bash", "fish", "zsh"]);
  });

  programTest(`${shell} completes profiles, files, directories, images and containers`, shell, () => {
    includes(ask, "pycri seccomp list ", ["baseline", "default", "file.json"]);
    const rootfs = ask("pycri run ").map((word) => word.replace(/\/$/, ""));
    for (const word of ["host", "rootfs"]) assert.ok(rootfs.includes(word), JSON.stringify(rootfs));
    assert.ok(!rootfs.includes("file.json"));
    includes(ask, "pycri rmi deb", ["debian:stable"], ["host"]);
    assert.deepEqual(ask("pycri kill w"), ["web", "worker"]);
    assert.deepEqual(ask("pycri kill --signal x w"), ["web", "worker"]);
  });
}

programTest("bash completes a value behind = and an image behind its colon", "bash", () => {
  assert.deepEqual(askBash("pycri run --pull=n"), ["never", "newer"]);
  assert.deepEqual(askBash("pycri run --pull=never --ipc="), ["host", "private"]);
});

test("every public command and option is in every script", () => {
  for (const file of [bashCompletion(tree, values), zshCompletion(tree, values), fishCompletion(tree, values)]) {
    for (const { path, options: table, internal } of COMMANDS) {
      assert.equal(file.includes(path.at(-1) ?? ""), internal !== true, path.join(" "));
      for (const [long, { refusal }] of Object.entries(table)) {
        if (refusal === undefined) assert.ok(file.includes(long), long);
      }
    }
  }
});
