/** Runs a prepared container as a child of this process: the helper's events become a promise of its start and its end. */

import { constants } from "node:os";
import type { Readable, Writable } from "node:stream";
import { encodePlan } from "../plan/encode.ts";
import { type HelperStdio, spawnHelper } from "../executor/spawn-helper.ts";
import { warningsOfFallback, withoutWarnings } from "../plan/launch-warnings.ts";
import type { LaunchEvent } from "../plan/launch-plan.ts";
import { RuntimeError } from "../errors.ts";
import { type PreparedContainer, release } from "./prepare-container.ts";
import type { HostEnvironment } from "./request/environment.ts";
import { cleanupWarnings, launchError } from "./launch-failure.ts";

export interface ContainerEnd {
  /** Null when a signal ended the command. */
  readonly exitCode: number | null;
  /** SIGKILL, or SIG and a number for those without a name; null when the command exited. */
  readonly signal: string | null;
  /** Processes that the kernel killed for want of memory, in the container's cgroup. */
  readonly oomKills: number;
  /** Whole sentences but for capital letter and full stop. */
  readonly warnings: readonly string[];
  /** Operations that failed and had an alternative; `type` of a mount. */
  readonly fallbacks: readonly { readonly op: string; readonly type: string }[];
}

export interface RunningContainer {
  /** Streams of this process for what is "pipe". */
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  /** The PID of the command, or of the container's own init, once it runs. Rejects when the launch fails. */
  readonly started: Promise<number>;
  /** Rejects with the RuntimeError of a launch that failed. Nothing of the container is left then. */
  readonly ended: Promise<ContainerEnd>;
  /** Signal the command, as a terminal would. SIGSTOP and SIGCONT stop it and let it go on. False: it has ended. */
  kill(signal: NodeJS.Signals): boolean;
}

/** Start it. What the launch holds is closed here. */
export function runContainer(
  container: PreparedContainer,
  stdio: readonly [HelperStdio, HelperStdio, HelperStdio],
  environment: HostEnvironment,
): RunningContainer {
  const { plan, warnings } = container;
  const events: LaunchEvent[] = [];
  let reportStart: (pid: number) => void;
  const startedEvent = new Promise<number>((resolve) => (reportStart = resolve));

  let helper;
  try {
    helper = spawnHelper({
      plan: encodePlan(withoutWarnings(plan)),
      environment: Object.entries(environment).flatMap(([name, value]) =>
        value === undefined ? [] : [`${name}=${value}`],
      ),
      held: container.held,
      stdio,
      onEvent: (event) => {
        events.push(event);
        if (event.event === "started") reportStart(event.pid);
      },
    });
  } finally {
    release(container);
  }
  const ended = helper.ended.then(async ({ exitCode, signal }): Promise<ContainerEnd> => {
    const exit = events.find((event) => event.event === "exited");
    if (exit === undefined && signal === null) {
      const uncleaned = cleanupWarnings(plan, events);
      const error = launchError(plan, events);
      await container.discard();
      throw uncleaned.length === 0 ? error : withWarnings(error, uncleaned);
    }
    return {
      // Without an event the monitor itself was killed, and the janitor has ended the container.
      exitCode: exit === undefined ? exitCode : exit.exitCode,
      signal: signalName(exit === undefined ? signal : exit.signal),
      oomKills: events.reduce((sum, event) => (event.event === "counter" ? sum + Number(event.value) : sum), 0),
      warnings: [
        ...warnings,
        ...events.flatMap((event) => (event.event === "fallback" ? warningsOfFallback(plan, event) : [])),
        ...cleanupWarnings(plan, events),
      ],
      fallbacks: events.flatMap((event) => {
        const operation = event.event === "fallback" ? plan[event.section][event.index] : undefined;
        if (operation === undefined) return [];
        return [{ op: operation.op, type: operation.op === "mount" ? operation.type : "" }];
      }),
    };
  });
  return {
    stdin: helper.stdin,
    stdout: helper.stdout,
    stderr: helper.stderr,
    started: Promise.race([
      startedEvent,
      ended.then(() => Promise.reject(new RuntimeError("LAUNCH_FAILED", "The native helper was killed"))),
    ]),
    ended,
    // The monitor passes SIGTSTP on as SIGSTOP; SIGSTOP would stop the monitor alone.
    kill: (signal) => helper.kill(signal === "SIGSTOP" ? "SIGTSTP" : signal),
  };
}

function withWarnings(
  { code, message, hint, details, cause }: RuntimeError,
  warnings: readonly string[],
): RuntimeError {
  return new RuntimeError(code, message, {
    ...(hint === undefined ? {} : { hint }),
    details: { ...details, warnings },
    cause,
  });
}

const SIGNAL_NAMES = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

/** Where two names have one number, as SIGABRT and SIGIOT, the usual one. */
function signalName(number: number | null): string | null {
  if (number === null) return null;
  const usual = { 6: "SIGABRT", 17: "SIGCHLD", 29: "SIGIO" } as Readonly<Record<number, string>>;
  return usual[number] ?? SIGNAL_NAMES.get(number) ?? `SIG${number}`;
}

/** 128 and the signal's number, or the exit code: what `pycri run` exits with. */
export function exitStatusOf({ exitCode, signal }: Pick<ContainerEnd, "exitCode" | "signal">): number {
  if (exitCode !== null) return exitCode;
  const number = (constants.signals as Readonly<Record<string, number>>)[signal ?? ""];
  return 128 + (number ?? Number((signal ?? "").slice("SIG".length)));
}
