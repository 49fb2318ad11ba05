/** The code behind `pycri ps`. */

import { type ListedContainer, selectContainers } from "../../engine/select-containers.ts";
import { probeHost } from "../../host/probe-host.ts";
import type { Invocation } from "../command.ts";
import { type Column, formatRows } from "../format-rows.ts";
import { formatAge, formatDuration } from "../images/format-size.ts";
import { writeOutput } from "../output.ts";
import type { PsValues } from "./ps.ts";

const SHORT_ID = 12;
const SHORT_COMMAND = 20;
const COLUMNS: readonly Column[] = [
  { heading: "CONTAINER ID", field: "ID" },
  { heading: "IMAGE", field: "Image" },
  { heading: "COMMAND", field: "Command" },
  { heading: "CREATED", field: "RunningFor" },
  { heading: "STATUS", field: "Status" },
  { heading: "NAMES", field: "Names" },
];

export function execute({ values }: Invocation<PsValues>): number {
  const { runtimeDirectory } = probeHost(process.env);
  const containers = selectContainers(runtimeDirectory, values.all === true, values.filter ?? []);
  const whole = values["no-trunc"] === true;
  const now = Date.now();
  const rows = containers.map((container) => ({
    ID: whole ? container.config.id : container.config.id.slice(0, SHORT_ID),
    Image: container.config.rootfs,
    Command: JSON.stringify(shorten(container.config.command.join(" "), whole)),
    CreatedAt: container.config.created,
    RunningFor: formatAge(container.config.created, now),
    State: container.status === "stopped" ? "exited" : container.status,
    Status: describeStatus(container, now),
    Pid: container.pid ?? 0,
    Names: container.config.name ?? "",
    Labels: Object.entries(container.config.labels)
      .map(([name, value]) => `${name}=${value}`)
      .join(","),
  }));
  writeOutput(
    values.quiet === true ? rows.map(({ ID }) => `${ID}\n`).join("") : formatRows(rows, COLUMNS, values.format),
  );
  return 0;
}

function shorten(command: string, whole: boolean): string {
  return whole || command.length <= SHORT_COMMAND ? command : `${command.slice(0, SHORT_COMMAND - 1)}…`;
}

/** As Docker words it, 128 + n for signal n. */
function describeStatus(
  { status, startedAt, finishedAt, exitCode, signal, oomKills }: ListedContainer,
  now: number,
): string {
  switch (status) {
    case "created":
      return "Created";
    case "running":
      return `Up ${formatDuration(startedAt ?? "", now)}`;
    case "paused":
      return `Up ${formatDuration(startedAt ?? "", now)} (Paused)`;
    case "stopped": {
      const code = exitCode ?? (signal === null ? null : 128 + signal);
      if (code === null) return "Dead";
      return `Exited (${code}) ${formatAge(finishedAt ?? "", now)}${oomKills > 0 ? ", out of memory" : ""}`;
    }
  }
}
