/**
 * The library in programs of their own, as an unprivileged user: results and errors, streams, time and signals, and that
 * nothing stays: no descriptor and no child in a process that lives on, nothing at all of one that was killed.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { kernelTest, newFiles } from "../support/kernel-test.ts";
import { assertNoProcesses, pathsBelow } from "../support/leftovers.ts";
import { libraryProgram, reported, startLibraryProgram } from "../support/library.ts";
import { busyboxRoot, makeBusyboxRoot } from "../support/root-filesystem.ts";
import { command, outcomeOf } from "../support/run.ts";
import { installationFolder, pycriCommand, runtimeDirectory, scratch } from "../support/scratch.ts";

kernelTest("run gives status, signal and both outputs, and a failing command is no error", async () => {
  const result = await reported(`
    const pick = ({ exitStatus, exitCode, signal, stdout, stderr, oomKills, warnings }) =>
      ({ exitStatus, exitCode, signal, stdout, stderr, oomKills, warnings });
    const first = await run({ rootfs, command: ["sh", "-c", "echo out; echo err >&2; exit 3"] });
    const second = await run({ rootfs, command: ["sh", "-c", "kill -KILL $$"], init: true });
    report({ first: pick(first), second: pick(second), id: /^[0-9a-f]{64}$/.test(first.id), other: first.id !== second.id });
  `);
  const quiet = { oomKills: 0, warnings: [] };
  assert.deepEqual(result, {
    first: { exitStatus: 3, exitCode: 3, signal: null, stdout: "out\n", stderr: "err\n", ...quiet },
    second: { exitStatus: 137, exitCode: 137, signal: null, stdout: "", stderr: "", ...quiet },
    id: true,
    other: true,
  });
});

kernelTest("what the command line exits with for its own failures, the library throws", async () => {
  const result = await reported(`
    const absent = await failure(run({ rootfs, command: ["not-there"] }));
    const folder = await failure(run({ rootfs, command: ["/etc"] }));
    const root = await failure(run({ rootfs: rootfs + "-not-there" }));
    const user = await failure(start({ rootfs, user: "nobody-of-this-name" }));
    const check = await failure(run({ rootfs, command: ["sh", "-c", "echo so; exit 4"], check: true }));
    report([absent, folder, root, user, check].map(({ code, exitStatus, exitCode, stdout }) => [code, exitStatus, exitCode, stdout]));
  `);
  assert.deepEqual(result, [
    ["COMMAND_NOT_FOUND", 127, null, null],
    ["COMMAND_NOT_EXECUTABLE", 126, null, null],
    ["ROOTFS_NOT_FOUND", 125, null, null],
    ["UNKNOWN_USER", 125, null, null],
    ["COMMAND_FAILED", 4, 4, "so\n"],
  ]);
});

kernelTest("options are checked by name, kind and choice", async () => {
  const result = await reported(`
    const wrong = [{ comand: [] }, { command: "true" }, { network: "bridge" }, { timeout: -1 }, { stdin: {} }, { capDrop: "ALL" }];
    const messages = [];
    for (const options of wrong) messages.push((await failure(run({ rootfs, ...options }))).message);
    report([...messages, (await failure(run({}))).message]);
  `);
  assert.deepEqual(result, [
    'There is no option "comand"',
    'Cannot use the option command: "true"',
    'Cannot use the option network: "bridge"',
    "Cannot use the option timeout: -1",
    "Cannot use the option stdin: an object",
    'Cannot use the option capDrop: "ALL"',
    "Cannot use the option rootfs: undefined",
  ]);
});

kernelTest("input, bytes, an environment as a record", async () => {
  const result = await reported(`
    const { stdout } = await run({ rootfs, command: ["sh", "-c", "cat; echo $A-$B"], input: "in\\n", environment: { A: "1", B: "2 3" } });
    const bytes = await run({ rootfs, command: ["printf", "\\\\377"], encoding: "bytes" });
    report([stdout, [...bytes.stdout], bytes.stdout instanceof Uint8Array]);
  `);
  assert.deepEqual(result, ["in\n1-2 3\n", [255], true]);
});

kernelTest("stdin is empty unless it is asked for; pipes can be opened by name", async () => {
  const result = await reported(`
    const empty = await run({ rootfs, command: ["wc", "-c"] });
    const named = await run({ rootfs, command: ["sh", "-c", "echo named > /dev/stdout"] });
    report([empty.stdout.trim(), named.stdout]);
  `);
  assert.deepEqual(result, ["0", "named\n"]);
});

kernelTest("streams: pipes of a started container, descriptors, files, streams that this process copies", async () => {
  const file = join(scratch, "library-output");
  const result = await reported(`
    import { createWriteStream, openSync, readFileSync } from "node:fs";
    import { once } from "node:events";
    import { PassThrough, Readable } from "node:stream";
    import { text } from "node:stream/consumers";
    const cat = ["sh", "-c", "cat; echo error >&2"];
    const piped = await start({ rootfs, command: cat, stdin: "pipe" });
    piped.stdin.end("piped");
    const [out, err] = await Promise.all([text(piped.stdout), text(piped.stderr)]);
    const ended = await piped.result;

    const toFile = createWriteStream(${JSON.stringify(file)});
    await once(toFile, "open");
    const copied = new PassThrough();
    const second = await run({ rootfs, command: cat, stdin: Readable.from(["from ", "a stream"]), stdout: toFile, stderr: copied });
    copied.end();
    const descriptor = await run({ rootfs, command: ["cat"], stdin: openSync(${JSON.stringify(file)}, "r"), stderr: "ignore" });
    report({ out, err, pid: piped.pid > 1, ended: ended.exitStatus, outputs: [second.stdout, second.stderr], copied: await text(copied),
      file: readFileSync(${JSON.stringify(file)}, "utf8"), descriptor: [descriptor.stdout, descriptor.stderr] });
  `);
  assert.deepEqual(result, {
    out: "piped",
    err: "error\n",
    pid: true,
    ended: 0,
    outputs: [null, null],
    copied: "error\n",
    file: "from a stream",
    descriptor: ["from a stream", null],
  });
});

kernelTest("inherited streams are this process's own", async () => {
  const child = startLibraryProgram(`
    await run({ rootfs, command: ["sh", "-c", "cat; echo error >&2"], stdin: "inherit", stdout: "inherit", stderr: "inherit" });
  `);
  child.stdin?.end("inherited");
  const { status, stdout, stderr } = await outcomeOf(child);
  assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: "inherited", stderr: "error\n" });
});

kernelTest("timeout, abort and output limit end the container and say why", async () => {
  const result = await reported(`
    const late = await failure(run({ rootfs, command: ["sleep", "1000"], timeout: 300 }));
    const stubborn = await failure(run({ rootfs, command: ["sh", "-c", "trap '' TERM; echo up; while :; do sleep 1; done"],
      timeout: 300, stopTimeout: 1 }));
    const controller = new AbortController();
    const running = start({ rootfs, command: ["sleep", "1000"], signal: controller.signal });
    const container = await running;
    controller.abort(new Error("enough"));
    const aborted = await failure(container.result);
    const before = await failure(run({ rootfs, signal: AbortSignal.abort("at once") }));
    const much = await failure(run({ rootfs, command: ["yes"], maxBuffer: 10 }));
    report([late, stubborn, aborted, before, much].map(({ code, signal, stdout, cause }) => [code, signal, stdout, cause ?? null]));
  `);
  assert.deepEqual(result, [
    ["TIMED_OUT", "SIGTERM", "", null],
    ["TIMED_OUT", "SIGKILL", "up\n", null],
    ["ABORTED", "SIGTERM", null, "Error: enough"],
    ["ABORTED", null, null, "at once"],
    ["OUTPUT_LIMIT", "SIGKILL", "y\ny\ny\ny\ny\n", null],
  ]);
});

kernelTest("kill reaches the command; SIGSTOP stops the container until SIGCONT", async () => {
  const result = await reported(`
    import { once } from "node:events";
    import { readFileSync } from "node:fs";
    const state = (pid) => readFileSync("/proc/" + pid + "/stat", "latin1").split(") ")[1][0];
    const until = async (condition) => { while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5)); };
    const script = "trap 'exit 7' USR1; echo up; while :; do sleep 0.1; done";
    const container = await start({ rootfs, command: ["sh", "-c", script] });
    await once(container.stdout, "data");
    container.kill("SIGSTOP");
    await until(() => state(container.pid) === "T");
    container.kill("SIGCONT");
    await until(() => state(container.pid) !== "T");
    // In close succession: the last one counts.
    for (let i = 0; i < 50; i++) {
      container.kill("SIGSTOP");
      container.kill("SIGCONT");
    }
    await until(() => state(container.pid) !== "T");
    const alive = container.kill("SIGUSR1");
    const { exitStatus } = await container.result;
    report([alive, exitStatus, container.kill("SIGTERM")]);
  `);
  assert.deepEqual(result, [true, 7, false]);
});

kernelTest("a process that lives on keeps no descriptor and no child of its containers", async () => {
  const result = await reported(`
    import { readdirSync, readFileSync } from "node:fs";
    const descriptors = () => readdirSync("/proc/self/fd").length;
    await run({ rootfs, command: ["true"] });
    const before = descriptors();
    const statuses = await Promise.all(Array.from({ length: 12 }, (_, index) =>
      run({ rootfs, command: ["sh", "-c", "exit " + index], ...(index % 3 === 0 ? { userns: "auto:size=64" } : {}) })));
    await failure(run({ rootfs, command: ["not-there"], userns: "auto:size=64" }));
    await failure(run({ rootfs, userns: "auto:size=64", hostname: "x", uts: "host" }));
    report({ statuses: statuses.map(({ exitStatus }) => exitStatus), more: descriptors() - before,
      children: readFileSync("/proc/self/task/" + process.pid + "/children", "utf8") });
  `);
  assert.deepEqual(result, { statuses: Array.from({ length: 12 }, (_, index) => index), more: 0, children: "" });
});

kernelTest("a filter that ships needs no compiler, another one does", async () => {
  const bare = join(scratch, "bare");
  mkdirSync(bare);
  cpSync(join(installationFolder, "dist"), join(bare, "dist"), {
    recursive: true,
    filter: (path) => !path.endsWith("seccomp-component.cjs"),
  });
  symlinkSync(join(installationFolder, "node_modules"), join(bare, "node_modules"));
  const dist = join(bare, "dist");
  const plain = await reported(
    `report((await run({ rootfs, command: ["sed", "-n", "s/^Seccomp:.//p", "/proc/self/status"] })).stdout)`,
    {
      dist,
    },
  );
  assert.equal(plain, "2\n");
  const other = await libraryProgram(`await run({ rootfs, command: ["true"], capAdd: ["SYS_PTRACE"] })`, { dist });
  assert.equal(other.status, 1, "the compiler was found");
});

kernelTest(
  "warnings of a launch are data, and the command's stderr is its own",
  async () => {
    const root = makeBusyboxRoot("mounted-below");
    const program = `const { warnings, stderr } = await run({ rootfs: ${JSON.stringify(root)}, command: ["true"] }); report({ warnings, stderr })`;
    assert.deepEqual(await reported(program), { warnings: [], stderr: "" });
    // Overlayfs cannot lie over a tree with a mount below it, in a user namespace.
    const below = join(root, "tmp");
    execFileSync("mount", ["-t", "tmpfs", "tmpfs", below]);
    try {
      const { warnings, stderr } = (await reported(program)) as { warnings: string[]; stderr: string };
      assert.equal(stderr, "");
      assert.match(warnings.join(), /^overlayfs cannot be mounted here; (?:copying|using fuse-overlayfs)[^,]*$/);
    } finally {
      execFileSync("umount", [below]);
    }
  },
  ["root"],
);

kernelTest("containers of a worker thread end with it, and it has nothing to warn of", async () => {
  const result = await reported(`
    import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
    import { isMainThread, parentPort, Worker } from "node:worker_threads";
    import { once } from "node:events";
    // The test process adopts orphans and lets them lie: a zombie is gone.
    const state = (pid) => { try { return readFileSync("/proc/" + pid + "/stat", "latin1").split(") ")[1][0]; } catch { return "gone"; } };
    const gone = async (pid) => { while (!["Z", "gone"].includes(state(pid))) await new Promise((resolve) => setTimeout(resolve, 5)); };
    if (isMainThread) {
      const worker = new Worker(new URL(import.meta.url));
      const [{ pid, exitStatus }] = await once(worker, "message");
      const running = existsSync("/proc/" + pid);
      await worker.terminate();
      await gone(pid);
      const files = readdirSync("/proc/self/fd").filter((name) => {
        try { return readlinkSync("/proc/self/fd/" + name).includes("memfd"); } catch { return false; }
      });
      report({ running, exitStatus, files });
    } else {
      const { exitStatus } = await run({ rootfs, command: ["sh", "-c", "exit 4"], input: "" });
      const container = await start({ rootfs, command: ["sleep", "1000"] });
      parentPort.postMessage({ pid: container.pid, exitStatus });
      await container.result;
    }
  `);
  assert.deepEqual(result, { running: true, exitStatus: 4, files: [] });
});

kernelTest("CommonJS gets it by require", async () => {
  const file = join(scratch, "program.cjs");
  writeFileSync(
    file,
    `const { run } = require(${JSON.stringify(join(installationFolder, "dist/index.js"))});
     run({ rootfs: ${JSON.stringify(busyboxRoot())}, command: ["echo", "required"] }).then(({ stdout }) => process.stdout.write(stdout));`,
  );
  const { status, stdout } = await command([pycriCommand[0], file]);
  assert.deepEqual({ status, stdout }, { status: 0, stdout: "required\n" });
});

const KILLS = 60;

/** Low-discrepancy fractions of [0, 1): evenly spread, the same every time. */
const fraction = (index: number): number => (index * 0.618_033_988_749_894_9) % 1;

kernelTest(`${KILLS} kills of a process that runs containers leave nothing behind`, async (context) => {
  const program = `
    process.stdout.write("up");
    for (;;) await Promise.all([
      run({ rootfs, command: ["true"], name: "victim", remove: true }),
      run({ rootfs, command: ["sh", "-c", "sleep 1000 & exit 0"] }),
    ]);
  `;
  const before = pathsBelow(runtimeDirectory);
  for (let index = 0; index < KILLS; index++) {
    const child = startLibraryProgram(program);
    const outcome = outcomeOf(child);
    assert.ok(child.stdout !== null);
    await once(child.stdout, "data");
    await setTimeout(fraction(index) * 80);
    child.kill("SIGKILL");
    assert.equal((await outcome).signal, "SIGKILL");
    await assertNoProcesses();
  }
  assert.deepEqual(newFiles(before), []);
  context.diagnostic(`${KILLS} killed`);
});

kernelTest("a killed caller takes a container along that would have run on", async () => {
  const child = startLibraryProgram(`
    const container = await start({ rootfs, command: ["sleep", "1000"] });
    process.stdout.write(String(container.pid));
    await container.result;
  `);
  const outcome = outcomeOf(child);
  assert.ok(child.stdout !== null);
  const [pid] = (await once(child.stdout, "data")) as [Buffer];
  assert.match(readFileSync(`/proc/${pid.toString()}/cmdline`, "latin1"), /^sleep\0/);
  child.kill("SIGKILL");
  await outcome;
  await assertNoProcesses();
});
