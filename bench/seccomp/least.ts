/** The least disturbed of several measurements: load only ever adds. */

export function least(values: readonly number[]): number {
  return Math.min(...values);
}
