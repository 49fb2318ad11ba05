/** The code behind `pycri doctor`. */

import { examineHost } from "../engine/doctor/examine-host.ts";
import type { Finding } from "../engine/doctor/finding.ts";
import type { Invocation } from "./command.ts";
import type { DoctorValues } from "./doctor.ts";
import { writeJson, writeOutput } from "./output.ts";

export async function execute({ values }: Invocation<DoctorValues>): Promise<number> {
  const examination = await examineHost(process.env);
  if (values.format === "json") writeJson(examination);
  else writeOutput(`${examination.findings.map(formatFinding).join("")}\n${verdict(examination.findings)}\n`);
  return examination.ready ? 0 : 1;
}

const LEVEL_WIDTH = 10;
const SUBJECT_WIDTH = 20;

/** A line for the finding, and one for each step of its remedy, with the prompt of who runs it. */
export function formatFinding({ level, subject, message, remedy, asRoot }: Finding): string {
  const head = `${level.padEnd(LEVEL_WIDTH)}${subject.padEnd(SUBJECT_WIDTH)}${message}\n`;
  const prompt = asRoot ? "#" : "$";
  const steps = remedy.map((line) => (line.startsWith("# ") ? line.slice(2) : `${prompt} ${line}`));
  return head + steps.map((line) => `${" ".repeat(LEVEL_WIDTH + SUBJECT_WIDTH)}${line}\n`).join("");
}

function verdict(findings: readonly Finding[]): string {
  const count = findings.filter(({ level }) => level === "missing").length;
  if (count === 0) return "A full rootless run is possible.";
  return `${count === 1 ? "One thing is" : `${count} things are`} missing for a full rootless run.`;
}
