/** `pycri-helper remove`, which takes layers away: everything below its paths, nothing beside them, and an errno where it cannot. */

import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { kernelTest } from "../support/kernel-test.ts";
import { type Outcome, command } from "../support/run.ts";
import { installationFolder } from "../support/scratch.ts";
import { AS_NAMESPACE_ROOT, asNamespaceRoot, newDirectory } from "../support/unpack.ts";

const helper = join(installationFolder, "dist/pycri-helper");
const SUCCESS: Outcome = { status: 0, signal: null, stdout: "", stderr: "" };

kernelTest(
  "trees of other ids, without permissions, deep and with links to the outside are removed, and they alone",
  async () => {
    const place = newDirectory();
    const script = `
umask 0; cd "$1"; mkdir outside tree; echo kept >outside/file; : >single; ln -s outside link
mkdir -p tree/closed/below tree/theirs; echo x >tree/closed/below/file; echo y >tree/theirs/file
ln -s ../../outside tree/closed/out; ln outside/file tree/hard; mkfifo tree/fifo
mkdir -p tree/$(printf 'd/%.0s' $(seq 200))
chown -R 33:33 tree/theirs; chmod 0 tree/theirs tree/closed/below tree/closed
`;
    await asNamespaceRoot("sh", "-euc", script, "sh", place);
    const paths = ["tree", "single", "link", "missing"].map((name) => join(place, name));
    // The control: the caller may not.
    assert.equal((await command([helper, "remove", ...paths])).status, 1);
    assert.ok(existsSync(join(place, "tree")));
    assert.deepEqual(await command([...AS_NAMESPACE_ROOT, helper, "remove", ...paths]), SUCCESS);
    assert.deepEqual(readdirSync(place), ["outside"]);
    assert.equal(readFileSync(join(place, "outside/file"), "utf8"), "kept\n");
  },
);

kernelTest("what cannot be removed is named with its errno", async () => {
  const place = newDirectory();
  const closed = join(place, "closed");
  // Whoever runs the tests may be the caller: then it is the directory above that forbids.
  mkdirSync(closed);
  writeFileSync(join(closed, "file"), "");
  chmodSync(closed, 0o500);
  const path = join(closed, "file");
  assert.deepEqual(await command([helper, "remove", path]), {
    ...SUCCESS,
    status: 1,
    stderr: `pycri-helper: ${path}: EACCES\n`,
  });
  assert.ok(existsSync(path));
  symlinkSync(path, join(place, "to"));
  assert.deepEqual(await command([helper, "remove", join(place, "to")]), SUCCESS);
  assert.ok(existsSync(path));
});
