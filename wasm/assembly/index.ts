/**
 * The component's exports, by the canonical ABI: flat parameters in, a pointer to the result's record out. The build
 * gives the exports the names that the WIT world demands. `release` is the post-return of every function: it frees what
 * the host lowered as well as the result.
 */

import { Analysis } from "./analyse";
import { checkFilter, flawArchitecture, flawNumber, MALFORMED } from "./check-filter";
import { checkProgram, flawInstruction, NO_FLAW } from "./check-program";
import { callCosts, COSTLIEST, Compilation } from "./compile";
import { disassembleAll } from "./disassemble";
import { INSTRUCTION_LIMIT, Layout } from "./layout";
import { Measure } from "./measure";
import { beginCall, listFits, reallocate, release } from "./memory";
import {
  actualAction,
  expectedAction,
  PROVEN,
  prove as proveProgram,
  REFUTED,
  undecidedInstruction,
  witness,
} from "./prove";
import { ArchitectureRules, CallTable, CallWeight } from "./records";
import { choose } from "./rewrites";
import { executed, run } from "./simulate";

export { reallocate, release };

/** Diagram nodes that fit the component's memory. */
const MAXIMUM_BUDGET: u32 = 1 << 20;

const DATA_SIZE: u32 = 64;
const EXECUTION_SIZE: u32 = 8;

/** Executions whose result the component's memory holds beside their calls. */
const MAXIMUM_CALLS: u32 = 1 << 18;

/** Call tables of one analysis. */
const MAXIMUM_TABLES: u32 = 64;

/** Numbers of a call table up to which the kernel's emulation is repeated. */
const MAXIMUM_TABLE: u32 = 4096;

export function compile(
  architectures: usize,
  architectureCount: u32,
  unknownArchitecture: u32,
  weights: usize,
  weightCount: u32,
  baseWeight: u32,
  kernel: u32,
  rewrites: u32,
  proofBudget: u32,
): usize {
  beginCall();
  const result = heap.alloc(88);
  let flaw = checkFilter(architectures, architectureCount);
  if (flaw == NO_FLAW && !listFits(weights, weightCount, offsetof<CallWeight>(), 4)) flaw = MALFORMED;
  if (flaw != NO_FLAW) {
    store<u8>(result, 1);
    store<u8>(result, 0, 8);
    store<u8>(result, <u8>flaw, 16);
    store<u32>(result, flawArchitecture, 20);
    store<u32>(result, flawNumber, 24);
    return result;
  }
  choose(rewrites);
  const compilation = new Compilation(weights, weightCount, max<u32>(baseWeight, 1), kernel == 0);
  const root = compilation.build(architectures, architectureCount, unknownArchitecture);
  const layout = new Layout(compilation.graph);
  if (compilation.graph.exhausted || !layout.run(root)) {
    const costs = callCosts(compilation);
    store<u8>(result, 1);
    store<u8>(result, 1, 8);
    store<u32>(result, max<u32>(layout.count, INSTRUCTION_LIMIT + 1), 16);
    store<u32>(result, INSTRUCTION_LIMIT, 20);
    store<usize>(result, costs, 24);
    store<u32>(result, min<u32>(COSTLIEST, compilation.checkedCount), 28);
    return result;
  }
  const program = layout.write();
  const length = <u32>layout.count;
  let proven = false;
  if (proofBudget > 0) {
    const budget = min(proofBudget, MAXIMUM_BUDGET);
    const verdict = proveProgram(program, length, architectures, architectureCount, unknownArchitecture, budget);
    if (verdict == REFUTED) {
      store<u8>(result, 1);
      store<u8>(result, 2, 8);
      writeCounterExample(result + 16, architectures, architectureCount);
      return result;
    }
    proven = verdict == PROVEN;
  }
  const measure = new Measure(program, length);
  for (let i: u32 = 0; i < architectureCount; i++) {
    const rules = changetype<ArchitectureRules>(architectures + i * offsetof<ArchitectureRules>());
    measure.add(rules.auditArchitecture, compilation.segments[i]);
  }
  measure.finish();
  store<u8>(result, 0);
  store<usize>(result, program, 8);
  store<u32>(result, length << 3, 12);
  store<u32>(result, length, 16);
  store<f64>(result, measure.weighted, 24);
  store<f64>(result, measure.uniform, 32);
  store<u32>(result, measure.worst, 40);
  store<bool>(result, proven, 48);
  return result;
}

export function prove(
  program: usize,
  size: u32,
  architectures: usize,
  architectureCount: u32,
  unknownArchitecture: u32,
  budget: u32,
): usize {
  beginCall();
  const result = heap.alloc(88);
  const filterFlaw = checkFilter(architectures, architectureCount);
  if (filterFlaw != NO_FLAW) {
    store<u8>(result, 1);
    store<u8>(result, 0, 8);
    store<u8>(result, <u8>filterFlaw, 12);
    store<u32>(result, flawArchitecture, 16);
    store<u32>(result, flawNumber, 20);
    return result;
  }
  const programFlaw = checkProgram(program, size);
  if (programFlaw != NO_FLAW) {
    store<u8>(result, 1);
    store<u8>(result, 1, 8);
    writeProgramFlaw(result + 12, programFlaw);
    return result;
  }
  const limit = min(budget, MAXIMUM_BUDGET);
  const verdict = proveProgram(program, size >> 3, architectures, architectureCount, unknownArchitecture, limit);
  if (verdict == PROVEN) {
    store<u8>(result, 0);
    store<u8>(result, 0, 8);
  } else if (verdict == REFUTED) {
    store<u8>(result, 0);
    store<u8>(result, 1, 8);
    writeCounterExample(result + 16, architectures, architectureCount);
  } else {
    store<u8>(result, 1);
    store<u8>(result, 2, 8);
    writeUndecided(result + 12, undecidedInstruction);
  }
  return result;
}

export function analyse(program: usize, size: u32, tables: usize, tableCount: u32, budget: u32): usize {
  beginCall();
  const result = heap.alloc(16);
  let flaw = checkProgram(program, size);
  if (flaw == NO_FLAW && !listFits(tables, tableCount, offsetof<CallTable>(), 4)) flaw = 0;
  if (flaw != NO_FLAW) {
    store<u8>(result, 1);
    store<u8>(result, 0, 4);
    writeProgramFlaw(result + 8, flaw);
    return result;
  }
  if (tableCount > MAXIMUM_TABLES) {
    store<u8>(result, 1);
    store<u8>(result, 2, 4);
    store<u32>(result, MAXIMUM_TABLES, 8);
    return result;
  }
  const analysis = new Analysis(program, size >> 3, min(budget, MAXIMUM_BUDGET));
  if (analysis.undecided >= 0 || analysis.exhausted) {
    store<u8>(result, 1);
    store<u8>(result, 1, 4);
    writeUndecided(result + 8, analysis.undecided);
    return result;
  }
  const list = heap.alloc(<usize>tableCount * 24);
  for (let i: u32 = 0; i < tableCount; i++) {
    const table = changetype<CallTable>(tables + i * offsetof<CallTable>());
    const entry = list + <usize>i * 24;
    analysis.run(table.architecture, min(table.size, MAXIMUM_TABLE));
    if (analysis.exhausted) {
      store<u8>(result, 1);
      store<u8>(result, 1, 4);
      writeUndecided(result + 8, -1);
      return result;
    }
    store<u32>(entry, table.architecture);
    store<usize>(entry, writeOutcomes(analysis), 4);
    store<u32>(entry, analysis.count, 8);
    store<u64>(entry, analysis.emulated, 16);
  }
  store<u8>(result, 0);
  store<usize>(result, list, 4);
  store<u32>(result, tableCount, 8);
  return result;
}

export function simulate(program: usize, size: u32, calls: usize, callsSize: u32): usize {
  beginCall();
  const result = heap.alloc(12);
  const flaw = checkProgram(program, size);
  if (flaw != NO_FLAW || !listFits(calls, callsSize, 1, 1)) {
    store<u8>(result, 1);
    writeProgramFlaw(result + 4, max(flaw, 0));
    return result;
  }
  const count = min(callsSize / DATA_SIZE, MAXIMUM_CALLS);
  const list = heap.alloc(<usize>count * EXECUTION_SIZE);
  const scratch = heap.alloc(DATA_SIZE);
  for (let i: u32 = 0; i < count; i++) {
    store<u32>(list + i * EXECUTION_SIZE, run(program, calls + i * DATA_SIZE, scratch));
    store<u32>(list + i * EXECUTION_SIZE, executed, 4);
  }
  store<u8>(result, 0);
  store<usize>(result, list, 4);
  store<u32>(result, count, 8);
  return result;
}

export function disassemble(program: usize, size: u32): usize {
  beginCall();
  const result = heap.alloc(12);
  const flaw = checkProgram(program, size);
  if (flaw != NO_FLAW) {
    store<u8>(result, 1);
    writeProgramFlaw(result + 4, flaw);
    return result;
  }
  store<u8>(result, 0);
  store<usize>(result, disassembleAll(program, size >> 3), 4);
  store<u32>(result, size >> 3, 8);
  return result;
}

function writeProgramFlaw(at: usize, flaw: i32): void {
  store<u8>(at, <u8>flaw);
  store<u32>(at, flawInstruction, 4);
}

function writeUndecided(at: usize, instruction: i32): void {
  store<u8>(at, instruction >= 0 ? 1 : 0);
  store<i32>(at, instruction, 4);
}

/** `counter-example`: `seccomp-data` has the layout of the kernel's struct on a little-endian machine. */
function writeCounterExample(at: usize, architectures: usize, architectureCount: u32): void {
  let swap = 0;
  for (let i: u32 = 0; i < architectureCount; i++) {
    const rules = changetype<ArchitectureRules>(architectures + i * offsetof<ArchitectureRules>());
    if (rules.auditArchitecture == witness[1] && rules.bigEndian) swap = 1;
  }
  store<u32>(at, witness[0]);
  store<u32>(at, witness[1], 4);
  for (let word = 2; word < 16; word++) store<u32>(at + ((<usize>word) << 2), witness[word ^ swap]);
  store<u32>(at, expectedAction, 64);
  store<u32>(at, actualAction, 68);
}

/** `list<number-outcome>` of the analysis' latest architecture. */
function writeOutcomes(analysis: Analysis): usize {
  const list = heap.alloc(<usize>analysis.count * 20);
  const limit = analysis.actionLimit();
  const actions = new StaticArray<u32>(limit);
  for (let i = 0; i < analysis.count; i++) {
    const entry = list + <usize>i * 20;
    const count = analysis.actionsOf(i, actions);
    const copy = heap.alloc(<usize>count * 4);
    memory.copy(copy, changetype<usize>(actions), <usize>count * 4);
    store<u32>(entry, analysis.first[i]);
    store<u32>(entry, analysis.last(i), 4);
    store<usize>(entry, copy, 8);
    store<u32>(entry, count, 12);
    store<bool>(entry, analysis.cached[i], 16);
  }
  return list;
}
