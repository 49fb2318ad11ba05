/** The code behind `pycri kill`. */

import { constants } from "node:os";
import { killContainer } from "../../engine/kill-container.ts";
import { invalidValue } from "../../engine/request/invalid-value.ts";
import { probeHost } from "../../host/probe-host.ts";
import type { Invocation } from "../command.ts";
import { writeOutput } from "../output.ts";
import type { KillValues } from "./kill.ts";

const LAST_SIGNAL = 64;

export function execute({ values, operands }: Invocation<KillValues>): number {
  const { runtimeDirectory } = probeHost(process.env);
  const signal = parseSignal(values.signal ?? "KILL");
  for (const wanted of operands) {
    killContainer(runtimeDirectory, wanted, signal);
    writeOutput(`${wanted}\n`);
  }
  return 0;
}

/** `TERM`, `SIGTERM`, `sigterm` or `15`. */
function parseSignal(text: string): number {
  const name = text.toUpperCase().replace(/^(?!SIG)/, "SIG");
  const number = /^\d+$/.test(text) ? Number(text) : (constants.signals as Readonly<Record<string, number>>)[name];
  if (number === undefined || number < 1 || number > LAST_SIGNAL) {
    throw invalidValue(
      "--signal",
      text,
      `the value is a signal's name, such as TERM, or a number from 1 to ${LAST_SIGNAL}`,
    );
  }
  return number;
}
