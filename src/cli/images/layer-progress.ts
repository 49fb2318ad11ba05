/**
 * Shows how layers come along: a line with a bar for each on a terminal, redrawn in place, and a line for each that is
 * finished otherwise.
 */

import type { LayerEvent } from "../../image/storage/add-image.ts";
import { digestHex } from "../../oci/descriptor.ts";
import { writeMessage } from "../output.ts";
import { printable } from "../report-error.ts";
import { formatBytes } from "./format-size.ts";

const SHORT_ID = 12;
const BAR_WIDTH = 30;
const REDRAW_MS = 80;
const CURSOR_UP = "\u001b[";
const CLEAR_LINE = "\u001b[2K";

interface LayerState {
  readonly event: LayerEvent;
  readonly startedAt: number;
  readonly startedBytes: number;
}

export interface LayerProgress {
  readonly onLayer: (event: LayerEvent) => void;
  /** Draw the last state. */
  finish(): void;
}

/** @param terminal stderr is one. */
export function makeLayerProgress(terminal: boolean, quiet: boolean): LayerProgress {
  if (quiet) return { onLayer: () => {}, finish: () => {} };
  return terminal ? new BarProgress() : { onLayer: printLine, finish: () => {} };
}

function shortId(event: LayerEvent): string {
  return digestHex(event.digest).slice(0, SHORT_ID);
}

function printLine(event: LayerEvent): void {
  if (event.kind === "present") writeMessage(`${shortId(event)}: Already exists`);
  if (event.kind !== "done") return;
  writeMessage(`${shortId(event)}: Pull complete`);
  for (const note of event.notes) writeMessage(`${shortId(event)}: ${printable(note)}`);
}

class BarProgress implements LayerProgress {
  readonly #layers = new Map<string, LayerState>();
  readonly #notes: string[] = [];
  #drawnLines = 0;
  #drawnAt = 0;
  #later: NodeJS.Timeout | undefined;

  readonly onLayer = (event: LayerEvent): void => {
    const known = this.#layers.get(event.digest);
    const bytes = event.kind === "fetching" ? event.bytes : 0;
    this.#layers.set(event.digest, {
      event,
      startedAt: known?.startedAt ?? performance.now(),
      startedBytes: known?.startedBytes ?? bytes,
    });
    if (event.kind === "done") this.#notes.push(...event.notes.map((note) => `${shortId(event)}: ${printable(note)}`));
    const since = performance.now() - this.#drawnAt;
    if (event.kind !== "fetching" || since > REDRAW_MS) this.#draw();
    // What comes last before a pause is shown, too.
    else this.#later ??= setTimeout(() => this.#draw(), REDRAW_MS - since).unref();
  };

  finish(): void {
    this.#draw();
    for (const note of this.#notes) writeMessage(note);
  }

  #draw(): void {
    clearTimeout(this.#later);
    this.#later = undefined;
    this.#drawnAt = performance.now();
    // A line that the terminal wraps would be two, and the next drawing one too low.
    const width = (process.stderr.columns ?? 80) - 1;
    const lines = [...this.#layers.values()].map((layer) => `${CLEAR_LINE}${describe(layer).slice(0, width)}`);
    if (lines.length === 0) return;
    const up = this.#drawnLines === 0 ? "" : `${CURSOR_UP}${this.#drawnLines}F`;
    writeMessage(up + lines.join("\n"));
    this.#drawnLines = lines.length;
  }
}

function describe({ event, startedAt, startedBytes }: LayerState): string {
  const id = shortId(event);
  switch (event.kind) {
    case "present":
      return `${id}: Already exists`;
    case "unpacking":
      return `${id}: Extracting`;
    case "done":
      return `${id}: Pull complete`;
    case "fetching": {
      const part = event.total === 0 ? 1 : event.bytes / event.total;
      const bar = "=".repeat(Math.round(part * BAR_WIDTH)).padEnd(BAR_WIDTH);
      const seconds = (performance.now() - startedAt) / 1000;
      const rate = seconds > 0 ? (event.bytes - startedBytes) / seconds : 0;
      return `${id}: Downloading [${bar}] ${formatBytes(event.bytes)}/${formatBytes(event.total)} ${formatBytes(rate)}/s`;
    }
  }
}
