/** The calls of libc that Node has no word for and the tests need. */
import koffi from "koffi";

const libc = koffi.load(null);

/* oxlint-disable-next-line typescript/no-explicit-any -- koffi's functions take and return what their prototype says */
const declare = (prototype: string): ((...values: unknown[]) => any) => libc.func(prototype);

const PR_SET_CHILD_SUBREAPER = 36;
const O_RDWR = 2;
const O_NOCTTY = 0o400;
const O_CLOEXEC = 0o2000000;

const prctl = declare("int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)");
const posixOpenpt = declare("int posix_openpt(int)");
const grantpt = declare("int grantpt(int)");
const unlockpt = declare("int unlockpt(int)");
const ptsname = declare("str ptsname(int)");

/** Orphaned descendants become children of this process: prctl(PR_SET_CHILD_SUBREAPER). */
export function becomeSubreaper(): void {
  if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) !== 0) throw new Error("PR_SET_CHILD_SUBREAPER failed");
}

/** A new pseudo-terminal: descriptor of the master and path of the slave. */
export function openPseudoTerminal(): { readonly master: number; readonly path: string } {
  const master = Number(posixOpenpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (master < 0 || grantpt(master) !== 0 || unlockpt(master) !== 0) throw new Error("no pseudo-terminal");
  return { master, path: String(ptsname(master)) };
}
