/**
 * The library's way to run a plan: the helper as a child of this process, which reads its events. Plan and events are
 * descriptors 3 and 4 of the child, those that the monitor is to hold follow. Nothing of this stays open here but the
 * reading end of the events, and that one until monitor and janitor are gone.
 */

import { closeSync, constants, openSync } from "node:fs";
import { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import { RuntimeError } from "../errors.ts";
import { decodeEvents } from "../plan/encode.ts";
import type { LaunchEvent } from "../plan/launch-plan.ts";
import { closeDescriptor } from "../sys/close-descriptor.ts";
import { createSealedExecutable, createSealedFile } from "../sys/memory-file.ts";
import { awaitProcess, openPipe, type ProcessEnd, spawnProcess } from "../sys/spawn-process.ts";
import { helperPath, readHelper } from "./installation.ts";

/** What becomes of a standard stream: a pipe, /dev/null, this process's own, or a descriptor of it. */
export type HelperStdio = "pipe" | "ignore" | "inherit" | number;

export interface HelperInvocation {
  /** Encoded by `encodePlan`. */
  readonly plan: Uint8Array;
  /** `NAME=value` strings of the helper and the tools it calls; the command's are in the plan. */
  readonly environment: readonly string[];
  /** Descriptors that the monitor keeps open until it ends. They stay open here, too. */
  readonly held: readonly number[];
  readonly stdio: readonly [stdin: HelperStdio, stdout: HelperStdio, stderr: HelperStdio];
  readonly onEvent: (event: LaunchEvent) => void;
}

export interface Helper {
  /** Streams of this process for what is "pipe". */
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  /** Signal the monitor. @returns false when it has ended. */
  kill(signal: NodeJS.Signals): boolean;
  /** Resolves once nothing is left of the container, the janitor's work included; every event has been handed on. */
  readonly ended: Promise<ProcessEnd>;
}

/** @throws RuntimeError LAUNCH_FAILED when no process can be started, IO when descriptors run out. */
export function spawnHelper({ plan, environment, held, stdio, onEvent }: HelperInvocation): Helper {
  /** To close here once the child has its copies, or there is none. */
  const theirs: number[] = [];
  const ours: number[] = [];
  const own = <List extends number[]>(list: List, descriptor: number): number => {
    list.push(descriptor);
    return descriptor;
  };
  let nothing: number | undefined;
  let pid: number | string;
  try {
    const [stdin, stdout, stderr] = stdio.map((kind, index) => {
      if (kind === "inherit") return { child: index, parent: null };
      if (typeof kind === "number") return { child: kind, parent: null };
      if (kind === "ignore") return { child: (nothing ??= openSync("/dev/null", constants.O_RDWR)), parent: null };
      const { reader, writer } = openPipe();
      const [child, parent] = index === 0 ? [reader, writer] : [writer, reader];
      return { child: own(theirs, child), parent: own(ours, parent) };
    });
    const events = openPipe();
    own(theirs, events.writer);
    own(ours, events.reader);
    const planFile = own(theirs, createSealedFile("pycri-plan", plan, false));
    const standard = [stdin, stdout, stderr].map((end) => end?.child ?? -1);
    const numbers = ["3", "4", ...held.map((_, index) => String(index + 5))];
    pid = spawnProcess(executable(), ["pycri", ...numbers], environment, [
      ...standard,
      planFile,
      events.writer,
      ...held,
    ]);
    if (typeof pid === "string") throw cannotStart(pid);
    const end = { pid, ended: false };
    // From here on the streams own the descriptors.
    ours.length = 0;
    return {
      stdin: openStream(stdin?.parent ?? null, "write"),
      stdout: openStream(stdout?.parent ?? null, "read"),
      stderr: openStream(stderr?.parent ?? null, "read"),
      kill: (signal) => !end.ended && process.kill(end.pid, signal),
      ended: readEvents(new Socket({ fd: events.reader, readable: true, writable: false }), onEvent).then(() => {
        // Its descriptors closed as it ended: this waits for a moment at most.
        const status = awaitProcess(end.pid);
        end.ended = true;
        return status;
      }),
    };
  } finally {
    [...theirs, ...ours].forEach(closeDescriptor);
    if (nothing !== undefined) closeSync(nothing);
  }
}

let sealed: string | undefined;

/**
 * The helper in a sealed memory file, made once: it would make one of itself at each start otherwise, which takes half a
 * millisecond. By its path where the kernel executes no memory files, and the helper then says so.
 */
function executable(): string {
  if (sealed === undefined) {
    const file = createSealedExecutable("pycri-helper", readHelper());
    if (file === null) return (sealed = helperPath());
    // Opened once more by Node, which closes it when a worker thread ends.
    sealed = `/proc/self/fd/${openSync(`/proc/self/fd/${file}`, constants.O_RDONLY)}`;
    closeDescriptor(file);
  }
  return sealed;
}

function cannotStart(errno: string): RuntimeError {
  const short = errno === "EAGAIN" || errno === "ENOMEM";
  return new RuntimeError("LAUNCH_FAILED", `Cannot start the native helper "${helperPath()}": ${errno}`, {
    hint: short ? "too many processes run, or memory is short" : "pycri's installation is damaged; reinstall it",
    details: { path: helperPath(), errno },
  });
}

function openStream(descriptor: number | null, direction: "read" | "write"): Socket | null {
  if (descriptor === null) return null;
  return new Socket({ fd: descriptor, readable: direction === "read", writable: direction === "write" });
}

/** Resolves at the end of the stream, which is when the last process that holds its other end has gone. */
function readEvents(stream: Readable, onEvent: (event: LaunchEvent) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    let rest: Uint8Array = new Uint8Array();
    stream.on("data", (chunk: Buffer) => {
      try {
        const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
        const { events, consumed } = decodeEvents(bytes);
        rest = bytes.subarray(consumed);
        events.forEach(onEvent);
      } catch (error) {
        reject(error as Error);
      }
    });
    stream.once("error", reject);
    stream.once("close", resolve);
  });
}
