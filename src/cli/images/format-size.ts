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

/** `5 minutes ago`, `About an hour ago`. Empty for a time that is not known. */
export function formatAge(created: string, now: number): string {
  const duration = formatDuration(created, now);
  return duration === "" ? "" : `${duration} ago`;
}

/** How long ago a time is: `5 minutes`, `About an hour`, in the words and steps of go-units. Empty for a time that is not known. */
export function formatDuration(since: string, now: number): string {
  const time = Date.parse(since);
  if (!Number.isFinite(time)) return "";
  const seconds = Math.max(0, Math.floor((now - time) / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(seconds / 3600 + 0.5);
  if (seconds < 1) return "Less than a second";
  if (seconds === 1) return "1 second";
  if (seconds < 60) return `${seconds} seconds`;
  if (minutes === 1) return "About a minute";
  if (minutes < 60) return `${minutes} minutes`;
  if (hours === 1) return "About an hour";
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(seconds / 3600 / 24 / 365)} years`;
}
