/** `--volume`, `--mount`, `--tmpfs` and `--device`: text to `MountRequest` and `DeviceRequest`. Pure. */

import { resolve } from "node:path";
import { RuntimeError } from "../../errors.ts";
import type { DeviceRequest, MountRequest, Propagation } from "../../plan/run-request.ts";
import { invalidValue } from "./invalid-value.ts";
import { parseOctal, parseSize } from "./numbers.ts";

type BindMount = Extract<MountRequest, { kind: "bind" }>;
type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

const PROPAGATIONS: ReadonlySet<string> = new Set<Propagation>([
  "private",
  "rprivate",
  "slave",
  "rslave",
  "shared",
  "rshared",
  "unbindable",
  "runbindable",
]);

/** Flags of mount(8) that reach the kernel as they are. */
const MOUNT_FLAGS: ReadonlySet<string> = new Set(
  ["suid", "dev", "exec", "atime", "diratime", "symfollow"]
    .flatMap((flag) => [flag, `no${flag}`])
    .concat("relatime", "norelatime", "strictatime", "nostrictatime"),
);

/** Options with a meaning elsewhere that change nothing here: copying into volumes, and file sharing on macOS. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set(["copy", "nocopy", "consistent", "cached", "delegated"]);

/** SELinux relabelling. */
const RELABEL: ReadonlySet<string> = new Set(["z", "Z"]);

const TARGET_HINT = "the path in the container is absolute and not /";

/** Tells the caller about something that was asked for and has no effect. */
export type Warn = (message: string) => void;

function parseTarget(option: string, value: string, target: string): string {
  const path = resolve("/", target);
  if (!target.startsWith("/") || path === "/") throw invalidValue(option, value, TARGET_HINT);
  return path;
}

/**
 * `-v SOURCE:TARGET[:OPTION,…]`.
 * @param cwd that a relative SOURCE begins at.
 */
export function parseVolume(value: string, cwd: string, warn: Warn): MountRequest {
  const parts = value.split(":");
  const [source = "", target = "", optionText = ""] = parts;
  if (parts.length === 1 && source.startsWith("/")) {
    throw invalidValue("--volume", value, `for an empty writable directory use --tmpfs ${source}`);
  }
  if (parts.length < 2 || parts.length > 3 || source === "") {
    throw invalidValue("--volume", value, "write SOURCE:TARGET[:ro]; for paths with a colon use --mount");
  }
  if (!source.startsWith("/") && !source.startsWith(".")) {
    throw new RuntimeError("INVALID_ARGUMENT", `Cannot use --volume: "${value}": "${source}" names a volume`, {
      hint: `pycri binds directories: write ./${source}:${target} for the directory "${source}" here`,
      details: { option: "--volume", value },
    });
  }
  const mount: Writable<BindMount> = {
    kind: "bind",
    source: resolve(cwd, source),
    target: parseTarget("--volume", value, target),
    readOnly: false,
    recursive: true,
    recursiveReadOnly: false,
    propagation: "rprivate",
    createSource: true,
    idmap: false,
    options: [],
  };
  for (const word of optionText.split(",")) if (word !== "") applyBindOption("--volume", value, mount, word, warn);
  return mount;
}

function applyBindOption(option: string, value: string, mount: Writable<BindMount>, word: string, warn: Warn): void {
  if (PROPAGATIONS.has(word)) mount.propagation = word as Propagation;
  else if (MOUNT_FLAGS.has(word)) mount.options = [...mount.options, word];
  else if (WITHOUT_EFFECT.has(word)) return;
  else if (RELABEL.has(word)) warn(`${option} ${value}: SELinux labels are left as they are`);
  else if (word === "ro" || word === "readonly") {
    mount.readOnly = true;
    mount.recursiveReadOnly = true;
  } else if (word === "rro") {
    mount.readOnly = true;
    mount.recursive = true;
    mount.recursiveReadOnly = true;
  } else if (word === "rw") {
    mount.readOnly = false;
    mount.recursiveReadOnly = false;
  } else if (word === "bind") mount.recursive = false;
  else if (word === "rbind") mount.recursive = true;
  else if (word === "idmap") mount.idmap = true;
  else {
    throw invalidValue(
      option,
      value,
      `"${word}" is no mount option; there are ro, rw, bind, rbind, idmap, a propagation such as rslave, and flags such as noexec`,
    );
  }
}

/** `--mount type=bind,source=…,target=…` and `--mount type=tmpfs,target=…`, as Docker and Podman spell them. */
export function parseMount(value: string, cwd: string, warn: Warn): MountRequest {
  const fields = value.split(",").map((field) => {
    const equals = field.indexOf("=");
    return equals < 0 ? { key: field, text: null } : { key: field.slice(0, equals), text: field.slice(equals + 1) };
  });
  const find = (...keys: readonly string[]): string | null =>
    fields.findLast(({ key }) => keys.includes(key))?.text ?? null;

  const type = find("type");
  const target = find("target", "destination", "dst");
  if (target === null) throw invalidValue("--mount", value, "target=PATH is missing");
  const rest = fields.filter(({ key }) => !["type", "target", "destination", "dst", "source", "src"].includes(key));
  if (type === "tmpfs") return parseTmpfsFields("--mount", value, target, rest, warn);
  if (type !== "bind") {
    throw invalidValue("--mount", value, "the type is bind (a host directory or file) or tmpfs; write type=bind,…");
  }
  const source = find("source", "src");
  if (source === null || source === "") throw invalidValue("--mount", value, "source=PATH is missing");
  const mount: Writable<BindMount> = {
    kind: "bind",
    source: resolve(cwd, source),
    target: parseTarget("--mount", value, target),
    readOnly: false,
    recursive: true,
    recursiveReadOnly: false,
    propagation: "rprivate",
    createSource: false,
    idmap: false,
    options: [],
  };
  for (const { key, text } of rest) applyMountField(value, mount, key, text, warn);
  return mount;
}

/** Whether a bare or boolean field is on. */
function isOn(value: string, key: string, text: string | null): boolean {
  if (text === null || text === "true" || text === "1") return true;
  if (text === "false" || text === "0") return false;
  throw invalidValue("--mount", value, `"${key}" is true or false`);
}

function applyMountField(
  value: string,
  mount: Writable<BindMount>,
  key: string,
  text: string | null,
  warn: Warn,
): void {
  switch (key) {
    case "ro":
    case "readonly":
      return applyBindOption("--mount", value, mount, isOn(value, key, text) ? "ro" : "rw", warn);
    case "rw":
      return applyBindOption("--mount", value, mount, isOn(value, key, text) ? "rw" : "ro", warn);
    case "bind-propagation":
      if (!PROPAGATIONS.has(text ?? "")) {
        throw invalidValue("--mount", value, `bind-propagation is one of ${[...PROPAGATIONS].join(", ")}`);
      }
      mount.propagation = text as Propagation;
      return;
    case "bind-nonrecursive":
      mount.recursive = !isOn(value, key, text);
      return;
    case "bind-create-src":
      mount.createSource = isOn(value, key, text);
      return;
    case "bind-recursive":
      return applyRecursion(value, mount, text ?? "");
    case "relabel":
      warn(`--mount ${value}: SELinux labels are left as they are`);
      return;
    default:
      if (text !== null) throw invalidValue("--mount", value, `"${key}" is no field of type=bind`);
      applyBindOption("--mount", value, mount, key, warn);
  }
}

/** Docker's bind-recursive: disabled, enabled, writable (only the top is read-only) or readonly (all of it, required). */
function applyRecursion(value: string, mount: Writable<BindMount>, text: string): void {
  if (!["enabled", "disabled", "writable", "readonly"].includes(text)) {
    throw invalidValue("--mount", value, "bind-recursive is one of enabled, disabled, writable, readonly");
  }
  mount.recursive = text !== "disabled";
  if (text === "writable") mount.recursiveReadOnly = false;
  if (text === "readonly") mount.recursiveReadOnly = mount.readOnly;
}

/** `--tmpfs TARGET[:OPTION,…]`. */
export function parseTmpfs(value: string, warn: Warn): MountRequest {
  const colon = value.indexOf(":");
  const target = colon < 0 ? value : value.slice(0, colon);
  const words =
    colon < 0
      ? []
      : value
          .slice(colon + 1)
          .split(",")
          .filter(Boolean);
  const fields = words.map((word) => {
    const equals = word.indexOf("=");
    return equals < 0 ? { key: word, text: null } : { key: word.slice(0, equals), text: word.slice(equals + 1) };
  });
  return parseTmpfsFields("--tmpfs", value, target, fields, warn);
}

function parseTmpfsFields(
  option: string,
  value: string,
  target: string,
  fields: readonly { readonly key: string; readonly text: string | null }[],
  warn: Warn,
): MountRequest {
  const path = parseTarget(option, value, target);
  let readOnly = false;
  let size: number | undefined;
  let mode: number | undefined;
  const options: string[] = [];
  for (const { key, text } of fields) {
    if (key === "size" || key === "tmpfs-size") size = parseSize(option, text ?? "");
    else if (key === "mode" || key === "tmpfs-mode") mode = parseOctal(option, text ?? "", 0o7777);
    else if (key === "ro" || key === "readonly") readOnly = text === null || isOn(value, key, text);
    else if (key === "rw") readOnly = !(text === null || isOn(value, key, text));
    else if (text === null && MOUNT_FLAGS.has(key)) options.push(key);
    else if (RELABEL.has(key) || key === "relabel") warn(`${option} ${value}: SELinux labels are left as they are`);
    else if (["uid", "gid", "nr_inodes"].includes(key) && /^\d+$/.test(text ?? "")) options.push(`${key}=${text}`);
    else {
      throw invalidValue(
        option,
        value,
        `"${key}" is no option of a tmpfs; there are size=, mode=, uid=, gid=, ro, and flags such as noexec`,
      );
    }
  }
  return {
    kind: "tmpfs",
    target: path,
    readOnly,
    ...(size === undefined ? {} : { size }),
    ...(mode === undefined ? {} : { mode }),
    options,
  };
}

/** `--device HOST[:CONTAINER][:rwm]`. */
export function parseDevice(value: string): DeviceRequest {
  const [source = "", second = "", third, ...more] = value.split(":");
  const secondIsAccess = third === undefined && /^[rwm]{1,3}$/.test(second);
  const target = secondIsAccess || second === "" ? source : second;
  const access = (secondIsAccess ? second : third) ?? "rwm";
  if (!source.startsWith("/") || !target.startsWith("/") || !/^[rwm]{1,3}$/.test(access) || more.length > 0) {
    throw invalidValue("--device", value, "write /dev/HOST[:/dev/CONTAINER][:rwm]");
  }
  return { source, target, access };
}
