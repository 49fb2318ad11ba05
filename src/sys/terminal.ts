/** Terminals without loading `tty`: isatty(3) and the window size. */

import { declare } from "./native-library.ts";

const isatty = declare("isatty", ["int"]);
const ioctl = declare("ioctl", ["int", "ulong", "uint8_t *"]);

/** Of asm-generic; mips, powerpc and sparc differ. */
const TIOCGWINSZ = 0x5413;
const TIOCGWINSZ_BY_ARCHITECTURE: Readonly<Record<string, number>> = {
  mips: 0x40087468,
  mipsel: 0x40087468,
  mips64el: 0x40087468,
  ppc: 0x40087468,
  ppc64: 0x40087468,
};

/** Whether a descriptor is a terminal. */
export function isTerminal(descriptor: number): boolean {
  return isatty(descriptor) === 1;
}

/** The size of the terminal at a descriptor, or null when it is none or has no size. */
export function readTerminalSize(descriptor: number): { readonly rows: number; readonly columns: number } | null {
  // struct winsize: rows, columns, and two pixel counts, 16 bits each.
  const size = new Uint16Array(4);
  const request = TIOCGWINSZ_BY_ARCHITECTURE[process.arch] ?? TIOCGWINSZ;
  if (ioctl(descriptor, request, new Uint8Array(size.buffer)) < 0) return null;
  const [rows = 0, columns = 0] = size;
  return rows === 0 || columns === 0 ? null : { rows, columns };
}
