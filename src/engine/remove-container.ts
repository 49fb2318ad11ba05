/** `pycri rm`: forget a container that has ended; with force end it first. */

import { setTimeout } from "node:timers/promises";
import { RuntimeError } from "../errors.ts";
import type { ContainerConfig } from "../store/container-record.ts";
import { findContainer, readContainer, removeRecord } from "../store/container-store.ts";
import { killContainer } from "./kill-container.ts";

const SIGKILL = 9;

/** Milliseconds for a killed container's monitor to clean up. */
const PATIENCE = 10_000;
const INTERVAL = 10;

/**
 * @param discard deletes what the container wrote, where that is kept.
 * @returns the container's id.
 * @throws RuntimeError CONTAINER_NOT_FOUND; INVALID_STATE for one that runs, or that would not end.
 */
export async function removeContainer(
  stateDirectory: string,
  wanted: string,
  force: boolean,
  discard: (config: ContainerConfig) => Promise<void>,
): Promise<string> {
  const { config, status } = findContainer(stateDirectory, wanted);
  if (status !== "stopped") {
    if (!force) {
      throw new RuntimeError("INVALID_STATE", `Cannot remove container "${wanted}": it is ${status}`, {
        hint: `end it first, or with this: pycri rm --force ${wanted}`,
      });
    }
    await endContainer(stateDirectory, wanted, config.id);
  }
  // Before the record, which is the way to find it.
  await discard(config);
  removeRecord(stateDirectory, config);
  return config.id;
}

async function endContainer(stateDirectory: string, wanted: string, id: string): Promise<void> {
  try {
    killContainer(stateDirectory, id, SIGKILL);
  } catch (error) {
    // It ended by itself meanwhile.
    if (!(error instanceof RuntimeError && ["INVALID_STATE", "CONTAINER_NOT_FOUND"].includes(error.code))) throw error;
  }
  const deadline = performance.now() + PATIENCE;
  while ((readContainer(stateDirectory, id)?.status ?? "stopped") !== "stopped") {
    if (performance.now() > deadline) {
      throw new RuntimeError("INVALID_STATE", `Cannot remove container "${wanted}": it did not end when it was killed`);
    }
    await setTimeout(INTERVAL);
  }
}
