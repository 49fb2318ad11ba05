/**
 * The compiler: segments of equal outcome per architecture, a search over them, a search over the architectures, and
 * the layout of the whole. Every choice is priced by the weights that the caller gave.
 */

import { ArgumentChecks } from "./argument-checks";
import { grown, InstructionGraph, JUMP_EQUAL } from "./instruction-graph";
import { ArchitectureRules, CallRule, CallWeight, NumberRange } from "./records";
import { INSTRUCTION_LIMIT } from "./layout";
import { applies, FAVOUR_DEEP, SEPARATE_X32 } from "./rewrites";
import { SearchTree } from "./search-tree";
import { Segments } from "./segments";

const ALLOW: u32 = 0x7fff0000;

/** In `struct seccomp_data`. */
const NUMBER_OFFSET: u32 = 0;
const ARCHITECTURE_OFFSET: u32 = 4;

/** x32 calls carry this bit. */
const X32_BIT: u32 = 0x40000000;

/** What an instruction of size costs, in executed instructions of an average call. */
const SIZE_PRICE: f64 = 0.002;

/**
 * The same where constant ALLOW is free. What the kernel then walks is mostly the walk of all numbers at attaching, and it
 * translates an instruction no faster than it walks fifty, a tenth of that walk; calls that still run the filter
 * deserve the greater part of the rest.
 */
const BITMAP_SIZE_PRICE: f64 = 0.015;

/** The part of all weight that goes into keeping the longest path short, and how much of it at most, in steps. */
const DEPTH_SHARE: f64 = 0.005;
const DEEPEST_SHARE: f64 = 0.1;
const DEPTH_STEP: f64 = 4;

/** Instructions of a search's longest path that are worth no further share. */
const DEEP: i32 = 17;

/** The same among x32 calls, which hardly any program makes: there the longest path is what matters. */
const RARE_DEPTH_SHARE: f64 = 1;

/** How much rarer than others x32 calls are. */
const RARITY: f64 = 256;

/** A test tells at most three segments apart; with more of them the program cannot fit. */
const SEGMENT_LIMIT: i32 = 2 * INSTRUCTION_LIMIT + 1;

/** A range of more numbers than a table has reaches beyond it and lists none of them. */
const TABLE_SIZE: u32 = 1024;

/** Consecutive numbers without a rule that count as calls; more are a hole in the table. */
const HOLE: u32 = 16;

/** Calls that an error about size names. */
export const COSTLIEST: u32 = 5;

export class Compilation {
  graph: InstructionGraph;
  /** By architecture. */
  segments: Array<Segments> = new Array<Segments>();
  private tree: SearchTree;
  private checks: ArgumentChecks;
  private weights: usize;
  private weightCount: u32;
  private baseWeight: f64;
  private freeAllow: bool;

  /** The calls whose arguments are checked: architecture, number, size of the checks. */
  checkedCount: u32 = 0;
  checkedArchitecture: StaticArray<u32> = new StaticArray<u32>(32);
  checkedNumber: StaticArray<u32> = new StaticArray<u32>(32);
  checkedSize: StaticArray<u32> = new StaticArray<u32>(32);

  /**
   * @param weights list of `CallWeight`, checked
   * @param freeAllow whether the kernel answers constant ALLOW without the filter
   */
  constructor(weights: usize, weightCount: u32, baseWeight: u32, freeAllow: bool) {
    const graph = new InstructionGraph();
    const tree = new SearchTree(graph);
    this.graph = graph;
    this.tree = tree;
    this.checks = new ArgumentChecks(graph, tree);
    this.weights = weights;
    this.weightCount = weightCount;
    this.baseWeight = baseWeight;
    this.freeAllow = freeAllow;
  }

  /** The root of the whole program. */
  build(architectures: usize, count: u32, unknown: u32): i32 {
    const graph = this.graph;
    for (let i: u32 = 0; i < count; i++) {
      this.segments.push(
        this.segmentsOf(changetype<ArchitectureRules>(architectures + i * offsetof<ArchitectureRules>())),
      );
      if (graph.exhausted) return 0;
    }
    let node = graph.returns(unknown);
    for (let i = <i32>count - 1; i >= 0; i--) {
      const rules = changetype<ArchitectureRules>(architectures + <usize>i * offsetof<ArchitectureRules>());
      const search = this.search(this.segments[i]);
      const entry = this.segments[i].count == 1 ? search : graph.loads(NUMBER_OFFSET, search);
      node = graph.tests(JUMP_EQUAL, rules.auditArchitecture, entry, node);
    }
    return count == 0 ? node : graph.loads(ARCHITECTURE_OFFSET, node);
  }

  /** The search over an architecture's numbers; those of x32 are a world of their own, one leaf of the whole. */
  private search(segments: Segments): i32 {
    const boundary = segments.find(X32_BIT);
    if (boundary == 0 || boundary == segments.count - 1 || !applies(SEPARATE_X32)) {
      return this.shallowest(segments.copy(0, segments.count));
    }
    const x32 = segments.copy(boundary, segments.count);
    const straddles = segments.first[boundary] < X32_BIT;
    const x32Weight = x32.total();
    const native = segments.copy(0, straddles ? boundary + 1 : boundary);
    native.add(X32_BIT, this.searchAll(x32, RARE_DEPTH_SHARE));
    native.weight[native.count - 1] += x32Weight;
    return this.shallowest(native);
  }

  /** Gives depth more weight until the longest path is short, or no shorter for it. */
  private shallowest(segments: Segments): i32 {
    let best = this.searchAll(segments, DEPTH_SHARE);
    if (!applies(FAVOUR_DEEP)) return best;
    for (let share = DEPTH_SHARE; this.graph.height[best] > DEEP && share < DEEPEST_SHARE; share *= DEPTH_STEP) {
      // What was favoured before is still there.
      const other = this.searchAll(segments, share * (DEPTH_STEP - 1));
      if (this.graph.height[other] < this.graph.height[best]) best = other;
    }
    return best;
  }

  private searchAll(segments: Segments, depthShare: f64): i32 {
    if (applies(FAVOUR_DEEP)) segments.favourDeep(this.graph, depthShare);
    return this.tree.build(segments, this.graph, (this.freeAllow ? BITMAP_SIZE_PRICE : SIZE_PRICE) * segments.total());
  }

  private segmentsOf(rules: ArchitectureRules): Segments {
    const segments = new Segments();
    const fallback = this.graph.returns(rules.defaultAction);
    let call: u32 = 0;
    let range: u32 = 0;
    let next: u64 = 0;
    while (next <= u32.MAX_VALUE && !this.graph.exhausted) {
      if (segments.count > SEGMENT_LIMIT) this.graph.exhausted = true;
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
          segments.add(number, this.outcomeOf(rules, rule));
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

  private outcomeOf(rules: ArchitectureRules, rule: CallRule): i32 {
    if (rule.clauseCount == 0) return this.graph.returns(rule.otherwise);
    const node = this.checks.build(rule, rules.bigEndian);
    const at = this.checkedCount++;
    if (at == <u32>this.checkedNumber.length) {
      this.checkedArchitecture = grown<u32>(this.checkedArchitecture);
      this.checkedNumber = grown<u32>(this.checkedNumber);
      this.checkedSize = grown<u32>(this.checkedSize);
    }
    this.checkedArchitecture[at] = rules.auditArchitecture;
    this.checkedNumber[at] = rule.number;
    this.checkedSize[at] = this.checks.size;
    return node;
  }

  /**
   * Gives every number its base weight and the given weights on top. The filter does not say which numbers between its
   * rules are calls; in a long run of others there are none.
   */
  private weigh(segments: Segments, rules: ArchitectureRules): void {
    const base = this.baseWeight;
    const rare = base / RARITY;
    let at = 0;
    for (let i: u32 = 0; i < rules.callCount; i++) {
      const number = changetype<CallRule>(rules.calls + i * offsetof<CallRule>()).number;
      while (segments.last(at) < number) at++;
      unchecked(segments.listed[at]++);
    }
    for (let i: u32 = 0; i < rules.rangeCount; i++) {
      const range = changetype<NumberRange>(rules.ranges + i * offsetof<NumberRange>());
      if (range.last - range.first >= TABLE_SIZE) continue;
      let number = range.first;
      for (at = segments.find(number); ; at++) {
        const end = min(segments.last(at), range.last);
        unchecked((segments.listed[at] += end - number + 1));
        if (end == range.last) break;
        number = end + 1;
      }
    }
    for (let i = 0; i < segments.count; i++) {
      const listed = unchecked(segments.listed[i]);
      const first = unchecked(segments.first[i]);
      const others = min<u32>(segments.last(i) - first + 1 - listed, HOLE);
      unchecked((segments.weight[i] = (first >= X32_BIT ? rare : base) * <f64>(listed + others)));
    }
    const allow = this.graph.returns(ALLOW);
    for (let i: u32 = 0; i < this.weightCount; i++) {
      const weight = changetype<CallWeight>(this.weights + i * offsetof<CallWeight>());
      if (weight.architecture != rules.auditArchitecture) continue;
      const index = segments.find(weight.number);
      if (this.freeAllow && segments.node[index] == allow) continue;
      unchecked((segments.weight[index] += weight.weight));
      if (<f64>weight.weight > unchecked(segments.hotWeight[index])) {
        unchecked((segments.hot[index] = weight.number));
        unchecked((segments.hotWeight[index] = weight.weight));
      }
    }
  }
}

/** `list<call-cost>`: the calls with the longest checks, longest first, at most COSTLIEST. */
export function callCosts(compilation: Compilation): usize {
  const list = heap.alloc(COSTLIEST * 12);
  const taken = new StaticArray<bool>(compilation.checkedCount);
  for (let place: u32 = 0; place < min(COSTLIEST, compilation.checkedCount); place++) {
    let best = -1;
    for (let i = 0; i < <i32>compilation.checkedCount; i++) {
      if (!taken[i] && (best < 0 || compilation.checkedSize[i] > compilation.checkedSize[best])) best = i;
    }
    taken[best] = true;
    store<u32>(list + place * 12, compilation.checkedArchitecture[best]);
    store<u32>(list + place * 12, compilation.checkedNumber[best], 4);
    store<u32>(list + place * 12, compilation.checkedSize[best], 8);
  }
  return list;
}
