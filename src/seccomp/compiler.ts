/**
 * The compiler component behind plain functions: filters are lowered into it, its typed errors become `RuntimeError`.
 * An instance that trapped is thrown away, the next call gets a new one. Nothing here knows where the component comes
 * from: `compile.ts` loads the one that was built, a browser or a test hands over its own.
 */

import { RuntimeError } from "../errors.ts";
import type { ArchitectureOutcomes, CompiledFilter, CompileOptions, CounterExample, Verdict } from "./compilation.ts";
import { DATA_SIZE, INSTRUCTION_LIMIT, INSTRUCTION_SIZE } from "./bpf.ts";
import { asError, invalidProgram, isComponentError, Undecided } from "./component-error.ts";
import { evaluate } from "./evaluate.ts";
import type { Filter, SeccompData } from "./filter.ts";
import { FULL_BUDGET, lowerFilter, lowerOptions } from "./lower-filter.ts";
import { type Execution, prepareProgram, simulate } from "./simulate.ts";
import type * as WitProver from "../../wasm/generated/interfaces/pycri-seccomp-prover.js";
import type * as WitTypes from "../../wasm/generated/interfaces/pycri-seccomp-types.js";
import type { Root } from "../../wasm/generated/seccomp.js";

/** An instance of the component. */
export type Component = Root;

/** Bytes of calls that are simulated at once, so that they fit the component's memory. */
const CHUNK_SIZE = DATA_SIZE << 14;

/** Numbers that a kernel of today has in the tables that its bitmap covers, rounded up. */
const CALL_TABLE_SIZE = 480;

export class Compiler {
  readonly #instantiate: () => Component;
  #instance: Component | undefined;

  /** @param instantiate is called once, and again after each trap */
  constructor(instantiate: () => Component) {
    this.#instantiate = instantiate;
  }

  /**
   * Compiles a filter to a BPF program.
   * @throws RuntimeError INVALID_PROFILE: rules that contradict the filter's own invariants, or a program above the
   * kernel's 4,096 instructions (`details.costliest` lists the calls whose checks are longest)
   * @throws RuntimeError INVALID_ARGUMENT: a weight that is no positive number
   */
  compile(filter: Filter, options: CompileOptions = {}): CompiledFilter {
    const { program, measure, proven } = this.#call(({ compiler }) =>
      compiler.compile(lowerFilter(filter), lowerOptions(options)),
    );
    const { instructions, weighted, uniform, worst } = measure;
    return { program, instructionCount: instructions, measure: { weighted, uniform, worst }, proven };
  }

  /**
   * Compares a program, whoever compiled it, with the meaning of a filter, for every possible call.
   * @param program packed little-endian `struct sock_filter[]`
   * @throws RuntimeError INVALID_DOCUMENT: a program that the kernel would refuse
   */
  prove(filter: Filter, program: Uint8Array): Verdict {
    checkLength(program);
    let verdict: WitProver.Verdict;
    try {
      verdict = this.#call(({ prover }) => prover.prove(program, lowerFilter(filter), FULL_BUDGET));
    } catch (error) {
      if (error instanceof Undecided) return { verdict: "undecided", instruction: error.instruction };
      throw error;
    }
    if (verdict.tag === "proven") return { verdict: "proven" };
    return { verdict: "refuted", counterExample: recheck(filter, program, verdict.val) };
  }

  /**
   * The outcome of every call of a program: which are free, which run the filter, and what attaching it costs.
   * @param architectures AUDIT_ARCH_* to report
   * @param tableSize how many numbers the kernel's call table has, of which the bitmap keeps one bit each
   * @throws RuntimeError INVALID_DOCUMENT: a program that the kernel would refuse, or one too involved to follow
   */
  analyse(
    program: Uint8Array,
    architectures: readonly number[],
    tableSize: number = CALL_TABLE_SIZE,
  ): readonly ArchitectureOutcomes[] {
    checkLength(program);
    const tables = architectures.map((architecture) => ({ architecture, size: tableSize }));
    try {
      return this.#call(({ analyser }) => analyser.analyse(program, tables, FULL_BUDGET)).map(
        ({ architecture, outcomes, attachInstructions }) => ({
          architecture,
          outcomes: outcomes.map(({ first, last, actions, cached }) => ({
            first,
            last,
            actions: [...actions],
            cached,
          })),
          attachInstructions: Number(attachInstructions),
        }),
      );
    } catch (error) {
      if (!(error instanceof Undecided)) throw error;
      throw new RuntimeError("INVALID_DOCUMENT", `Cannot analyse the BPF program: ${error.message}`, { cause: error });
    }
  }

  /**
   * A program's text, one line an instruction.
   * @throws RuntimeError INVALID_DOCUMENT: a program that the kernel would refuse
   */
  disassemble(program: Uint8Array): readonly string[] {
    checkLength(program);
    return this.#call(({ disassembler }) => disassembler.disassemble(program));
  }

  /**
   * Runs a program.
   * @param calls packed `struct seccomp_data`, see the WIT
   * @throws RuntimeError INVALID_DOCUMENT: a program that the kernel would refuse
   */
  simulate(program: Uint8Array, calls: Uint8Array): readonly Execution[] {
    checkLength(program);
    const executions: Execution[] = [];
    for (let at = 0; at === 0 || at < calls.length; at += CHUNK_SIZE) {
      const chunk = calls.subarray(at, at + CHUNK_SIZE);
      for (const execution of this.#call(({ simulator }) => simulator.simulate(program, chunk))) {
        executions.push(execution);
      }
    }
    return executions;
  }

  #call<T>(use: (component: Component) => T): T {
    this.#instance ??= this.#instantiate();
    try {
      return use(this.#instance);
    } catch (error) {
      if (isComponentError(error)) throw asError(error);
      // A trap, or a host error in the middle of lowering: the instance's state is unknown.
      this.#instance = undefined;
      throw error;
    }
  }
}

/** What is far too long for a program need not be copied into the component first. */
function checkLength(program: Uint8Array): void {
  if (program.length > INSTRUCTION_LIMIT * INSTRUCTION_SIZE) throw invalidProgram({ reason: "length", instruction: 0 });
}

/** A counter-example is only worth something if the reference and the interpreter agree that it is one. */
function recheck(filter: Filter, program: Uint8Array, found: WitTypes.CounterExample): CounterExample {
  const { number, architecture, instructionPointer, arguments: args } = found.call;
  const data: SeccompData = { number, architecture, instructionPointer, args };
  const bigEndian = filter.architectures.some((rules) => rules.auditArchitecture === architecture && rules.bigEndian);
  const { action } = simulate(prepareProgram(program), data, bigEndian);
  if (evaluate(filter, data) !== found.expected || action !== found.actual) {
    throw new Error(`the prover's counter-example does not hold: call ${number} of 0x${architecture.toString(16)}`);
  }
  return { data, expected: found.expected, actual: found.actual };
}
