/** From options to a request: every value parser, and the defaults. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseEnvironmentFile, parseEnvironmentVariable } from "../../../src/engine/request/environment.ts";
import { parseIdMapping, parseTimeOffset, parseUserNamespace } from "../../../src/engine/request/identity.ts";
import { parseResources, parseUlimit } from "../../../src/engine/request/limits.ts";
import { parseDevice, parseMount, parseTmpfs, parseVolume } from "../../../src/engine/request/mounts.ts";
import { parseOctal, parseSize } from "../../../src/engine/request/numbers.ts";
import { buildRunRequest, type CallerContext, type RunOptions } from "../../../src/engine/request/run-options.ts";
import { parseCapabilities, parseSecurityOptions } from "../../../src/engine/request/security.ts";
import { type ErrorCode, RuntimeError } from "../../../src/errors.ts";

const warnings: string[] = [];
const warn = (message: string) => void warnings.push(message);

const CONTEXT: CallerContext = {
  workingDirectory: "/there",
  environment: { HOME: "/home/me", EMPTY: "" },
  terminalSize: { rows: 24, columns: 80 },
  readFile: (_option, path) => {
    assert.equal(path, "/there/vars");
    return "A=file\nB=file\nHOME\n";
  },
  isDirectory: (path) => path === "/there/rootfs",
  warn,
};

const build = (options: Partial<RunOptions>) => buildRunRequest({ rootfs: "./r", ...options }, CONTEXT);

/** The call fails with this code, and its message quotes the value. */
function refuses(call: () => unknown, value: string, code: ErrorCode = "INVALID_ARGUMENT"): void {
  assert.throws(call, (error: unknown) => {
    assert.ok(error instanceof RuntimeError, String(error));
    assert.equal(error.code, code);
    assert.ok(error.message.includes(`"${value}"`), error.message);
    assert.ok(error.hint !== undefined);
    return true;
  });
}

test("sizes: units are powers of 1024, letters' case does not matter", () => {
  const cases: readonly (readonly [string, number])[] = [
    ["0", 0],
    ["512", 512],
    ["512b", 512],
    ["1k", 1024],
    ["1KB", 1024],
    ["1KiB", 1024],
    ["1.5g", 1_610_612_736],
    ["256M", 268_435_456],
    ["2t", 2_199_023_255_552],
  ];
  for (const [text, bytes] of cases) assert.equal(parseSize("--memory", text), bytes, text);
  for (const text of ["", "x", "1x", "-1", "1.", ".5m", "1mm", "1 m b", "9999999p", "1e3", "0x10"]) {
    refuses(() => parseSize("--memory", text), text);
  }
});

test("sizes: n units are n times one unit", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4096 }), fc.constantFrom("", "b", "k", "m", "g"), (count, unit) => {
      assert.equal(parseSize("--memory", `${count}${unit}`), count * parseSize("--memory", `1${unit}`));
    }),
  );
});

test("octal permission bits", () => {
  assert.equal(parseOctal("--umask", "022", 0o777), 0o022);
  for (const text of ["8", "1777", "", "rwx", "-1"]) refuses(() => parseOctal("--umask", text, 0o777), text);
});

test("volumes", () => {
  const bind = {
    kind: "bind",
    source: "/a",
    target: "/b",
    readOnly: false,
    recursive: true,
    recursiveReadOnly: false,
    propagation: "rprivate",
    createSource: true,
    idmap: false,
    options: [],
  };
  const volume = (value: string) => parseVolume(value, "/there", warn);
  assert.deepEqual(volume("/a:/b"), bind);
  assert.deepEqual(volume("./a/../c:/b/./d/"), { ...bind, source: "/there/c", target: "/b/d" });
  assert.deepEqual(volume(".:/b:ro"), { ...bind, source: "/there", readOnly: true, recursiveReadOnly: true });
  assert.deepEqual(volume("/a:/b:rw,bind,rslave,noexec,nosuid,idmap,cached"), {
    ...bind,
    recursive: false,
    propagation: "rslave",
    options: ["noexec", "nosuid"],
    idmap: true,
  });
  for (const value of ["", "/a", "/a:", ":/b", "/a:b", "/a:/", "/a:/b:ro:x", "/a:/b:bogus", "data:/b", "/a:/x/.."]) {
    refuses(() => volume(value), value);
  }
});

test("SELinux relabelling warns and changes nothing", () => {
  warnings.length = 0;
  assert.deepEqual(parseVolume("/a:/b:Z", "/", warn), parseVolume("/a:/b", "/", warn));
  assert.equal(warnings.length, 1);
});

test("mounts in the long form", () => {
  const mount = (value: string) => parseMount(value, "/there", warn);
  assert.deepEqual(mount("type=bind,src=a,dst=/b,readonly,bind-propagation=shared"), {
    kind: "bind",
    source: "/there/a",
    target: "/b",
    readOnly: true,
    recursive: true,
    recursiveReadOnly: true,
    propagation: "shared",
    createSource: false,
    idmap: false,
    options: [],
  });
  const writable = mount("type=bind,source=/a,target=/b,ro=true,bind-recursive=writable");
  assert.ok(writable.kind === "bind" && writable.readOnly && !writable.recursiveReadOnly);
  const flat = mount("type=bind,source=/a,target=/b,bind-nonrecursive");
  assert.ok(flat.kind === "bind" && !flat.recursive);
  assert.deepEqual(mount("type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=1777,noexec"), {
    kind: "tmpfs",
    target: "/t",
    readOnly: false,
    size: 1_048_576,
    mode: 0o1777,
    options: ["noexec"],
  });
  for (const value of [
    "target=/b",
    "type=volume,target=/b",
    "type=bind,target=/b",
    "type=bind,source=/a",
    "type=bind,source=/a,target=b",
    "type=bind,source=/a,target=/b,bind-propagation=x",
    "type=bind,source=/a,target=/b,readonly=maybe",
    "type=bind,source=/a,target=/b,colour=red",
    "type=tmpfs,target=/t,size=x1",
  ]) {
    assert.throws(() => mount(value), { code: "INVALID_ARGUMENT" });
  }
});

test("tmpfs and devices", () => {
  assert.deepEqual(parseTmpfs("/t:size=64k,mode=700,ro", warn), {
    kind: "tmpfs",
    target: "/t",
    readOnly: true,
    size: 65_536,
    mode: 0o700,
    options: [],
  });
  refuses(() => parseTmpfs("/t:bogus", warn), "/t:bogus");
  assert.deepEqual(parseDevice("/dev/fuse"), { source: "/dev/fuse", target: "/dev/fuse", access: "rwm" });
  assert.deepEqual(parseDevice("/dev/fuse:r"), { source: "/dev/fuse", target: "/dev/fuse", access: "r" });
  assert.deepEqual(parseDevice("/dev/a:/dev/b:rw"), { source: "/dev/a", target: "/dev/b", access: "rw" });
  for (const value of ["fuse", "/dev/a:/dev/b:x", "/dev/a:/dev/b:rw:x", ""]) refuses(() => parseDevice(value), value);
});

test("user namespaces", () => {
  assert.deepEqual(parseUserNamespace("default"), { kind: "default" });
  assert.deepEqual(parseUserNamespace("keep-id"), { kind: "keep-id" });
  assert.deepEqual(parseUserNamespace("keep-id:uid=1000,gid=100"), { kind: "keep-id", uid: 1000, gid: 100 });
  assert.deepEqual(parseUserNamespace("auto:size=4096"), { kind: "auto", size: 4096 });
  for (const value of ["host", "bogus", "keep-id:size=3", "auto:uid=3", "nomap:uid=1", "keep-id:uid=x"]) {
    assert.throws(() => parseUserNamespace(value), { code: "INVALID_ARGUMENT" });
  }
});

test("id maps and time offsets", () => {
  assert.deepEqual(parseIdMapping("--uidmap", "0:100000:65536"), { containerID: 0, hostID: 100_000, size: 65_536 });
  assert.deepEqual(parseIdMapping("--uidmap", "0:1000"), { containerID: 0, hostID: 1000, size: 1 });
  for (const value of ["0", "0:1:2:3", "a:1:1"]) {
    assert.throws(() => parseIdMapping("--uidmap", value), { code: "INVALID_ARGUMENT" });
  }
  assert.deepEqual(parseTimeOffset("-1.5"), { monotonic: -1.5, boottime: -1.5 });
  assert.deepEqual(parseTimeOffset("boottime=86400"), { monotonic: 0, boottime: 86_400 });
  refuses(() => parseTimeOffset("realtime=1"), "realtime=1");
});

test("environment variables: bare names take the caller's value or vanish", () => {
  const host = CONTEXT.environment;
  assert.equal(parseEnvironmentVariable("A=b=c", host), "A=b=c");
  assert.equal(parseEnvironmentVariable("HOME", host), "HOME=/home/me");
  assert.equal(parseEnvironmentVariable("EMPTY", host), "EMPTY=");
  assert.equal(parseEnvironmentVariable("ABSENT", host), null);
  for (const value of ["", "=x"]) refuses(() => parseEnvironmentVariable(value, host), value);
});

test("environment files as Docker reads them", () => {
  const text = '\uFEFF# comment\n\n  A=1 \r\nB="quoted"\nHOME\nABSENT\n';
  assert.deepEqual(parseEnvironmentFile(text, "f", CONTEXT.environment), ["A=1 ", 'B="quoted"', "HOME=/home/me"]);
  assert.throws(() => parseEnvironmentFile("ok=1\nbad name=1\n", "f", {}), {
    code: "INVALID_ARGUMENT",
    details: { path: "f", line: 2 },
  });
});

test("files come before options, so that options win", () => {
  const { environment } = build({ environment: ["A=option"], environmentFiles: ["vars"] });
  assert.deepEqual(environment, ["A=file", "B=file", "HOME=/home/me", "A=option"]);
});

test("ulimits", () => {
  assert.deepEqual(parseUlimit("nofile=1024:2048"), { type: "RLIMIT_NOFILE", soft: 1024, hard: 2048 });
  assert.deepEqual(parseUlimit("core=-1"), { type: "RLIMIT_CORE", soft: null, hard: null });
  assert.deepEqual(parseUlimit("RLIMIT_NPROC=5"), { type: "RLIMIT_NPROC", soft: 5, hard: 5 });
  for (const value of ["nofile", "bogus=1", "nofile=2:1", "nofile=unlimited:5", "nofile=x", ""]) {
    assert.throws(() => parseUlimit(value), { code: "INVALID_ARGUMENT" });
  }
});

test("cgroup limits", () => {
  assert.deepEqual(parseResources({ memory: "256m", memorySwap: "-1", cpus: "1.5", pidsLimit: "0", cpuShares: "0" }), {
    memory: 268_435_456,
    memorySwap: -1,
    cpuQuota: 150_000,
    cpuPeriod: 100_000,
    pidsLimit: -1,
  });
  assert.deepEqual(parseResources({ deviceReadBps: ["/dev/sda:1mb"], blkioWeightDevice: ["/dev/sda:100"] }), {
    blkioWeightDevice: [{ path: "/dev/sda", weight: 100 }],
    deviceReadBps: [{ path: "/dev/sda", rate: 1_048_576 }],
  });
  assert.deepEqual(parseResources({ memory: "0" }), {});
  refuses(() => parseResources({ memory: "2m", memorySwap: "1m" }), "1m");
  refuses(() => parseResources({ memorySwap: "1m" }), "1m");
  refuses(() => parseResources({ cpus: "0.001" }), "0.001");
  refuses(() => parseResources({ cpus: "1", cpuQuota: "1000" }), "1");
  refuses(() => parseResources({ cpusetCpus: "0-" }), "0-");
  refuses(() => parseResources({ deviceReadBps: ["sda:1"] }), "sda:1");
});

test("security options: the defaults are confined", () => {
  const parse = (values: string[], privileged = false) => parseSecurityOptions(values, privileged, "/there", warn);
  assert.deepEqual(parse([]), {
    seccomp: { kind: "builtin", name: "default" },
    noNewPrivileges: true,
    landlock: "auto",
    mask: [],
    unmask: [],
  });
  assert.deepEqual(parse(["seccomp=p.json"]).seccomp, { kind: "file", path: "/there/p.json" });
  assert.deepEqual(parse(["seccomp:unconfined"]).seccomp, { kind: "unconfined" });
  assert.deepEqual(
    parse(["seccomp=strict", "no-new-privileges=false", "proc-opts=hidepid=invisible", "mask=/a:/b", "unmask=all"]),
    {
      seccomp: { kind: "builtin", name: "strict" },
      noNewPrivileges: false,
      landlock: "auto",
      hidepid: 2,
      mask: ["/a", "/b"],
      unmask: ["ALL"],
    },
  );
  assert.deepEqual(parse([], true), {
    seccomp: { kind: "unconfined" },
    noNewPrivileges: false,
    apparmor: "unconfined",
    landlock: "off",
    mask: [],
    unmask: ["ALL"],
  });
  for (const value of ["seccomp", "bogus=1", "landlock=maybe", "mask=relative", "apparmor=", "proc-opts=hidepid=3"]) {
    refuses(() => parse([value]), value);
  }
});

test("capabilities are names without CAP_, in upper case", () => {
  assert.deepEqual(parseCapabilities("--cap-add", ["net_admin", "CAP_SYS_PTRACE,chown", "all"]), [
    "NET_ADMIN",
    "SYS_PTRACE",
    "CHOWN",
    "ALL",
  ]);
  refuses(() => parseCapabilities("--cap-add", ["net admin"]), "net admin");
});

test("ROOTFS: directories have a slash or a dot, host is built in, the rest are images", () => {
  assert.deepEqual(build({ rootfs: "./r" }).root, { kind: "directory", path: "/there/r" });
  assert.deepEqual(build({ rootfs: "." }).root, { kind: "directory", path: "/there" });
  assert.deepEqual(build({ rootfs: "/srv/r/" }).root, { kind: "directory", path: "/srv/r" });
  assert.deepEqual(build({ rootfs: "host" }).root, { kind: "host" });
  refuses(() => build({ rootfs: "alpine" }), "alpine", "IMAGE_NOT_FOUND");
  assert.throws(() => build({ rootfs: "rootfs" }), { code: "IMAGE_NOT_FOUND", hint: /write \.\/rootfs/ });
});

test("defaults of a request", () => {
  const request = build({});
  assert.deepEqual(request.command, ["/bin/sh"]);
  assert.equal(request.remove, true);
  assert.equal(request.interactive, true);
  assert.equal(request.network, "none");
  assert.equal(request.shmSize, 67_108_864);
  assert.deepEqual(request.writes, { kind: "discard" });
  assert.equal(request.cgroups, "enabled");
  assert.equal("terminalSize" in request, false);
  assert.deepEqual(build({ terminal: true }).terminalSize, { rows: 24, columns: 80 });
});

test("a name keeps the record, unless --rm", () => {
  assert.equal(build({ name: "web" }).remove, false);
  assert.equal(build({ name: "web", remove: true }).remove, true);
  refuses(() => build({ name: "-x" }), "-x");
  refuses(() => build({ name: "../x" }), "../x");
});

test("options that exclude each other", () => {
  refuses(() => build({ upper: "u", writes: "refuse" }), "u");
  refuses(() => build({ userns: "nomap", uidMappings: ["0:0:1"] }), "nomap");
  refuses(() => build({ rootfs: "host", writes: "through" }), "host");
});

test("one id map stands for both", () => {
  const map = [{ containerID: 0, hostID: 5, size: 2 }];
  assert.deepEqual(build({ uidMappings: ["0:5:2"] }).userNamespace, {
    kind: "explicit",
    uidMappings: map,
    gidMappings: map,
  });
});

test("limits in per cent", () => {
  assert.deepEqual(parseResources({ memory: "50%", cpus: "12.5%", pidsLimit: "1%" }), {
    percent: { memory: 50, cpus: 12.5, pids: 1 },
  });
  assert.deepEqual(parseResources({ memory: "50%", memorySwap: "1g" }), {
    percent: { memory: 50 },
    memorySwap: 1_073_741_824,
  });
  for (const text of ["0%", "101%", "-5%", "x%", "%"]) refuses(() => parseResources({ memory: text }), text);
});

test("huge pages, and files of cgroup v2 as they are", () => {
  assert.deepEqual(
    parseResources({ hugepageLimits: ["2MB:64m", "1GB:-1"], cgroupConf: ["io.latency=8:0 target=10=20"] }),
    {
      hugepageLimits: [
        { pageSize: "2MB", limit: 67_108_864 },
        { pageSize: "1GB", limit: -1 },
      ],
      unified: { "io.latency": "8:0 target=10=20" },
    },
  );
  for (const text of ["2MB", "2:64m", "../x:1"]) refuses(() => parseResources({ hugepageLimits: [text] }), text);
  for (const text of ["memory.high", "=1"]) refuses(() => parseResources({ cgroupConf: [text] }), text);
});

test("an update may name the sum of memory and swap alone", () => {
  assert.deepEqual(parseResources({ memorySwap: "1g" }, "update"), { memorySwap: 1_073_741_824 });
  refuses(() => parseResources({ memorySwap: "1g" }), "1g");
  refuses(() => parseResources({ memory: "2g", memorySwap: "1g" }, "update"), "1g");
});
