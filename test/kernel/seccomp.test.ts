/** What the filters refuse, with the exact errno, and the same calls without a filter but with the capability. */
import assert from "node:assert/strict";
import { statusField, probe } from "../support/inside.ts";
import { kernelTest } from "../support/kernel-test.ts";

/** Every capability in the container's own namespace, so that what is refused is refused by the filter. */
const PRIVILEGED = ["--cap-add=ALL"];
const UNCONFINED = [...PRIVILEGED, "--security-opt=seccomp=unconfined"];

/** Call by call: the outcome of the kernel itself, and under the filters. */
const CALLS: Readonly<Record<string, readonly [unconfined: string, baseline: string]>> = {
  mount: ["ok", "EPERM"],
  umount: ["ENOENT", "EPERM"],
  pivot_root: ["ENOENT", "EPERM"],
  fsopen: ["ENODEV", "EPERM"],
  open_tree: ["ENOENT", "EPERM"],
  mount_setattr: ["EINVAL", "EPERM"],
  setns: ["EBADF", "EPERM"],
  unshare_mount: ["ok", "EPERM"],
  unshare_user: ["ok", "EPERM"],
  clone_user: ["ok", "EPERM"],
  clone3: ["EINVAL", "ENOSYS"],
  ptrace: ["ok", "EPERM"],
  process_vm_readv: ["EINVAL", "EPERM"],
  process_vm_writev: ["EINVAL", "EPERM"],
  bpf: ["E2BIG", "EPERM"],
  perf_event_open: ["EINVAL", "EPERM"],
  userfaultfd: ["EINVAL", "EPERM"],
  io_uring_setup: ["EFAULT", "EPERM"],
  keyctl: ["ok", "EPERM"],
  add_key: ["ok", "EPERM"],
  tiocsti: ["ENOTTY", "EPERM"],
  tiocsti_high_bits: ["ENOTTY", "EPERM"],
  tioclinux: ["ENOTTY", "EPERM"],
  personality: ["ok", "EPERM"],
};

/** Calls that no filter of ours may break. */
const HARMLESS = { unshare_files: "ok", personality_query: "ok", nosuchcall: "ENOSYS" } as const;

const expectation = (column: 0 | 1): Readonly<Record<string, string>> => ({
  ...Object.fromEntries(Object.entries(CALLS).map(([name, outcomes]) => [name, outcomes[column]])),
  ...HARMLESS,
});

/** Each call in a process of its own: an earlier one that passes (unshare) must not change the next. */
async function outcomes(flags: readonly string[]): Promise<Readonly<Record<string, string>>> {
  const names = [...Object.keys(CALLS), ...Object.keys(HARMLESS)];
  return probe(flags, [names.join("; probe ")]);
}

kernelTest("control: without a filter the kernel lets the calls through to their arguments", async () => {
  assert.deepEqual(await outcomes(UNCONFINED), expectation(0));
  assert.equal(await statusField(UNCONFINED, "Seccomp"), "0");
});

kernelTest("baseline refuses every one of them, whatever the capabilities", async () => {
  const flags = [...PRIVILEGED, "--security-opt=seccomp=baseline"];
  assert.deepEqual(await outcomes(flags), expectation(1));
  assert.equal(await statusField(flags, "Seccomp"), "2");
});

/** What Docker's default profile lets through and baseline does not: on Linux 4.8 and newer no tracer passes the filter. */
const DOCKER_ALLOWS = ["ptrace", "process_vm_readv", "process_vm_writev", "tiocsti", "tiocsti_high_bits", "tioclinux"];

kernelTest("default decides as Docker's, which refuses unshare(2) altogether", async () => {
  const passed = Object.entries(CALLS).filter(([name]) => DOCKER_ALLOWS.includes(name));
  assert.equal(passed.length, DOCKER_ALLOWS.length);
  assert.deepEqual(await outcomes([]), {
    ...expectation(1),
    ...Object.fromEntries(passed.map(([name, [unconfined]]) => [name, unconfined])),
    unshare_files: "EPERM",
  });
  assert.equal(await statusField([], "Seccomp"), "2");
});

kernelTest("a socket family is refused whatever stands in the bits that the kernel ignores", async () => {
  const names = ["vsock", "vsock_high_bits"];
  const control = await probe(UNCONFINED, names);
  // EAFNOSUPPORT: the kernel has no such family.
  assert.ok(["ok", "EAFNOSUPPORT", "ENODEV"].includes(control["vsock"] ?? ""), JSON.stringify(control));
  assert.equal(control["vsock_high_bits"], control["vsock"], "to the kernel both are the same call");
  for (const name of ["default", "ci"])
    assert.deepEqual(await probe([`--security-opt=seccomp=${name}`], names), {
      vsock: "EPERM",
      vsock_high_bits: "EPERM",
    });
});

kernelTest("the filter covers the i386 entry of the kernel", async (context) => {
  if (process.arch !== "x64") {
    context.skip("int 0x80 is x86's");
    return;
  }
  // EFAULT: mount(2) looked at its null arguments. ENOSYS: the kernel was built without i386 calls.
  const control = await probe(UNCONFINED, ["i386_mount"]);
  assert.ok(["EFAULT", "ENOSYS"].includes(control["i386_mount"] ?? ""));
  assert.deepEqual(await probe(["--security-opt=seccomp=baseline"], ["i386_mount"]), { i386_mount: "EPERM" });
  assert.deepEqual(await probe([], ["i386_mount"]), { i386_mount: "EPERM" });
});

kernelTest("a profile of one's own decides", async () => {
  const { writeFileSync } = await import("node:fs");
  const { scratch } = await import("../support/scratch.ts");
  const path = `${scratch}/own.json`;
  writeFileSync(
    path,
    JSON.stringify({
      defaultAction: "SCMP_ACT_ALLOW",
      syscalls: [{ names: ["sethostname"], action: "SCMP_ACT_ERRNO", errnoRet: 95 }],
    }),
  );
  assert.deepEqual(await probe([`--security-opt=seccomp=${path}`, "--cap-add=SYS_ADMIN"], ["sethostname"]), {
    sethostname: "EOPNOTSUPP",
  });
  assert.deepEqual(await probe(["--security-opt=seccomp=unconfined", "--cap-add=SYS_ADMIN"], ["sethostname"]), {
    sethostname: "ok",
  });
});

kernelTest("no_new_privs is set whatever the filter, and can be left out", async () => {
  assert.equal(await statusField([], "NoNewPrivs"), "1");
  assert.equal(await statusField(["--security-opt=seccomp=unconfined"], "NoNewPrivs"), "1");
  assert.equal(await statusField(["--security-opt=no-new-privileges=false"], "NoNewPrivs"), "0");
  assert.equal(await statusField(["--security-opt=no-new-privileges=false"], "Seccomp"), "2");
});
