/**
 * `npm run bench:seccomp`: what pycri's filters cost beside those of libseccomp, which is asked here, and of other
 * compilers, whose figures were measured once (`peers.ts`). First the tables of what is executed, then what the cost model
 * says of a filter that decides as Docker's default profile, then times, which depend on the machine: read their ratios.
 */
import { statSync } from "node:fs";
import { release } from "node:os";
import { nativeArchitecture } from "../../src/profile/architectures.ts";
import { CODE, decodeProgram, encodeProgram } from "../../src/seccomp/bpf.ts";
import type { CompileOptions } from "../../src/seccomp/compilation.ts";
import { costModel, formatCostModel } from "../../src/seccomp/cost-model.ts";
import { prepareProgram } from "../../src/seccomp/simulate.ts";
import { compileOci, lacking } from "../../test/differential/libseccomp.ts";
import { builtCompiler } from "../../test/support/component.ts";
import { repository } from "../../test/support/repository.ts";
import { compileTimes } from "./compile-time.ts";
import { type Figures, figuresOf } from "./figures.ts";
import { kernelCosts } from "./kernel.ts";
import { peers } from "./peers.ts";
import { dockersDecisions, dockersDecisionsNative, type Subject, subjects } from "./subjects.ts";

const ROUNDS = Number(process.argv[2] ?? 20);

function print(line = ""): void {
  process.stdout.write(`${line}\n`);
}

const withoutLibseccomp = lacking();
if (withoutLibseccomp !== null) print(`libseccomp's figures are left out: ${withoutLibseccomp}\n`);

const byTheMix = ({ weights }: Subject): CompileOptions => ({ weights, kernel: "interpreter" });

/** Of the mix, what still runs the filter on a kernel with the bitmap, in executed instructions an average call. */
function executedBesideBitmap(subject: Subject, program: Uint8Array): number {
  const prepared = prepareProgram(program);
  const [analysed] = builtCompiler.analyse(program, [subject.architecture.auditArchitecture]);
  const isFree = (number: number): boolean =>
    analysed?.outcomes.some(({ first, last, cached }) => cached && first <= number && number <= last) ?? false;
  const total = subject.weights.reduce((sum, { weight }) => sum + weight, 0);
  const running = subject.weights.filter(({ number }) => !isFree(number));
  const share = running.reduce((sum, { weight }) => sum + weight, 0) / total;
  return running.length === 0 ? 0 : figuresOf({ ...subject, weights: running }, prepared).mix * share;
}

function printFigures(): void {
  print("                                   instructions  uniform      mix  worst   mix beside the bitmap");
  const row = (name: string, figures: Partial<Figures>, beside?: number): void =>
    print(
      [
        `  ${name}`.padEnd(35),
        String(figures.instructions ?? "-").padStart(12),
        (figures.uniform?.toFixed(2) ?? "-").padStart(9),
        (figures.mix?.toFixed(2) ?? "-").padStart(9),
        String(figures.worst ?? "-").padStart(7),
        (beside?.toFixed(3) ?? "").padStart(10),
      ].join(""),
    );
  for (const subject of subjects) {
    print(subject.name);
    const ours = (name: string, options: CompileOptions): void => {
      const { program } = builtCompiler.compile(subject.filter, options);
      row(name, figuresOf(subject, prepareProgram(program)), executedBesideBitmap(subject, program));
    };
    ours("pycri, uniform weights", {});
    ours("pycri, weighted by the mix", byTheMix(subject));
    if (withoutLibseccomp === null) {
      for (const [name, level] of [
        ["libseccomp, list", 1],
        ["libseccomp, OPTIMIZE=2", 2],
      ] as const) {
        const { program } = compileOci(subject.oci, level);
        row(name, figuresOf(subject, program), executedBesideBitmap(subject, encodeProgram(program.instructions)));
      }
    }
    for (const { name, ...figures } of peers.get(subject) ?? []) row(`${name} (published)`, figures);
  }
}

async function printCompileTimes(): Promise<void> {
  if (withoutLibseccomp !== null) return;
  print(`Compiling, milliseconds, the quietest of ${ROUNDS} interleaved runs; core module ${coreSize()} bytes`);
  print(
    "                                       core   warm  warm, proved  fresh process  fresh, proved   libseccomp   tree",
  );
  for (const subject of subjects) {
    const time = await compileTimes(subject, ROUNDS);
    print(
      [
        subject.name.padEnd(36),
        time.core.toFixed(3).padStart(7),
        time.component.toFixed(2).padStart(7),
        time.componentVerified.toFixed(2).padStart(14),
        time.fresh.toFixed(1).padStart(15),
        time.freshVerified.toFixed(1).padStart(15),
        time.libseccomp.toFixed(1).padStart(13),
        time.libseccompTree.toFixed(1).padStart(7),
      ].join(""),
    );
  }
}

function coreSize(): number {
  return statSync(`${repository}/dist/component/seccomp.core.wasm`).size;
}

/** The same decisions, but no path is constant for the kernel: a load of an argument comes first. */
function withoutBitmap(program: Uint8Array): Uint8Array {
  const load = { code: CODE.LD_ABS, jumpTrue: 0, jumpFalse: 0, k: 16 };
  return encodeProgram([load, ...decodeProgram(program)]);
}

function printKernelCosts(): void {
  if (nativeArchitecture(process.arch) !== "x86_64" || withoutLibseccomp !== null) return;
  // personality(2) that asks for the current one, as Docker's profile allows it.
  const checkedCall = { number: 135, argument: 0xffffffffn };
  for (const subject of [dockersDecisions, dockersDecisionsNative]) {
    const { program } = builtCompiler.compile(subject.filter);
    const rows: readonly (readonly [name: string, program: Uint8Array | null])[] = [
      ["no filter", null],
      ["pycri", program],
      ["pycri, kept out of the bitmap", withoutBitmap(program)],
      ["libseccomp, list", encodeProgram(compileOci(subject.oci, 1).program.instructions)],
      ["libseccomp, OPTIMIZE=2", encodeProgram(compileOci(subject.oci, 2).program.instructions)],
    ];
    const costs = kernelCosts(
      rows.map(([, bytes]) => bytes),
      checkedCall,
      ROUNDS,
    );
    const tree = costs.at(-1);
    const none = costs[0];
    print();
    print(`${subject.name} in the kernel (${release()}), the quietest of ${ROUNDS} interleaved runs`);
    print("                                 attach µs   ÷ tree   constant ns   ÷ none   checked ns   ÷ tree");
    for (const [index, [name]] of rows.entries()) {
      const cost = costs[index];
      if (cost === undefined || tree === undefined || none === undefined) continue;
      print(
        [
          `  ${name}`.padEnd(33),
          cost.attachMicroseconds.toFixed(0).padStart(9),
          (cost.attachMicroseconds / tree.attachMicroseconds).toFixed(2).padStart(9),
          cost.constant.toFixed(0).padStart(14),
          (cost.constant / none.constant).toFixed(2).padStart(9),
          cost.checked.toFixed(0).padStart(13),
          (cost.checked / tree.checked).toFixed(2).padStart(9),
        ].join(""),
      );
    }
  }
}

printFigures();
print();
print(`The cost model: ${dockersDecisions.name}`);
for (const line of formatCostModel(costModel(builtCompiler, dockersDecisions.filter))) print(line);
print();
await printCompileTimes();
printKernelCosts();
