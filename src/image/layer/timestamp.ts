/** Times of files to the nanosecond, which a JavaScript number of seconds cannot hold. Pure. */

export interface Timestamp {
  /** Whole seconds since 1970, rounded down. */
  readonly seconds: number;
  /** 0 to 999 999 999. */
  readonly nanoseconds: number;
}

export function wholeSeconds(seconds: number): Timestamp {
  return { seconds, nanoseconds: 0 };
}

/** Of nanoseconds since 1970, as `BigIntStats` has them. */
export function timestampOf(total: bigint): Timestamp {
  const nanoseconds = ((total % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return { seconds: Number((total - nanoseconds) / 1_000_000_000n), nanoseconds: Number(nanoseconds) };
}
