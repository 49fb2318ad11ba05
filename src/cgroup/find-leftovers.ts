/** Finds containers' cgroups by their names, wherever the managers put them. */
import { readdirSync } from "node:fs";
import type { CgroupRecord } from "../plan/cgroup-plan.ts";
import type { HostFacts } from "../plan/host-facts.ts";
import { isWritable } from "./cgroup-files.ts";
import { LEAF_PREFIX } from "./cgroup-plans.ts";
import { parseParent } from "./open-manager.ts";
import { conventionalParent } from "./v1-manager.ts";
import { managerRoot } from "./systemd-manager.ts";
import { parentOf, SUPERVISOR } from "./v2-subtree.ts";

export interface Leftover {
  /** The container's id. */
  readonly id: string;
  readonly directory: string;
  readonly record: CgroupRecord;
}

/**
 * Every cgroup with a container's name in the places where the cgroupfs managers make them, `parent` (--cgroup-parent)
 * among them. Empty supervisor leaves count, under the id "".
 */
export function findLeftovers(
  facts: Pick<HostFacts, "cgroup" | "uid">,
  parent: string | undefined,
): readonly Leftover[] {
  const { v1, v2 } = facts.cgroup;
  const named = parent === undefined ? [] : [parseParent(parent)];
  const places = new Map<string, 1 | 2>();
  for (const { controller, mountPoint, path } of v1) {
    if (controller.startsWith("name=")) continue;
    for (const place of [...named, conventionalParent(facts.uid), path === "/" ? "" : path, ...rootPlace(facts)]) {
      places.set(mountPoint + place, 1);
    }
  }
  if (v2 !== null) {
    for (const place of [...named, v2.path === "/" ? "" : v2.path]) places.set(parentOf(v2.mountPoint + place), 2);
  }
  return [...places].flatMap(([place, version]) => leftoversIn(place, version));
}

function rootPlace({ uid }: Pick<HostFacts, "uid">): readonly string[] {
  return uid === 0 ? [""] : [];
}

function leftoversIn(place: string, version: 1 | 2): readonly Leftover[] {
  if (!isWritable(place)) return [];
  return readdirSync(place, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name.startsWith(LEAF_PREFIX) && !entry.name.endsWith(SCOPE_SUFFIX))
    .map(({ name }) => {
      const directory = `${place}/${name}`;
      // One directory at a time: a crash may have left some v1 hierarchies' and not others'.
      const record: CgroupRecord = version === 2 ? { version, directory } : { version, directories: { "": directory } };
      return { id: name === SUPERVISOR ? "" : name.slice(LEAF_PREFIX.length), directory, record };
    });
}

/**
 * Every scope of a container below the caller's systemd at `bus`. systemd removes a scope with its last process; one whose
 * process was killed before systemd had moved it there never has a last one, and stays.
 */
export function findScopes(facts: Pick<HostFacts, "cgroup" | "uid">, bus: string): readonly Leftover[] {
  const { v2, layout } = facts.cgroup;
  if (v2 === null || layout !== "v2") return [];
  return scopesBelow(managerRoot(v2.mountPoint, facts.uid), SLICE_DEPTH).map((directory) => {
    const name = directory.slice(directory.lastIndexOf("/") + 1);
    const record: CgroupRecord = { version: 2, directory, unit: { name, bus } };
    return { id: name.slice(LEAF_PREFIX.length, -SCOPE_SUFFIX.length), directory, record };
  });
}

const SCOPE_SUFFIX = ".scope";
/** Slices within slices, as far as anybody nests them. */
const SLICE_DEPTH = 8;

function scopesBelow(directory: string, depth: number): readonly string[] {
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => {
      const path = `${directory}/${name}`;
      if (name.startsWith(LEAF_PREFIX) && name.endsWith(SCOPE_SUFFIX)) return [path];
      return name.endsWith(".slice") && depth > 0 ? scopesBelow(path, depth - 1) : [];
    });
}
