/** `--security-opt`, `--cap-add`, `--cap-drop`, `--privileged`: text to `SecurityRequest`. Pure. */

import { resolve } from "node:path";
import type { RunRequest, SeccompSource, SecurityRequest } from "../../plan/run-request.ts";
import { invalidValue } from "./invalid-value.ts";
import type { Warn } from "./mounts.ts";

/** Names that `--security-opt seccomp=` takes beside files. */
const SECCOMP_PROFILES = ["default", "baseline", "strict", "ci", "unconfined"];

/** A built-in profile's name, or the path of a file, relative to `cwd`. */
export function parseSeccompSource(value: string, cwd: string): SeccompSource {
  switch (value) {
    case "unconfined":
      return { kind: "unconfined" };
    case "default":
    case "builtin":
      return { kind: "builtin", name: "default" };
    case "baseline":
    case "strict":
    case "ci":
      return { kind: "builtin", name: value };
    default:
      return { kind: "file", path: resolve(cwd, value) };
  }
}

/**
 * @param values of `--security-opt`, in order; a later one wins.
 * @param privileged what `--privileged` means without root: no filter, no masked paths, set-id programs work.
 */
export function parseSecurityOptions(
  values: readonly string[],
  privileged: boolean,
  cwd: string,
  warn: Warn,
): SecurityRequest {
  let seccomp: SeccompSource = privileged ? { kind: "unconfined" } : { kind: "builtin", name: "default" };
  let noNewPrivileges = !privileged;
  let apparmor: string | undefined = privileged ? "unconfined" : undefined;
  let landlock: SecurityRequest["landlock"] = privileged ? "off" : "auto";
  let hidepid: SecurityRequest["hidepid"];
  const mask: string[] = [];
  const unmask: string[] = privileged ? ["ALL"] : [];

  for (const value of values) {
    const separator = value.search(/[=:]/);
    const kind = separator < 0 ? value : value.slice(0, separator);
    const text = separator < 0 ? "" : value.slice(separator + 1);
    const bad = (hint: string): Error => invalidValue("--security-opt", value, hint);
    switch (kind) {
      case "seccomp":
        if (text === "") throw bad(`write seccomp=FILE or seccomp= one of ${SECCOMP_PROFILES.join(", ")}`);
        seccomp = parseSeccompSource(text, cwd);
        break;
      case "no-new-privileges":
        if (!["", "true", "false"].includes(text)) throw bad("no-new-privileges is true or false");
        noNewPrivileges = text !== "false";
        break;
      case "apparmor":
        if (text === "") throw bad("write apparmor=PROFILE or apparmor=unconfined");
        apparmor = text;
        break;
      case "landlock":
        if (text !== "auto" && text !== "require" && text !== "off") throw bad("landlock is auto, require or off");
        landlock = text;
        break;
      case "proc-opts": {
        const match = /^hidepid=(?:([0124])|(off|noaccess|invisible|ptraceable))$/.exec(text);
        if (match === null) throw bad("write proc-opts=hidepid=0, 1, 2 or 4");
        const level = match[1] ?? { off: 0, noaccess: 1, invisible: 2, ptraceable: 4 }[match[2] ?? "off"];
        hidepid = Number(level) as 0 | 1 | 2 | 4;
        break;
      }
      case "mask":
        mask.push(...parsePaths(text, bad));
        break;
      case "unmask":
        unmask.push(...(text.toUpperCase() === "ALL" ? ["ALL"] : parsePaths(text, bad)));
        break;
      case "systempaths":
        if (text !== "unconfined") throw bad("write systempaths=unconfined");
        unmask.push("ALL");
        break;
      case "label":
        if (text !== "disable") warn(`--security-opt ${value}: SELinux labels are left as they are`);
        break;
      default:
        throw bad("there are seccomp=, no-new-privileges, apparmor=, landlock=, proc-opts=, mask=, unmask=");
    }
  }
  return {
    seccomp,
    noNewPrivileges,
    ...(apparmor === undefined ? {} : { apparmor }),
    landlock,
    ...(hidepid === undefined ? {} : { hidepid }),
    mask,
    unmask,
  };
}

/** Absolute paths between colons. */
function parsePaths(text: string, bad: (hint: string) => Error): string[] {
  const paths = text.split(":");
  if (paths.some((path) => !path.startsWith("/"))) throw bad("write absolute paths between colons, or unmask=ALL");
  return paths;
}

/** `NET_ADMIN`, `cap_net_admin`, `all` → NET_ADMIN, NET_ADMIN, ALL. Whether the name exists is for planning to say. */
export function parseCapabilities(option: string, values: readonly string[]): RunRequest["capabilitiesAdd"] {
  return values.flatMap((value) =>
    value.split(",").map((name) => {
      const upper = name.trim().toUpperCase().replace(/^CAP_/, "");
      if (!/^[A-Z][A-Z0-9_]*$/.test(upper)) throw invalidValue(option, value, "write a name such as NET_ADMIN, or ALL");
      return upper;
    }),
  );
}
