/** Whether a word stands for an image or for a directory, as `pycri run` reads its first operand. */

/**
 * A path begins with `/`, `.` or `~`, or has a slash and leads to a directory that exists (`build/rootfs`); `host` is the
 * host. Everything else is an image: `debian`, `ghcr.io/a/b:tag`.
 */
export function namesImage(rootfs: string, isDirectory: (path: string) => boolean): boolean {
  if (rootfs === "" || rootfs === "host" || /^[./~]/.test(rootfs)) return false;
  return !(rootfs.includes("/") && isDirectory(rootfs));
}
