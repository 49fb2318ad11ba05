/** The component's typed errors as `RuntimeError`. */

import { RuntimeError } from "../errors.ts";
import type * as WitAnalyser from "../../wasm/generated/interfaces/pycri-seccomp-analyser.js";
import type * as Wit from "../../wasm/generated/interfaces/pycri-seccomp-compiler.js";
import type * as WitProver from "../../wasm/generated/interfaces/pycri-seccomp-prover.js";
import type * as WitTypes from "../../wasm/generated/interfaces/pycri-seccomp-types.js";

export type ComponentError =
  | Wit.CompileError
  | WitProver.ProveError
  | WitAnalyser.AnalyseError
  /** The simulator and the disassembler have no other error. */
  | (WitTypes.ProgramFlaw & { readonly tag?: undefined });

/** Its errors are thrown as plain objects; a trap, or what the binding refuses to lower, is an `Error`. */
export function isComponentError(error: unknown): error is ComponentError {
  return typeof error === "object" && error !== null && !(error instanceof Error);
}

/** The prover's third answer on its way to the caller. */
export class Undecided extends Error {
  readonly instruction: number | null;

  constructor(instruction: number | null) {
    super(
      instruction === null
        ? "it tells too many cases apart"
        : `instruction ${instruction} computes something too involved`,
    );
    this.instruction = instruction;
  }
}

function hexadecimal(value: number): string {
  return `0x${value.toString(16)}`;
}

export function asError(error: ComponentError): Error {
  switch (error.tag) {
    case "invalid-filter": {
      const { flaw, architecture, number } = error.val;
      const place = `call ${number} of architecture ${hexadecimal(architecture)}`;
      return new RuntimeError(
        "INVALID_PROFILE",
        `Cannot compile the filter: ${flaw.replaceAll("-", " ")} at ${place}`,
        {
          details: { ...error.val },
        },
      );
    }
    case "too-large":
      return tooLarge(error.val);
    case "miscompiled":
      return new Error(`the compiler made a wrong program, please report it: call ${error.val.call.number}`);
    case "too-many-tables":
      return new RuntimeError(
        "INVALID_ARGUMENT",
        `Cannot analyse the BPF program for more than ${error.val} architectures at once`,
      );
    case "undecided":
      return new Undecided(error.val.instruction ?? null);
    case "invalid-program":
      return invalidProgram(error.val);
    case undefined:
      return invalidProgram(error);
  }
}

function tooLarge({ instructions, limit, costliest }: Wit.TooLarge): RuntimeError {
  const calls = costliest.map(
    (cost) => `call ${cost.number} on ${hexadecimal(cost.architecture)} (${cost.instructions} instructions)`,
  );
  return new RuntimeError(
    "INVALID_PROFILE",
    `Cannot compile the filter: it needs at least ${instructions} instructions and the kernel takes ${limit}`,
    {
      hint:
        calls.length > 0
          ? `the longest argument checks are those of ${calls.join(", ")}`
          : "no call's arguments are checked: fewer, wider runs of call numbers with one action are what helps",
      details: { instructions, limit, ...(calls.length > 0 ? { costliest } : {}) },
    },
  );
}

export function invalidProgram({ reason, instruction }: WitTypes.ProgramFlaw): RuntimeError {
  return new RuntimeError(
    "INVALID_DOCUMENT",
    `Cannot use the BPF program: instruction ${instruction} is invalid (${reason})`,
    { details: { reason, instruction } },
  );
}
