/** `--userns`, `--uidmap`, `--gidmap`, `--time-offset`: text to the request's namespaces. Pure. */

import type { LinuxIdMapping } from "../../oci/spec.ts";
import type { RunRequest, UserNamespaceMode } from "../../plan/run-request.ts";
import { invalidValue } from "./invalid-value.ts";
import { parseDecimal, parseInteger } from "./numbers.ts";

/** (uid_t) −1 means "no id" to the kernel. */
const LARGEST_ID = 0xffff_fffe;

const USER_NAMESPACE_MODES = ["default", "keep-id", "nomap", "auto", "single"];

/** `--userns MODE[:key=value,…]`, in Podman's words plus `single`. */
export function parseUserNamespace(value: string): UserNamespaceMode {
  const colon = value.indexOf(":");
  const mode = colon < 0 ? value : value.slice(0, colon);
  const parameters = new Map<string, number>();
  const allowed = mode === "keep-id" ? ["uid", "gid"] : mode === "auto" ? ["size"] : [];
  if (colon >= 0) {
    for (const parameter of value.slice(colon + 1).split(",")) {
      const [key = "", text = ""] = parameter.split("=");
      if (!allowed.includes(key)) {
        throw invalidValue(
          "--userns",
          value,
          `keep-id takes uid= and gid=, auto takes size=; "${parameter}" is neither`,
        );
      }
      parameters.set(key, parseInteger("--userns", text, key === "size" ? 1 : 0, LARGEST_ID, value));
    }
  }
  switch (mode) {
    case "":
    case "default":
    case "private":
      return { kind: "default" };
    case "keep-id": {
      const uid = parameters.get("uid");
      const gid = parameters.get("gid");
      return { kind: "keep-id", ...(uid === undefined ? {} : { uid }), ...(gid === undefined ? {} : { gid }) };
    }
    case "nomap":
    case "single":
      return { kind: mode };
    case "auto": {
      const size = parameters.get("size");
      return { kind: "auto", ...(size === undefined ? {} : { size }) };
    }
    case "host":
      throw invalidValue("--userns", value, "pycri always makes a user namespace; keep-id keeps your own uid inside");
    default:
      throw invalidValue("--userns", value, `the mode is one of: ${USER_NAMESPACE_MODES.join(", ")}`);
  }
}

/** `--uidmap CONTAINER:HOST[:SIZE]`; SIZE defaults to 1. */
export function parseIdMapping(option: string, value: string): LinuxIdMapping {
  const parts = value.split(":");
  if (parts.length < 2 || parts.length > 3) {
    throw invalidValue(option, value, "write CONTAINER_ID:HOST_ID:SIZE, three whole numbers");
  }
  const [containerID = "", hostID = "", size = "1"] = parts;
  return {
    containerID: parseInteger(option, containerID, 0, LARGEST_ID, value),
    hostID: parseInteger(option, hostID, 0, LARGEST_ID, value),
    size: parseInteger(option, size, 1, LARGEST_ID, value),
  };
}

/** `--time-offset SECONDS`, or `monotonic=SECONDS,boottime=SECONDS`. */
export function parseTimeOffset(value: string | number): NonNullable<RunRequest["timeOffset"]> {
  if (typeof value === "number" || !value.includes("=")) {
    const seconds = parseDecimal("--time-offset", value);
    return { monotonic: seconds, boottime: seconds };
  }
  const offsets = { monotonic: 0, boottime: 0 };
  for (const field of value.split(",")) {
    const [clock = "", seconds = ""] = field.split("=");
    if (clock !== "monotonic" && clock !== "boottime") {
      throw invalidValue("--time-offset", value, "write SECONDS, or monotonic=SECONDS,boottime=SECONDS");
    }
    offsets[clock] = parseDecimal("--time-offset", seconds);
  }
  return offsets;
}
