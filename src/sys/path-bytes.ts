/** Paths as C wants them: bytes that need not be UTF-8, ended by NUL. */

/** The path with its final NUL. A path with a NUL inside is a programmer's mistake. */
export function pathBytes(path: string | Uint8Array): Uint8Array {
  const bytes = typeof path === "string" ? Buffer.from(path) : path;
  if (bytes.includes(0)) throw new Error("a path has no NUL character");
  const terminated = new Uint8Array(bytes.byteLength + 1);
  terminated.set(bytes);
  return terminated;
}
