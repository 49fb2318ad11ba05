/**
 * Figures of compilers that a benchmark run cannot be asked to install, measured once: on Docker's default profile for
 * x86_64, as which the first subject decides, and on Firecracker's filter of a virtual processor. What is not known of one is
 * left out.
 */
import type { Figures } from "./figures.ts";
import { dockersDecisionsNative, firecrackerVcpu, type Subject } from "./subjects.ts";

export interface Peer extends Partial<Figures> {
  readonly name: string;
  readonly compileMs?: number;
}

export const peers: ReadonlyMap<Subject, readonly Peer[]> = new Map<Subject, readonly Peer[]>([
  [
    dockersDecisionsNative,
    [
      { name: "Kafel", instructions: 108, uniform: 10.5, mix: 8.6, worst: 31, compileMs: 0.14 },
      { name: "minijail, uniform", instructions: 105, uniform: 9.6, mix: 7.7, worst: 20, compileMs: 182 },
      { name: "minijail, by the mix", instructions: 105, uniform: 11.6, mix: 6.3, worst: 23, compileMs: 182 },
      { name: "gVisor", instructions: 170, uniform: 15.1, mix: 11.1, worst: 22, compileMs: 30 },
      { name: "seccompiler", instructions: 1603, uniform: 379, mix: 176, worst: 626, compileMs: 0.04 },
    ],
  ],
  ...firecrackerVcpu.map(
    (subject) =>
      [
        subject,
        [
          { name: "Kafel", instructions: 111, mix: 9.3 },
          { name: "gVisor", instructions: 89, mix: 13.5 },
        ],
      ] as const,
  ),
]);
