/** The code behind `pycri info`. */

import { collectInfo, type Info } from "../engine/info.ts";
import type { SubordinateRange } from "../plan/host-facts.ts";
import type { Invocation } from "./command.ts";
import { parseTemplate } from "./go-template.ts";
import type { InfoValues } from "./info.ts";
import { writeJson, writeOutput } from "./output.ts";

export function execute({ values }: Invocation<InfoValues>): number {
  const format = values.format ?? "text";
  const template = format === "text" || format === "json" ? null : parseTemplate(format);
  const info = collectInfo(process.env);
  if (format === "json") writeJson(info);
  else writeOutput(template === null ? formatInfo(info) : `${template(info)}\n`);
  return 0;
}

const LABEL_WIDTH = 22;

/** One line for each fact, sections set off by their titles. Pure. */
export function formatInfo(info: Info): string {
  const { pycri, node, kernel, caller, ids, security, storage, cgroup, systemd, paths } = info;
  const sections: readonly (readonly [title: string, facts: readonly (readonly [name: string, value: string])[]])[] = [
    [
      "pycri",
      [
        ["version", pycri.version],
        ["Node", `${node.version}, ${node.program}`],
        ["installation", paths.installation],
        ["runtime directory", paths.runtimeDirectory],
        ["cache directory", paths.cacheDirectory ?? "none"],
        ["data directory", paths.dataDirectory ?? "none"],
      ],
    ],
    [
      "Kernel",
      [
        ["release", `${kernel.release} (${kernel.architecture})`],
        ["namespaces", info.namespaces.join(", ")],
        ...Object.entries(info.sysctls).flatMap(([name, value]): [string, string][] =>
          value === null ? [] : [[name, String(value)]],
        ),
      ],
    ],
    [
      "You",
      [
        ["user", `${caller.user ?? "without a name"} (uid ${caller.uid}, gid ${caller.gid})`],
        ["capabilities", formatList(caller.capabilities.map((name) => name.replace(/^CAP_/, "")))],
        ["no_new_privs", yesNo(caller.noNewPrivileges)],
        ["subordinate user ids", formatRanges(ids.subuid)],
        ["subordinate group ids", formatRanges(ids.subgid)],
        ["newuidmap", formatTool(ids.newuidmap)],
        ["newgidmap", formatTool(ids.newgidmap)],
      ],
    ],
    [
      "Security",
      [
        ["modules", security.lsms === null ? "unknown" : formatList(security.lsms)],
        ["AppArmor", security.apparmor.enabled ? `on, ${security.apparmor.profile ?? "unknown profile"}` : "off"],
        [
          "SELinux",
          security.selinuxEnforcing === null ? "off" : security.selinuxEnforcing ? "enforcing" : "permissive",
        ],
        ["Landlock", security.landlockAbi === 0 ? "off" : `ABI ${security.landlockAbi}`],
        ["seccomp actions", formatList(security.seccompActions)],
      ],
    ],
    [
      "Storage",
      [
        ["overlayfs", yesNo(storage.overlay)],
        ["fuse-overlayfs", storage.fuseOverlayfs ?? "no"],
      ],
    ],
    [
      "Limits",
      [
        ["cgroup layout", cgroup.layout],
        ["manager", cgroup.lack === null ? cgroup.manager : `none: ${cgroup.lack.reason}`],
        ["controllers", formatList(cgroup.controllers)],
      ],
    ],
    [
      "Around",
      [
        [
          "systemd",
          systemd.running ? `running, lingering ${systemd.lingering === true ? "on" : "off"}` : "not running",
        ],
        ...Object.entries(info.devices),
        ...Object.entries(info.programs)
          .filter(([name]) => !name.startsWith("new") && name !== "fuse-overlayfs")
          .map(([name, path]): [string, string] => [name, path ?? "not installed"]),
      ],
    ],
  ];
  return sections
    .map(
      ([title, facts]) =>
        `${title}\n${facts.map(([name, value]) => `  ${name.padEnd(LABEL_WIDTH)}${name.length >= LABEL_WIDTH ? "  " : ""}${value}\n`).join("")}`,
    )
    .join("");
}

function yesNo(value: boolean): string {
  return value ? "yes" : "no";
}

function formatList(items: readonly string[]): string {
  return items.length === 0 ? "none" : items.join(", ");
}

function formatRanges(ranges: readonly SubordinateRange[]): string {
  return formatList(ranges.map(({ start, count }) => `${start}-${start + count - 1}`));
}

function formatTool(tool: Info["ids"]["newuidmap"]): string {
  if (tool === null) return "not installed";
  return tool.privileged ? tool.path : `${tool.path}, without privilege`;
}
