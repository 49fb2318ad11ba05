/** The image store keeps its promises: work is done once, damage is found and mended, a full disk leaves nothing. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chownSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { type Server, createServer, request } from "node:http";
import { join } from "node:path";
import { afterEach, before } from "node:test";
import { caller } from "../support/caller.ts";
import { writeImageArchive } from "../support/image-archive.ts";
import { kernelTest } from "../support/kernel-test.ts";
import { hasRegistry, startRegistry } from "../support/registry.ts";
import { command, pycri } from "../support/run.ts";
import { home, makeOwned, scratch } from "../support/scratch.ts";
import { tar } from "../support/tar.ts";
import { busyboxLayer } from "../support/test-image.ts";

const store = join(home, ".local/share/pycri");
const IMAGE = "docker.io/library/stored:latest";
let archive = "";

const ok = async (...args: readonly string[]): Promise<string> => {
  const { status, stdout, stderr } = await pycri(args);
  assert.equal(status, 0, stderr);
  return stdout;
};

before(() => {
  archive = join(makeOwned(join(scratch, "archive")), "image.tar");
  const second = tar([
    { name: "private/", type: "5", mode: 0 },
    { name: "private/file", data: "x", mode: 0, uid: 33, gid: 44 },
    { name: "data/", type: "5", mode: 0o755, uid: 1000, gid: 1000 },
  ]);
  writeImageArchive(archive, [{ name: IMAGE, layers: [busyboxLayer(), second] }]);
});

/** Everything but directories of the store itself, the records and the locks. */
const contents = (root: string): readonly string[] =>
  ["blobs/sha256", "layers", "containers", "ingest", "staging"].flatMap((area) =>
    readdirSync(join(root, area)).map((name) => `${area}/${name}`),
  );

afterEach(async () => {
  await ok("system", "check", "--repair");
  await ok("image", "prune", "--all");
  assert.deepEqual(contents(store), []);
});

const blobOf = async (format: string): Promise<string> => {
  const digest = (await ok("image", "inspect", "--format", format, "stored")).trim();
  return join(store, "blobs/sha256", digest.slice("sha256:".length));
};

kernelTest("files of subordinate ids and directories without permissions are deleted", async () => {
  await ok("load", "-q", "-i", archive);
  assert.equal(await ok("rmi", "stored").then((text) => text.split("\n").length), 3);
  assert.deepEqual(contents(store), []);
});

interface Damage {
  readonly what: string;
  readonly harm: () => Promise<void>;
  /** What `system check` says. */
  readonly found: RegExp;
}

const layerOf = async (): Promise<string> => {
  const [top = ""] = (await ok("image", "inspect", "-f", "{{index .GraphDriver.Data.LowerDirs 0}}", "stored")).split(
    "\n",
  );
  return join(top, "..");
};

const DAMAGES: readonly Damage[] = [
  {
    what: "a layer's blob with a byte too many",
    harm: async () => appendFileSync(join(store, "blobs/sha256", await smallestLayer()), "x"),
    found:
      /^blob sha256:[0-9a-f]{64} does not have its digest\nimage sha256:[0-9a-f]{64} has lost sha256:[0-9a-f]{64}\n$/,
  },
  {
    what: "a configuration that was cut off",
    harm: async () => truncateSync(await blobOf("{{.Id}}"), 10),
    found: /^blob .* does not have its digest\nimage .* has lost .*\n$/,
  },
  {
    what: "a manifest that is gone",
    harm: async () => rmSync(await blobOf("{{.Digest}}")),
    found: /^image .* has lost .*\n$/,
  },
  {
    what: "a layer without its record",
    harm: async () => rmSync(join(await layerOf(), "layer.json")),
    found: /^layer .* has no record\n$/,
  },
  {
    what: "a layer's record that is no JSON",
    harm: async () => writeFileSync(join(await layerOf(), "layer.json"), "{"),
    found: /^layer .* has no record\n$/,
  },
  {
    what: "records of images that are no JSON",
    harm: async () => writeFileSync(join(store, "images.json"), "[]"),
    found: /^images\.json cannot be read\n$/,
  },
];

const smallestLayer = async (): Promise<string> => {
  const manifest = JSON.parse(readFileSync(await blobOf("{{.Digest}}"), "utf8")) as {
    layers: { digest: string; size: number }[];
  };
  const [smallest] = manifest.layers.toSorted((a, b) => a.size - b.size);
  return (smallest?.digest ?? "").slice("sha256:".length);
};

for (const { what, harm, found } of DAMAGES) {
  kernelTest(`check finds ${what}, --repair mends it, and the next load brings all back`, async () => {
    await ok("load", "-q", "-i", archive);
    const id = await ok("images", "-q", "--no-trunc");
    assert.equal(await ok("system", "check"), "");
    await harm();
    const { status, stdout } = await pycri(["system", "check"]);
    assert.equal(status, 1);
    assert.match(stdout, found);
    assert.match(await ok("system", "check", "--repair"), /: (?:removed|made anew, without names)\n/);
    assert.equal(await ok("system", "check"), "");
    await ok("load", "-q", "-i", archive);
    assert.equal(await ok("images", "-q", "--no-trunc"), id);
    assert.equal(await ok("run", "stored", "cat", "/data/kept"), "kept\n");
  });
}

kernelTest("left-over files and what a lost container wrote go with prune", async () => {
  await ok("load", "-q", "-i", archive);
  for (const path of ["ingest/half", "staging/half/file"]) {
    const file = join(store, path);
    if (path.includes("/file")) mkdirSync(join(file, ".."));
    writeFileSync(file, "x");
    chownSync(file, caller.uid, caller.gid);
    chownSync(join(file, ".."), caller.uid, caller.gid);
  }
  await ok("run", "--name", "lost", "stored", "sh", "-c", "echo 1 >/data/kept");
  assert.equal(await ok("system", "prune", "--all"), "", "the container needs its image");
  assert.equal(await ok("diff", "lost"), "C /data\nC /data/kept\n");
  // As after a restart of the machine.
  await command(["rm", "-rf", join(scratch, "run/pycri/containers"), join(scratch, "run/pycri/names")]);
  assert.match(await ok("system", "prune", "--all"), /^deleted: sha256:[0-9a-f]{64}\nTotal reclaimed space: /);
  assert.deepEqual(contents(store), []);
});

kernelTest(
  "where the disk is full a load says so and leaves nothing",
  async () => {
    const small = makeOwned(join(scratch, "small"));
    const owner = `uid=${caller.uid},gid=${caller.gid},mode=700`;
    // For less than a layer's blob; for the blobs, and not for what is in them.
    for (const size of ["1m", "3m"]) {
      execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size},${owner}`, "tmpfs", small]);
      try {
        const full = await pycri(["load", "-q", "-i", archive], { env: { XDG_DATA_HOME: small } });
        assert.equal(full.status, 125);
        assert.match(full.stderr, /^pycri: cannot .*: no space is left on the device\nhint: Make room: /);
        assert.deepEqual(contents(join(small, "pycri")), []);
      } finally {
        execFileSync("umount", [small]);
      }
    }
  },
  ["root"],
);

/** Counts what is asked of a registry, and passes it on. */
async function startCounter(
  host: string,
): Promise<{ readonly host: string; readonly counts: Map<string, number>; readonly server: Server }> {
  const counts = new Map<string, number>();
  const server = createServer((incoming, outgoing) => {
    const key = `${incoming.method} ${incoming.url}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
    const { method, url, headers } = incoming;
    const onward = request(`http://${host}${url}`, { method: method ?? "GET", headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    });
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return { host: `127.0.0.1:${port}`, counts, server };
}

kernelTest("parallel pulls fetch each blob and unpack each layer once", async (context) => {
  if (!hasRegistry()) {
    assert.notEqual(process.env["REQUIRE_KERNEL"], "1", "REQUIRE_KERNEL=1, but there is no registry");
    context.skip("docker-registry and its companions are not installed");
    return;
  }
  const registry = await startRegistry();
  await ok("load", "-q", "-i", archive);
  await ok("push", "-q", "stored", `${registry.host}/a:1`);
  await ok("image", "prune", "--all");

  const { host, counts, server } = await startCounter(registry.host);
  try {
    const pulls = await Promise.all(Array.from({ length: 5 }, () => pycri(["pull", `${host}/a:1`])));
    for (const { status, stderr } of pulls) assert.equal(status, 0, stderr);
    const blobs = [...counts].filter(([key]) => key.startsWith("GET") && key.includes("/blobs/"));
    assert.deepEqual(
      blobs.map(([, count]) => count),
      [1, 1, 1],
      "two layers and the configuration",
    );
    const said = pulls.map(({ stderr }) => stderr).join("");
    assert.equal(said.match(/: Pull complete$/gm)?.length, 2, said);
    assert.equal(said.match(/: Already exists$/gm)?.length, 5 * 2 - 2, said);
    assert.equal(readdirSync(join(store, "layers")).length, 2);
  } finally {
    server.closeAllConnections();
    server.close();
    await registry.stop();
  }
});
