/** What an image says about its containers, under what the caller says: the precedence is Docker's. Pure. */

import type { ContainerDefaults } from "../../oci/image-config.ts";
import type { RunOptions } from "../request/run-options.ts";

/**
 * The options with the image's defaults filled in. A command replaces the image's; an entrypoint replaces the image's and
 * drops its command; variables and labels of the caller come last and win.
 */
export function applyImageDefaults(options: RunOptions, defaults: ContainerDefaults): RunOptions {
  const ownCommand = options.command !== undefined && options.command.length > 0;
  const ownEntrypoint = options.entrypoint !== undefined;
  const labels = Object.entries(defaults.labels).map(([name, value]) => `${name}=${value}`);
  const user = options.user ?? (defaults.user === "" ? undefined : defaults.user);
  const workingDirectory =
    options.workingDirectory ?? (defaults.workingDirectory === "" ? undefined : defaults.workingDirectory);
  return {
    ...options,
    entrypoint: options.entrypoint ?? defaults.entrypoint,
    command: ownCommand || ownEntrypoint ? (options.command ?? []) : defaults.command,
    environmentDefaults: defaults.environment,
    imageVolumes: defaults.volumes,
    labels: [...labels, ...(options.labels ?? [])],
    ...(user === undefined ? {} : { user }),
    ...(workingDirectory === undefined ? {} : { workingDirectory }),
  };
}
