/**
 * The architectures of `linux.seccomp.architectures`: what each is to the kernel (AUDIT_ARCH_*, byte order, width of an
 * argument), to Docker's profiles (the word in `includes.arches`) and to pycri's tables. Sources: uapi linux/audit.h,
 * the OCI runtime Spec, libseccomp's architecture names.
 */

/** Short names as the command line and the tables spell them. */
export type ArchitectureName =
  | "x86"
  | "x86_64"
  | "x32"
  | "arm"
  | "aarch64"
  | "riscv64"
  | "loongarch64"
  | "ppc"
  | "ppc64"
  | "ppc64le"
  | "s390"
  | "s390x"
  | "mips"
  | "mips64"
  | "mips64n32"
  | "mipsel"
  | "mipsel64"
  | "mipsel64n32"
  | "m68k"
  | "parisc"
  | "parisc64"
  | "sh"
  | "sheb";

export interface Architecture {
  readonly name: ArchitectureName;
  /** `linux.seccomp.architectures`. */
  readonly ociName: string;
  /** `includes.arches` of Docker's and containers/common's profiles, which is also libseccomp-golang's spelling. */
  readonly dockerName: string;
  /** AUDIT_ARCH_*, unsigned 32-bit. x32 shares x86_64's and is told apart by bit 30 of the number. */
  readonly auditArchitecture: number;
  readonly bigEndian: boolean;
  /** Bits of an argument that mean something. On x32 libseccomp compares 32, as on x86. */
  readonly argumentBits: 32 | 64;
}

/** Bit 30 of `seccomp_data.nr` on AUDIT_ARCH_X86_64: the call goes through the x32 table. */
export const X32_SYSCALL_BIT = 0x40000000;

/** linux/audit.h: an ELF machine, 64-bit, little-endian, and the n32 convention of mips. */
const IS_64 = 0x80000000;
const LITTLE = 0x40000000;
const MIPS64_N32 = 0x20000000;

function architecture(
  name: ArchitectureName,
  machine: number,
  argumentBits: 32 | 64,
  dockerName: string = name,
): Architecture {
  // Bits above 30 make a JavaScript bit operation negative; addition does not.
  return {
    name,
    ociName: `SCMP_ARCH_${name.toUpperCase()}`,
    dockerName,
    auditArchitecture: machine,
    bigEndian: Math.floor(machine / LITTLE) % 2 === 0,
    argumentBits,
  };
}

const table: readonly Architecture[] = [
  architecture("x86", 3 + LITTLE, 32),
  architecture("x86_64", 62 + IS_64 + LITTLE, 64, "amd64"),
  architecture("x32", 62 + IS_64 + LITTLE, 32),
  architecture("arm", 40 + LITTLE, 32),
  architecture("aarch64", 183 + IS_64 + LITTLE, 64, "arm64"),
  architecture("riscv64", 243 + IS_64 + LITTLE, 64),
  architecture("loongarch64", 258 + IS_64 + LITTLE, 64, "loong64"),
  architecture("ppc", 20, 32),
  architecture("ppc64", 21 + IS_64, 64),
  architecture("ppc64le", 21 + IS_64 + LITTLE, 64),
  architecture("s390", 22, 32),
  architecture("s390x", 22 + IS_64, 64),
  architecture("mips", 8, 32),
  architecture("mips64", 8 + IS_64, 64),
  architecture("mips64n32", 8 + IS_64 + MIPS64_N32, 32),
  architecture("mipsel", 8 + LITTLE, 32),
  architecture("mipsel64", 8 + IS_64 + LITTLE, 64),
  architecture("mipsel64n32", 8 + IS_64 + LITTLE + MIPS64_N32, 32),
  architecture("m68k", 4, 32),
  architecture("parisc", 15, 32),
  architecture("parisc64", 15 + IS_64, 64),
  architecture("sh", 42 + LITTLE, 32),
  architecture("sheb", 42, 32),
];

export const architectures: ReadonlyMap<ArchitectureName, Architecture> = new Map(
  table.map((entry) => [entry.name, entry]),
);

const byAnyName = new Map<string, Architecture>();
for (const entry of table) {
  byAnyName.set(entry.name, entry);
  byAnyName.set(entry.dockerName, entry);
  byAnyName.set(entry.ociName, entry);
}

/** Accepts the short name (`x86_64`), the OCI name (`SCMP_ARCH_X86_64`) and Docker's (`amd64`). */
export function findArchitecture(name: string): Architecture | undefined {
  return byAnyName.get(name);
}

/** The entry of a name that the type system already knows. */
export function architectureOf(name: ArchitectureName): Architecture {
  const entry = architectures.get(name);
  if (entry === undefined) throw new Error(`architecture "${name}" is in the type and not in the table`);
  return entry;
}

/** `process.arch` of Node to the machine's native architecture. `arm64` and `x64` are the usual ones. */
export function nativeArchitecture(nodeArchitecture: string, littleEndian = true): ArchitectureName | undefined {
  switch (nodeArchitecture) {
    case "x64":
      return "x86_64";
    case "ia32":
      return "x86";
    case "arm":
      return "arm";
    case "arm64":
      return "aarch64";
    case "riscv64":
      return "riscv64";
    case "loong64":
      return "loongarch64";
    case "ppc64":
      return littleEndian ? "ppc64le" : "ppc64";
    case "s390x":
      return "s390x";
    case "mips":
      return "mips";
    case "mipsel":
      return "mipsel";
    default:
      return undefined;
  }
}
