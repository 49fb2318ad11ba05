/**
 * The compiler: segments of equal outcome per architecture, a search over them, a search over the architectures, and
 * the layout of the whole. Every choice is priced by the weights that the caller gave.
 */

import { ArgumentChecks } from "./argument-checks";
import { InstructionGraph, JUMP_EQUAL } from "./instruction-graph";
import { ArchitectureRules, CallRule, CallWeight, NumberRange } from "./records";
import { SearchTree } from "./search-tree";
import { Segments } from "./segments";

const NUMBER_OFFSET: u32 = 0;
const ARCHITECTURE_OFFSET: u32 = 4;

/** x32 calls carry this bit. */
const X32_BIT: u32 = 0x40000000;

/** What an instruction of size costs, in executed instructions of one number met once. */
const SIZE_PRICE: f64 = 0.25;

/** The part of all weight that goes into keeping the longest path short. */
const DEPTH_SHARE: f64 = 0.005;

/** The same among x32 calls, which hardly any program makes: there the longest path is what matters. */
const RARE_DEPTH_SHARE: f64 = 1;

export class Compilation {
  graph: InstructionGraph;
  private checks: ArgumentChecks;
  weights: usize = 0;
  weightCount: u32 = 0;
  baseWeight: u32 = 1;
  freeAllow: bool = true;

  constructor() {
    const graph = new InstructionGraph();
    this.graph = graph;
    this.checks = new ArgumentChecks(graph);
  }

  /** The root of the whole program. */
  build(architectures: usize, count: u32, unknown: u32): i32 {
    const graph = this.graph;
    let node = graph.returns(unknown);
    for (let i = <i32>count - 1; i >= 0; i--) {
      const rules = changetype<ArchitectureRules>(architectures + <usize>i * offsetof<ArchitectureRules>());
      const segments = this.segmentsOf(rules);
      const search = this.search(segments);
      const entry = segments.count == 1 ? search : graph.loads(NUMBER_OFFSET, search);
      node = graph.tests(JUMP_EQUAL, rules.auditArchitecture, entry, node);
    }
    return count == 0 ? node : graph.loads(ARCHITECTURE_OFFSET, node);
  }

  /** The search over an architecture's numbers; those of x32 are a world of their own, one leaf of the whole. */
  private search(segments: Segments): i32 {
    const boundary = segments.find(X32_BIT);
    if (boundary == 0 || boundary == segments.count - 1) return this.searchAll(segments, DEPTH_SHARE);
    const outer = new Segments();
    const inner = new Segments();
    let innerWeight: f64 = 0;
    for (let i = 0; i < segments.count; i++) {
      if (segments.last(i) >= X32_BIT) {
        inner.add(inner.count == 0 ? X32_BIT : segments.first[i], segments.node[i]);
        inner.weight[inner.count - 1] = segments.weight[i];
        innerWeight += segments.weight[i];
      }
    }
    const x32 = this.searchAll(inner, RARE_DEPTH_SHARE);
    for (let i = 0; i < segments.count && segments.first[i] < X32_BIT; i++) {
      outer.add(segments.first[i], segments.node[i]);
      outer.weight[outer.count - 1] = segments.weight[i];
    }
    outer.add(X32_BIT, x32);
    outer.weight[outer.count - 1] += innerWeight;
    return this.searchAll(outer, DEPTH_SHARE);
  }

  private searchAll(segments: Segments, depthShare: f64): i32 {
    segments.favourDeep(this.graph, depthShare);
    return new SearchTree(segments, this.graph, SIZE_PRICE * <f64>this.baseWeight).build();
  }

  private segmentsOf(rules: ArchitectureRules): Segments {
    const segments = new Segments();
    const fallback = this.graph.returns(rules.defaultAction);
    let call: u32 = 0;
    let range: u32 = 0;
    let next: u64 = 0;
    while (next <= u32.MAX_VALUE) {
      const number = <u32>next;
      const ahead = this.rangeAt(rules, range);
      if (ahead !== null && number > ahead.last) {
        range++;
        continue;
      }
      const surrounding = ahead !== null && number >= ahead.first ? this.graph.returns(ahead.action) : fallback;
      let end: u64 = u32.MAX_VALUE;
      if (ahead !== null) end = number >= ahead.first ? ahead.last : ahead.first - 1;
      if (call < rules.callCount) {
        const rule = changetype<CallRule>(rules.calls + call * offsetof<CallRule>());
        if (rule.number == number) {
          const node =
            rule.clauseCount == 0 ? this.graph.returns(rule.otherwise) : this.checks.build(rule, rules.bigEndian);
          segments.add(number, node);
          call++;
          next++;
          continue;
        }
        if (<u64>rule.number <= end) end = rule.number - 1;
      }
      segments.add(number, surrounding);
      next = end + 1;
    }
    this.weigh(segments, rules);
    return segments;
  }

  private rangeAt(rules: ArchitectureRules, index: u32): NumberRange | null {
    if (index >= rules.rangeCount) return null;
    return changetype<NumberRange>(rules.ranges + index * offsetof<NumberRange>());
  }

  /** Gives every listed number its base weight, every segment at least one, and the given weights on top. */
  private weigh(segments: Segments, rules: ArchitectureRules): void {
    const base = <f64>this.baseWeight;
    for (let i = 0; i < segments.count; i++) {
      segments.weight[i] = segments.first[i] >= X32_BIT ? base / 256 : base;
    }
    let at = 0;
    for (let i: u32 = 0; i < rules.callCount; i++) {
      const number = changetype<CallRule>(rules.calls + i * offsetof<CallRule>()).number;
      while (segments.last(at) < number) at++;
      segments.weight[at] += number & X32_BIT ? base / 256 : base;
    }
    const allow = this.graph.returns(0x7fff0000);
    for (let i: u32 = 0; i < this.weightCount; i++) {
      const weight = changetype<CallWeight>(this.weights + i * offsetof<CallWeight>());
      if (weight.architecture != rules.auditArchitecture) continue;
      const index = segments.find(weight.number);
      if (this.freeAllow && segments.node[index] == allow) continue;
      segments.weight[index] += <f64>weight.weight;
    }
  }
}
