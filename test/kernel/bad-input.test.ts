/** Each mistake has its message, its exit status and, in the machine-readable error, its code; nothing is left behind. */
import assert from "node:assert/strict";
import { chmodSync, lchownSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { caller } from "../support/caller.ts";
import { kernelTest } from "../support/kernel-test.ts";
import { busyboxRoot, makeBusyboxRoot } from "../support/root-filesystem.ts";
import { pycri } from "../support/run.ts";
import { home, scratch } from "../support/scratch.ts";

interface Case {
  readonly what: string;
  /** Options; the root filesystem and command follow unless given. */
  readonly flags?: readonly string[];
  readonly root?: () => string;
  readonly command?: readonly string[];
  readonly status?: number;
  readonly message: RegExp;
}

const unreadable = join(scratch, "unreadable");
mkdirSync(unreadable);
chmodSync(unreadable, 0o000);
const plainFile = join(scratch, "plain-file");
writeFileSync(plainFile, "");

function profile(name: string, contents: string): string {
  const path = join(scratch, name);
  writeFileSync(path, contents);
  return `--security-opt=seccomp=${path}`;
}

const range = caller.subuid ?? { start: 0, count: 0 };

const CASES: readonly Case[] = [
  { what: "a root filesystem that is not there", root: () => "./no-such-root", message: /no-such-root/ },
  { what: "a root filesystem that is a file", root: () => plainFile, message: /plain-file.*not a directory/i },
  {
    what: "a root filesystem that cannot be read",
    root: () => unreadable,
    message: /unreadable.*(EACCES|permission)/is,
  },
  { what: "an image name that is not stored", flags: ["--pull=never"], root: () => "alpine", message: /alpine/ },
  { what: "a command that is not there", command: ["no-such-command"], status: 127, message: /no-such-command/ },
  { what: "a command that cannot be executed", command: ["/etc/passwd"], status: 126, message: /\/etc\/passwd/ },
  {
    what: "a command whose interpreter is missing",
    command: ["/broken"],
    root: brokenRoot,
    status: 127,
    message: /broken/,
  },
  { what: "an unknown flag", flags: ["--no-such-flag"], message: /--no-such-flag/ },
  { what: "an unknown user", flags: ["--user=zaphod"], message: /zaphod/ },
  { what: "an unknown group", flags: ["--user=0:heartofgold"], message: /heartofgold/ },
  { what: "a malformed volume", flags: ["-v", "a:b:c:d:e"], message: /a:b:c:d:e/ },
  { what: "a volume with a relative target", flags: ["-v", "/tmp:data"], message: /data/ },
  { what: "a volume with an unknown option", flags: ["-v", "/tmp:/data:sideways"], message: /sideways/ },
  { what: "a mount of unknown type", flags: ["--mount=type=floppy,target=/a"], message: /floppy/ },
  { what: "a mount without target", flags: ["--mount=type=tmpfs"], message: /target/ },
  { what: "a malformed variable", flags: ["-e", "=value"], message: /=value/ },
  { what: "an env file that is not there", flags: ["--env-file=/no/such/file"], message: /\/no\/such\/file/ },
  { what: "a malformed size", flags: ["--shm-size=lots"], message: /lots/ },
  { what: "a malformed memory size", flags: ["--mem", "12parsecs"], message: /12parsecs/ },
  { what: "a malformed id map", flags: ["--uidmap=0:x:1"], message: /--uidmap: "0:x:1"/ },
  {
    what: "ids outside the granted range",
    flags: [`--uidmap=0:${range.start + range.count}:1`, `--gidmap=0:${caller.gid}:1`],
    message: new RegExp(String(range.start + range.count)),
  },
  { what: "more ids than were granted", flags: ["--userns=auto:size=999999999"], message: /999999999/ },
  { what: "an unknown user namespace mode", flags: ["--userns=everything"], message: /everything/ },
  { what: "an unknown network", flags: ["--net=avian-carriers"], message: /avian-carriers/ },
  { what: "an unknown capability", flags: ["--cap-add=FLY"], message: /FLY/ },
  { what: "an unknown limit", flags: ["--ulimit=patience=3"], message: /patience/ },
  { what: "a soft limit above the hard one", flags: ["--ulimit=nofile=20:10"], message: /nofile/ },
  { what: "a sysctl that is not the namespace's", flags: ["--sysctl=vm.swappiness=1"], message: /vm\.swappiness/ },
  { what: "a malformed umask", flags: ["--umask=9"], message: /9/ },
  { what: "a host name that is too long", flags: [`--hostname=${"h".repeat(65)}`], message: /64/ },
  { what: "a profile that is not there", flags: ["--security-opt=seccomp=/no/profile"], message: /\/no\/profile/ },
  { what: "a profile that is no JSON", flags: [profile("text.json", "{")], message: /text\.json/ },
  {
    what: "a profile with a wrong action",
    flags: [profile("action.json", '{"defaultAction":"SCMP_ACT_MAYBE"}')],
    message: /\/defaultAction/,
  },
  {
    what: "a profile with a wrong argument index",
    flags: [
      profile(
        "index.json",
        '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_ERRNO","args":[{"index":6,"value":0,"op":"SCMP_CMP_EQ"}]}]}',
      ),
    ],
    message: /\/syscalls\/0\/args\/0\/index/,
  },
  { what: "an unknown security option", flags: ["--security-opt=hope"], message: /hope/ },
  { what: "a working directory that is a file", flags: ["-w", "/etc/passwd"], message: /\/etc\/passwd/ },
  { what: "a name that is no name", flags: ["--name=../up"], message: /\.\.\/up/ },
  { what: "a device that is not there", flags: ["--device=/dev/nought"], message: /\/dev\/nought/ },
];

function brokenRoot(): string {
  const root = makeBusyboxRoot("broken-interpreter");
  writeFileSync(join(root, "broken"), "#!/no/such/interpreter\n", { mode: 0o755 });
  lchownSync(join(root, "broken"), caller.uid, caller.gid);
  return root;
}

for (const { what, flags = [], root = busyboxRoot, command = ["true"], status = 125, message } of CASES) {
  kernelTest(`bad input: ${what}`, async () => {
    const outcome = await pycri(["run", ...flags, root(), ...command], { cwd: home });
    assert.equal(outcome.stdout, "");
    assert.match(outcome.stderr, /^pycri: /);
    assert.match(outcome.stderr, message);
    assert.equal(outcome.status, status, outcome.stderr);
    assert.doesNotMatch(outcome.stderr, /\n\s+at /, "a stack trace is for programmers");
  });
}
