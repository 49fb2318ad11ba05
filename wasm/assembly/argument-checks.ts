/**
 * The instructions that check the arguments of one call. Halves of an equality can be tested in either order and so can
 * the comparisons of a clause; what is shared afterwards depends on the order, so each is tried and the best kept.
 */

import { Decisions } from "./decisions";
import { Facts } from "./facts";
import { InstructionGraph } from "./instruction-graph";
import { Loader } from "./loads";
import { applies, DROP_SETTLED, LOW_HALVES_FIRST, ORDER_COMPARISONS } from "./rewrites";
import { CallRule, Clause, Comparison } from "./records";
import { SearchTree } from "./search-tree";

/** Comparisons in a call up to which it is worth counting which ones recur. */
const COUNTING_LIMIT: u32 = 64;

export class ArgumentChecks {
  private graph: InstructionGraph;
  private trial: InstructionGraph = new InstructionGraph();
  /** Instructions of the latest checks, shared with other calls or not. */
  size: u32 = 0;
  private decisions: Decisions;
  private facts: Facts;
  private tree: SearchTree;

  constructor(graph: InstructionGraph, tree: SearchTree) {
    const decisions = new Decisions();
    this.graph = graph;
    this.tree = tree;
    this.decisions = decisions;
    this.facts = new Facts(decisions);
  }

  /** The instruction that begins the checks of `rule`. */
  build(rule: CallRule, bigEndian: bool): i32 {
    if (applies(ORDER_COMPARISONS) && isWorthOrdering(rule)) {
      // The rule itself stays as it is: the proof reads it afterwards.
      rule = copyOf(rule);
      orderComparisons(rule);
    }
    const highFirstSize = this.sizeOf(rule, bigEndian, false);
    let lowFirst = false;
    this.size = highFirstSize;
    if (rule.argumentBits == 64 && applies(LOW_HALVES_FIRST)) {
      const lowFirstSize = this.sizeOf(rule, bigEndian, true);
      lowFirst = lowFirstSize <= highFirstSize;
      this.size = min(lowFirstSize, highFirstSize);
    }
    return this.lower(rule, bigEndian, lowFirst, this.graph);
  }

  private sizeOf(rule: CallRule, bigEndian: bool, lowFirst: bool): u32 {
    this.trial.clear();
    this.lower(rule, bigEndian, lowFirst, this.trial);
    return this.trial.exhausted ? lengthOf(rule) : this.trial.count;
  }

  private lower(rule: CallRule, bigEndian: bool, lowFirst: bool, graph: InstructionGraph): i32 {
    this.decisions.clear();
    this.decisions.lowFirst = lowFirst;
    let root = this.decisions.ofCall(rule);
    if (applies(DROP_SETTLED)) root = this.facts.simplify(root);
    if (this.decisions.exhausted) {
      graph.exhausted = true;
      return 0;
    }
    return new Loader(this.decisions, graph, this.tree, bigEndian).instructions(root);
  }
}

function isWorthOrdering(rule: CallRule): bool {
  return rule.clauseCount > 1 && lengthOf(rule) <= COUNTING_LIMIT;
}

/** A rule with clauses and comparisons of its own. */
function copyOf(rule: CallRule): CallRule {
  const copy = copied(changetype<usize>(rule), 1, offsetof<CallRule>());
  const clauses = copied(rule.clauses, rule.clauseCount, offsetof<Clause>());
  changetype<CallRule>(copy).clauses = clauses;
  for (let i: u32 = 0; i < rule.clauseCount; i++) {
    const clause = changetype<Clause>(clauses + i * offsetof<Clause>());
    clause.comparisons = copied(clause.comparisons, clause.comparisonCount, offsetof<Comparison>());
  }
  return changetype<CallRule>(copy);
}

function copied(from: usize, count: u32, size: usize): usize {
  const copy = heap.alloc(count * size);
  memory.copy(copy, from, count * size);
  return copy;
}

/**
 * Puts the comparisons that most clauses share first, so that the clauses share the test. The order within a clause has
 * no meaning.
 */
function orderComparisons(rule: CallRule): void {
  for (let i: u32 = 0; i < rule.clauseCount; i++) {
    const clause = clauseOf(rule, i);
    for (let j: u32 = 1; j < clause.comparisonCount; j++) {
      for (let k = j; k > 0; k--) {
        const before = comparisonOf(clause, k - 1);
        const after = comparisonOf(clause, k);
        if (occurrences(rule, before) >= occurrences(rule, after)) break;
        exchange(before, after);
      }
    }
  }
}

/** How many comparisons a rule has. */
function lengthOf(rule: CallRule): u32 {
  let total: u32 = 0;
  for (let i: u32 = 0; i < rule.clauseCount; i++) total += clauseOf(rule, i).comparisonCount;
  return total;
}

function clauseOf(rule: CallRule, index: u32): Clause {
  return changetype<Clause>(rule.clauses + index * offsetof<Clause>());
}

function comparisonOf(clause: Clause, index: u32): Comparison {
  return changetype<Comparison>(clause.comparisons + index * offsetof<Comparison>());
}

function occurrences(rule: CallRule, wanted: Comparison): i32 {
  let count = 0;
  for (let i: u32 = 0; i < rule.clauseCount; i++) {
    const clause = clauseOf(rule, i);
    for (let j: u32 = 0; j < clause.comparisonCount; j++) {
      const comparison = comparisonOf(clause, j);
      if (
        comparison.index == wanted.index &&
        comparison.operator == wanted.operator &&
        comparison.value == wanted.value &&
        comparison.mask == wanted.mask
      ) {
        count++;
      }
    }
  }
  return count;
}

function exchange(a: Comparison, b: Comparison): void {
  const before = copied(changetype<usize>(a), 1, offsetof<Comparison>());
  memory.copy(changetype<usize>(a), changetype<usize>(b), offsetof<Comparison>());
  memory.copy(changetype<usize>(b), before, offsetof<Comparison>());
}
