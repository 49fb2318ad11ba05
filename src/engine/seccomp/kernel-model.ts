/** What a program should be shaped for on a kernel. */

/** Since Linux 5.11 constant ALLOW costs nothing: the kernel answers it from a bitmap, so that other calls come first. */
const BITMAP_KERNEL = { major: 5, minor: 11 };

export function kernelModel(kernel: { readonly major: number; readonly minor: number }): "bitmap" | "interpreter" {
  const { major, minor } = BITMAP_KERNEL;
  return kernel.major > major || (kernel.major === major && kernel.minor >= minor) ? "bitmap" : "interpreter";
}
