/**
 * The ranges of subordinate ids that containers of `--userns auto` hold. A range is held by a lock on the bytes of a file
 * whose offsets are the host ids; the monitor keeps the descriptor, so that a range is free the moment its container is
 * gone, however it went.
 */

import { constants, openSync } from "node:fs";
import type { Linux } from "../oci/spec.ts";
import type { HostFacts, SubordinateRange } from "../plan/host-facts.ts";
import type { AllocatedRanges } from "../plan/id-mappings.ts";
import { findLockedRanges, lockRange, unlockRange } from "../sys/file-locks.ts";

export class IdAllocations {
  /** Open files of the user ids and of the group ids. */
  readonly descriptors: readonly [number, number];

  constructor(facts: HostFacts) {
    const open = (name: string): number =>
      openSync(`${facts.runtimeDirectory}/${name}`, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    this.descriptors = [open("uids.lock"), open("gids.lock")];
  }

  /** What other containers hold now. */
  read(): AllocatedRanges {
    const [uid, gid] = this.descriptors.map(allRanges) as [readonly SubordinateRange[], readonly SubordinateRange[]];
    return { uid, gid };
  }

  /**
   * Hold the host ids of a container's maps.
   * @returns false, holding nothing, when another container has come to hold some of them.
   */
  hold(linux: Linux | undefined): boolean {
    const [uids, gids] = this.descriptors;
    const wanted = [
      ...(linux?.uidMappings ?? []).map((mapping) => ({ descriptor: uids, ...mapping })),
      ...(linux?.gidMappings ?? []).map((mapping) => ({ descriptor: gids, ...mapping })),
    ];
    for (const [index, { descriptor, hostID, size }] of wanted.entries()) {
      if (lockRange(descriptor, hostID, size)) continue;
      for (const held of wanted.slice(0, index)) unlockRange(held.descriptor, held.hostID, held.size);
      return false;
    }
    return true;
  }
}

function allRanges(descriptor: number): readonly SubordinateRange[] {
  return findLockedRanges(descriptor).map(({ start, length }) => ({ start, count: length }));
}
