/**
 * Compares a program with the meaning of a filter. Both become diagrams, and diagrams of equal functions are one node;
 * where they are not, a path on which they part is a call that shows it.
 */

import { Diagram, wordAt } from "./diagram";
import { Reference } from "./reference";
import { SymbolicExecution } from "./symbolic";

export const PROVEN: i32 = 0;
export const REFUTED: i32 = 1;
export const UNDECIDED: i32 = 2;

/** The words of a call that is answered wrongly, after REFUTED. */
export const witness: StaticArray<u32> = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
export let expectedAction: u32 = 0;
export let actualAction: u32 = 0;

/** The instruction that could not be followed after UNDECIDED, or −1 when the budget was too small. */
export let undecidedInstruction: i32 = -1;

/**
 * @param program checked
 * @param architectures checked
 * @param budget nodes of the diagram
 */
export function prove(
  program: usize,
  length: u32,
  architectures: usize,
  architectureCount: u32,
  unknownArchitecture: u32,
  budget: u32,
): i32 {
  const diagram = new Diagram(budget);
  const expected = new Reference(diagram).ofFilter(architectures, architectureCount, unknownArchitecture);
  const execution = new SymbolicExecution(diagram, program, length);
  const actual = execution.run();
  undecidedInstruction = execution.undecided;
  if (execution.undecided >= 0 || diagram.exhausted) return UNDECIDED;
  if (expected == actual) return PROVEN;
  findWitness(diagram, expected, actual);
  return REFUTED;
}

function findWitness(diagram: Diagram, expected: i32, actual: i32): void {
  for (let word = 0; word < 16; word++) witness[word] = 0;
  while (!diagram.isLeaf(expected) || !diagram.isLeaf(actual)) {
    const variable = min<u16>(diagram.variable[expected], diagram.variable[actual]);
    const expectedLow = diagram.side(expected, variable, false);
    const actualLow = diagram.side(actual, variable, false);
    const set = expectedLow == actualLow;
    if (set) witness[wordAt(variable >> 5)] |= 1 << (31 - (variable & 31));
    expected = diagram.side(expected, variable, set);
    actual = diagram.side(actual, variable, set);
  }
  expectedAction = diagram.actionOf(expected);
  actualAction = diagram.actionOf(actual);
}
