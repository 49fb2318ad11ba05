/**
 * The component's exports, by the canonical ABI: flat parameters in, a pointer to the result's record out. The build
 * gives the exports the names that the WIT world demands. `release` is the post-return of every function: it frees what
 * the host lowered as well as the result.
 */

import { checkFilter, flawArchitecture, flawNumber, NO_FLAW } from "./check-filter";
import { Compilation } from "./compile";
import { INSTRUCTION_LIMIT, Layout } from "./layout";
import { listFits, reallocate, release } from "./memory";
import { CallWeight } from "./records";

export { reallocate, release };

const MALFORMED: i32 = 5;

/** `result<compiled, compile-error>`: discriminant at 0, payload at 8. */
const RESULT_SIZE: usize = 48;

export function compile(
  architectures: usize,
  architectureCount: u32,
  unknownArchitecture: u32,
  weights: usize,
  weightCount: u32,
  baseWeight: u32,
  kernel: u32,
): usize {
  const result = heap.alloc(RESULT_SIZE);
  let flaw = checkFilter(architectures, architectureCount);
  if (flaw == NO_FLAW && !listFits(weights, weightCount, offsetof<CallWeight>(), 4)) flaw = MALFORMED;
  if (flaw != NO_FLAW) {
    store<u8>(result, 1);
    store<u8>(result, 0, 8);
    store<u8>(result, <u8>flaw, 12);
    store<u32>(result, flawArchitecture, 16);
    store<u32>(result, flawNumber, 20);
    return result;
  }
  const compilation = new Compilation();
  compilation.weights = weights;
  compilation.weightCount = weightCount;
  compilation.baseWeight = max<u32>(baseWeight, 1);
  compilation.freeAllow = kernel == 0;
  const root = compilation.build(architectures, architectureCount, unknownArchitecture);
  const layout = new Layout(compilation.graph);
  if (compilation.graph.exhausted || !layout.run(root)) {
    store<u8>(result, 1);
    store<u8>(result, 1, 8);
    store<u32>(result, layout.count, 12);
    store<u32>(result, INSTRUCTION_LIMIT, 16);
    store<u32>(result, 4, 20);
    store<u32>(result, 0, 24);
    return result;
  }
  store<u8>(result, 0);
  store<usize>(result, layout.write(), 8);
  store<u32>(result, <u32>layout.count * 8, 12);
  store<u32>(result, <u32>layout.count, 16);
  store<f64>(result, 0, 24);
  store<f64>(result, 0, 32);
  store<u32>(result, 0, 40);
  return result;
}
