/** Sizes and ages as Docker prints them. Pure. */

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** Decimal units, at most four characters of digits: `124MB`, `5.53kB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${Number(value.toPrecision(3))}${UNITS[unit]}`;
}

const STEPS: readonly (readonly [limit: number, seconds: number, name: string])[] = [
  [60, 1, "second"],
  [60 * 60, 60, "minute"],
  [48 * 3600, 3600, "hour"],
  [14 * 86_400, 86_400, "day"],
  [60 * 86_400, 7 * 86_400, "week"],
  [730 * 86_400, 30 * 86_400, "month"],
  [Number.POSITIVE_INFINITY, 365 * 86_400, "year"],
];

/** `5 minutes ago`, `About an hour ago`. Empty for a time that is not known. */
export function formatAge(created: string, now: number): string {
  const duration = formatDuration(created, now);
  return duration === "" ? "" : `${duration} ago`;
}

/** How long ago a time is: `5 minutes`, `About an hour`, as go-units words it. Empty for a time that is not known. */
export function formatDuration(since: string, now: number): string {
  const time = Date.parse(since);
  if (!Number.isFinite(time)) return "";
  const seconds = Math.max(0, (now - time) / 1000);
  if (seconds < 1) return "Less than a second";
  if (seconds >= 60 && seconds < 120) return "About a minute";
  if (seconds >= 3600 && seconds < 7200) return "About an hour";
  for (const [limit, size, name] of STEPS) {
    if (seconds >= limit) continue;
    const count = Math.floor(seconds / size);
    return `${count} ${name}${count === 1 ? "" : "s"}`;
  }
  return "";
}
