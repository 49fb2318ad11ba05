/** `info`, `doctor` and `spec` with this process as the caller. */

import { type Examination, examineHost } from "../engine/doctor/examine-host.ts";
import { collectInfo, type Info } from "../engine/info.ts";
import { callerContext } from "../engine/request/caller-context.ts";
import { type SpecOfRun, specOfRun } from "../engine/spec.ts";
import { readImageSettings } from "../host/image-settings.ts";
import { type ContainerOptions, normalizeOptions } from "./options.ts";

/** The host, this installation and what it would use. @throws RuntimeError IO. */
export function info(): Info {
  return collectInfo(process.env);
}

/** What keeps this host from a full rootless run. A container is started to find out. @throws RuntimeError IO. */
export function doctor(): Promise<Examination> {
  return examineHost(process.env);
}

/** The OCI runtime Spec that a run with these options would use. @throws RuntimeError as `run` does. */
export async function spec(options: ContainerOptions): Promise<SpecOfRun> {
  const { container, image } = normalizeOptions(options);
  const warnings: string[] = [];
  const result = await specOfRun(container, image, {
    environment: process.env,
    caller: callerContext(process.env, container.terminal === true, (message) => warnings.push(message)),
    imageSettings: (home) => readImageSettings(process.env, home),
  });
  return { ...result, warnings: [...warnings, ...result.warnings] };
}
