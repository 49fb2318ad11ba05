/**
 * Kernel parameters (`--sysctl`). Only those that belong to a namespace of the container's own are allowed: any other
 * would change the host.
 */

import { RuntimeError } from "../errors.ts";
import type { Linux, NamespaceType } from "../oci/spec.ts";
import { makesNamespace } from "./namespaces.ts";
import type { ContainerOperation } from "./operations.ts";

const IPC_KEYS: ReadonlySet<string> = new Set([
  "kernel.msgmax",
  "kernel.msgmnb",
  "kernel.msgmni",
  "kernel.sem",
  "kernel.shmall",
  "kernel.shmmax",
  "kernel.shmmni",
  "kernel.shm_rmid_forced",
]);

/** UTS names have a flag of their own, which /etc/hostname and HOSTNAME follow. */
const HOSTNAME_FLAGS: Readonly<Record<string, string>> = {
  "kernel.hostname": "--hostname",
  "kernel.domainname": "the Spec's domainname",
};

/** The namespace a parameter belongs to, or undefined when it is the host's. */
function ownerOf(key: string): NamespaceType | undefined {
  if (key.startsWith("net.")) return "network";
  if (IPC_KEYS.has(key) || key.startsWith("fs.mqueue.")) return "ipc";
  return undefined;
}

/** After proc is mounted in the root. */
export function planSysctls(linux: Linux): readonly ContainerOperation[] {
  return Object.entries(linux.sysctl ?? {}).map(([name, value]) => {
    // sysctl(8) takes slashes for dots, so that an interface name may contain a dot: net/ipv4/conf/eth0.1/forwarding.
    const slash = name.indexOf("/");
    const usesSlashes = slash !== -1 && (name.indexOf(".") === -1 || slash < name.indexOf("."));
    const parts = name.split(usesSlashes ? "/" : ".");
    const key = parts.join(".");
    if (parts.some((part) => part === "" || part === "." || part === ".." || part.includes("\0"))) {
      throw new RuntimeError("INVALID_ARGUMENT", `Invalid sysctl name "${name}"`);
    }
    const flag = Object.hasOwn(HOSTNAME_FLAGS, key) ? HOSTNAME_FLAGS[key] : undefined;
    if (flag !== undefined) {
      throw new RuntimeError("INVALID_ARGUMENT", `The sysctl "${name}" is set by ${flag}`);
    }
    const owner = ownerOf(key);
    if (owner === undefined) {
      throw new RuntimeError("INVALID_ARGUMENT", `The sysctl "${name}" is not namespaced: it would change the host`, {
        hint: "Allowed are net.*, kernel.msg*, kernel.sem, kernel.shm* and fs.mqueue.*.",
      });
    }
    if (!makesNamespace(linux, owner)) {
      const option = owner === "network" ? "--network host" : "--ipc host";
      throw new RuntimeError("INVALID_ARGUMENT", `The sysctl "${name}" needs the container's own ${owner} namespace`, {
        hint: `Leave out ${option}, or the sysctl.`,
      });
    }
    return { op: "setSysctl", key: parts.join("/"), value };
  });
}
