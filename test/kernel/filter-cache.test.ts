/**
 * A start whose filter is cached does not load the compiler. Shown on an installation that has lost the compiler component:
 * with the cache that a whole one has filled it confines as before, without it it cannot.
 */
import assert from "node:assert/strict";
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxRoot } from "../support/root-filesystem.ts";
import { kernelTest } from "../support/kernel-test.ts";
import { command, type Outcome } from "../support/run.ts";
import { home, installationFolder, makeOwned, pycriCommand, scratch } from "../support/scratch.ts";

const COMPONENT = "dist/seccomp-component.cjs";

/** A copy of pycri without its compiler component. */
function installWithoutComponent(): string {
  const folder = makeOwned(join(scratch, "without-component"));
  for (const path of ["package.json", "dist", "profiles", "node_modules/koffi", "node_modules/@koromix"])
    cpSync(join(installationFolder, path), join(folder, path), { recursive: true });
  rmSync(join(folder, COMPONENT));
  rmSync(join(folder, "dist/component"), { recursive: true, force: true });
  return join(folder, "dist/pycri.cjs");
}

kernelTest("a start with a cached filter needs no compiler, one without recompiles", async () => {
  const [node, end, whole] = pycriCommand;
  const bare = installWithoutComponent();
  const profile = join(scratch, "cached.json");
  const write = (errnoRet: number): void =>
    writeFileSync(
      profile,
      JSON.stringify({
        defaultAction: "SCMP_ACT_ALLOW",
        syscalls: [{ names: ["sethostname"], action: "SCMP_ACT_ERRNO", errnoRet }],
      }),
    );
  const run = (pycri: string, ...flags: readonly string[]): Promise<Outcome> =>
    command([
      node,
      end,
      pycri,
      "run",
      `--security-opt=seccomp=${profile}`,
      "--cap-add=SYS_ADMIN",
      ...flags,
      busyboxRoot(),
      "probe",
      "sethostname",
    ]);
  const answers = async (pycri: string, errno: string, ...flags: readonly string[]): Promise<void> =>
    assert.deepEqual(await run(pycri, ...flags), {
      status: 0,
      signal: null,
      stdout: `sethostname ${errno}\n`,
      stderr: "",
    });
  const cannotCompile = async (...flags: readonly string[]): Promise<void> => {
    const { status, stderr } = await run(bare, ...flags);
    assert.equal(status, 125);
    assert.match(stderr, /the compiler component is not built/);
  };
  const directory = join(home, ".cache/pycri/filters");

  write(95);
  await cannotCompile();
  await answers(whole, "EOPNOTSUPP");
  const [key = ""] = readdirSync(directory);
  const entry = readFileSync(join(directory, key));
  await answers(bare, "EOPNOTSUPP");

  // Everything that went in counts: the profile's text and the capabilities.
  await cannotCompile("--cap-add=SYS_PTRACE");
  write(38);
  await cannotCompile();
  await answers(whole, "ENOSYS");
  assert.equal(readdirSync(directory).length, 2);
  write(95);
  await answers(bare, "EOPNOTSUPP");

  // A damaged entry is no entry: it is compiled again, and then replaced by what it was.
  const damaged = Buffer.from(entry);
  damaged[40] = (damaged[40] ?? 0) ^ 1;
  writeFileSync(join(directory, key), damaged);
  await cannotCompile();
  await answers(whole, "EOPNOTSUPP");
  assert.deepEqual(readFileSync(join(directory, key)), entry);
  await answers(bare, "EOPNOTSUPP");
});
