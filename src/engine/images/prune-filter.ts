/** `--filter` of `image prune`, in Docker's words: which images are old enough, or marked. Pure. */

import { RuntimeError } from "../../errors.ts";

export interface PrunableImage {
  /** RFC 3339, or "" when it is not known. */
  readonly created: string;
  readonly labels: Readonly<Record<string, string>>;
}

const UNITS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/**
 * `until=DURATION` (`24h`, `1h30m`: created longer ago), `until=TIME` (RFC 3339, a date, or Unix seconds: created before),
 * `label=NAME[=VALUE]`, `label!=NAME[=VALUE]`.
 * @throws RuntimeError INVALID_ARGUMENT
 */
export function parsePruneFilter(filter: string, now: number): (image: PrunableImage) => boolean {
  const [, key = "", not = "", value = ""] = /^([a-z]+)(!?)=(.+)$/s.exec(filter) ?? [];
  if (key === "until" && not === "") {
    const time = parseUntil(value, now);
    if (time !== null) {
      return ({ created }) => {
        const at = Date.parse(created);
        // An image without a date is as old as can be.
        return Number.isNaN(at) || at < time;
      };
    }
  }
  if (key === "label") {
    const [name = "", wanted] = value.split(/=(.*)/s);
    return ({ labels }) =>
      (Object.hasOwn(labels, name) && (wanted === undefined || labels[name] === wanted)) === (not === "");
  }
  throw new RuntimeError("INVALID_ARGUMENT", `Cannot filter images to remove by "${filter}"`, {
    hint: "Filters are until=24h or until=2024-01-31, label=NAME[=VALUE] and label!=NAME[=VALUE].",
  });
}

/** Milliseconds since 1970, or null. */
function parseUntil(text: string, now: number): number | null {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  if (/^(\d+(\.\d+)?(h|ms|m|s))+$/.test(text)) {
    const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s)/g)];
    return now - parts.reduce((sum, [, number, unit = ""]) => sum + Number(number) * (UNITS[unit] ?? 0), 0);
  }
  if (!/^\d{4}-\d\d-\d\d(T.+)?$/.test(text)) return null;
  const time = Date.parse(text);
  return Number.isNaN(time) ? null : time;
}
