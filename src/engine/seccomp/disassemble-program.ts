/** BPF programs as text, with the constants named that seccomp gives a meaning to. */
import { formatAction } from "../../profile/action-text.ts";
import { architectures } from "../../profile/architectures.ts";
import { decodeProgram, encodeProgram } from "../../seccomp/bpf.ts";
import { disassembleInComponent } from "../../seccomp/compile.ts";

/**
 * @param program packed `struct sock_filter[]`
 * @returns a line an instruction: index, mnemonic, operand, jump targets, and what a constant stands for
 * @throws RuntimeError INVALID_DOCUMENT for a program the kernel would refuse
 */
export function disassembleProgram(program: Uint8Array, order: "little" | "big" = "little"): readonly string[] {
  const little = order === "little" ? program : encodeProgram(decodeProgram(program, "big"));
  return disassembleInComponent(little).map(annotate);
}

const architectureNames = new Map(
  [...architectures.values()]
    .filter(({ name }) => name !== "x32")
    .map(({ auditArchitecture, name }) => [auditArchitecture, name]),
);

function annotate(line: string): string {
  const [, mnemonic, constant] = /^\d+ (ret|jeq) #(0x[0-9a-f]+)/.exec(line) ?? [];
  if (constant === undefined) return line;
  const note = mnemonic === "ret" ? actionNote(Number(constant)) : architectureNames.get(Number(constant));
  return note === undefined ? line : `${line.padEnd(40)} ; ${note}`;
}

function actionNote(action: number): string | undefined {
  try {
    return formatAction(action);
  } catch {
    // Programs of other compilers may return what no action has; the number says it all.
    return undefined;
  }
}
