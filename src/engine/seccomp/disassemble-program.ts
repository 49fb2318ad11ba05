/** BPF programs as text, with the words and constants named that seccomp gives a meaning to. */
import { formatAction } from "../../profile/action-text.ts";
import { architectures } from "../../profile/architectures.ts";
import { CODE, decodeProgram, type Instruction } from "../../seccomp/bpf.ts";
import { disassembleInComponent } from "../../seccomp/compile.ts";
import { loadProgram, type ProgramSource } from "./load-program.ts";

/**
 * @param program packed `struct sock_filter[]`, or its path
 * @returns a line an instruction: index, mnemonic, operand, jump targets, and what a constant stands for
 * @throws RuntimeError INVALID_DOCUMENT for a program the kernel would refuse
 */
export function disassembleProgram(program: ProgramSource, order: "little" | "big" = "little"): readonly string[] {
  const little = loadProgram(program, order);
  const instructions = decodeProgram(little);
  const loaded = loadedWords(instructions);
  return disassembleInComponent(little).map((line, index) => {
    const instruction = instructions[index];
    const note = instruction === undefined ? undefined : noteOf(instruction, loaded[index], order);
    return note === undefined ? line : `${line.padEnd(40)} ; ${note}`;
  });
}

/** The offset of the word that the accumulator holds when an instruction begins, where every way there agrees on it. */
function loadedWords(instructions: readonly Instruction[]): readonly (number | undefined)[] {
  const loaded: (number | "several" | undefined)[] = [];
  const flow = (target: number, word: number | "several"): void => {
    const earlier = loaded[target];
    loaded[target] = earlier === undefined || earlier === word ? word : "several";
  };
  for (const [index, { code, jumpTrue, jumpFalse, k }] of instructions.entries()) {
    const word = loaded[index] ?? "several";
    if (code === CODE.JA) flow(index + 1 + k, word);
    else if ((code & CLASS) === CODE.JA) {
      flow(index + 1 + jumpTrue, word);
      flow(index + 1 + jumpFalse, word);
    } else if (code !== CODE.RET_K && code !== CODE.RET_A)
      flow(index + 1, code === CODE.LD_ABS ? k : keepsAccumulator(code) ? word : "several");
  }
  return loaded.map((word) => (word === "several" ? undefined : word));
}

/** The three bits that tell loads, stores, arithmetic and jumps apart. */
const CLASS = 0x07;

function keepsAccumulator(code: number): boolean {
  return [CODE.LDX_IMM, CODE.LDX_LEN, CODE.LDX_MEM, CODE.ST, CODE.STX, CODE.TAX].some((other) => other === code);
}

const ARCHITECTURE_OFFSET = 4;

/** The words of `struct seccomp_data`. */
function wordName(offset: number, order: "little" | "big"): string {
  if (offset === 0) return "number";
  if (offset === ARCHITECTURE_OFFSET) return "architecture";
  const half = (offset % 8 === 0) === (order === "little") ? "low" : "high";
  return offset < 16 ? `instruction pointer, ${half} half` : `a${Math.floor((offset - 16) / 8)}, ${half} half`;
}

function noteOf({ code, k }: Instruction, loaded: number | undefined, order: "little" | "big"): string | undefined {
  if (code === CODE.LD_ABS) return wordName(k, order);
  if (code === CODE.RET_K) return actionNote(k);
  return code === CODE.JEQ_K && loaded === ARCHITECTURE_OFFSET ? architectureNames.get(k) : undefined;
}

const architectureNames = new Map(
  [...architectures.values()]
    .filter(({ name }) => name !== "x32")
    .map(({ auditArchitecture, name }) => [auditArchitecture, name]),
);

function actionNote(action: number): string | undefined {
  try {
    return formatAction(action);
  } catch {
    // Programs of other compilers may return what no action has; the number says it all.
    return undefined;
  }
}
