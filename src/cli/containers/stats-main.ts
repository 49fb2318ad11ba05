/** The code behind `pycri stats`: rows of a table, drawn anew each second on a terminal. */

import { setTimeout } from "node:timers/promises";
import { formatBytes } from "../../cgroup/capacity.ts";
import type { CgroupUsage } from "../../cgroup/usage.ts";
import {
  computeStats,
  findSampled,
  sampleContainers,
  type ContainerSample,
  type ContainerStats,
} from "../../engine/stats.ts";
import { isTerminal } from "../../sys/terminal.ts";
import type { Invocation } from "../command.ts";
import { stateDirectory } from "./operand.ts";
import { type Column, formatRows, type Row } from "../format-rows.ts";
import { writeOutput } from "../output.ts";
import type { StatsValues } from "./stats.ts";

/** Between two looks, in milliseconds. */
const INTERVAL = 1000;
/** Cursor to the top left corner; clear from there on. */
const REDRAW = "\u001b[H\u001b[J";
const SHORT_ID = 12;

const COLUMNS: readonly Column[] = [
  { heading: "CONTAINER ID", field: "ID" },
  { heading: "NAME", field: "Name" },
  { heading: "CPU %", field: "CPUPerc" },
  { heading: "MEM USAGE / LIMIT", field: "MemUsage" },
  { heading: "MEM %", field: "MemPerc" },
  { heading: "BLOCK I/O", field: "BlockIO" },
  { heading: "PIDS", field: "PIDs" },
  { heading: "PRESSURE", field: "Pressure" },
];

export async function execute({ values, operands }: Invocation<StatsValues>): Promise<number> {
  const directory = stateDirectory();
  const named = operands.length > 0;
  const ids = named ? findSampled(directory, operands) : null;
  const stream = values["no-stream"] !== true;
  const redraws = stream && values.format !== "json" && isTerminal(1);
  let before: readonly ContainerSample[] = sampleContainers(directory, ids);
  for (;;) {
    await setTimeout(INTERVAL);
    const after = sampleContainers(directory, ids);
    // The named containers have ended.
    if (named && after.length === 0) return 0;
    const text = formatRows(computeStats(before, after).map(toRow), COLUMNS, values.format);
    if (!writeOutput(redraws ? REDRAW + text : text)) return 0;
    if (!stream) return 0;
    before = after;
  }
}

function toRow(stats: ContainerStats): Row {
  const { usage, id, name } = stats;
  return {
    ID: id.slice(0, SHORT_ID),
    Container: id,
    Name: name ?? "",
    CPUPerc: percent(stats.cpuPercent),
    MemUsage:
      usage.memory === null ? NOT_COUNTED : `${formatBytes(usage.memory.usage)} / ${formatBytes(stats.memoryLimit)}`,
    MemPerc: percent(stats.memoryPercent),
    BlockIO: blockIo(usage.io),
    PIDs: stats.processes,
    Pressure: pressure(usage.pressure),
    MemLimit: stats.memoryLimit,
    Usage: usage,
  };
}

/** No controller counts it. */
const NOT_COUNTED = "--";

function percent(value: number | null): string {
  return value === null ? NOT_COUNTED : `${value.toFixed(2)}%`;
}

function blockIo(devices: CgroupUsage["io"]): string {
  if (devices === null) return NOT_COUNTED;
  const sum = (key: "readBytes" | "writeBytes"): number => devices.reduce((total, device) => total + device[key], 0);
  return `${formatBytes(sum("readBytes"))} / ${formatBytes(sum("writeBytes"))}`;
}

/** Processors, memory, input and output. */
function pressure({ cpu, memory, io }: CgroupUsage["pressure"]): string {
  if (cpu === null && memory === null && io === null) return NOT_COUNTED;
  return [cpu, memory, io].map((one) => percent(one === null ? null : one.some.avg10)).join(" / ");
}
