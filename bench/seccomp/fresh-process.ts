/**
 * One compilation in a process that has done nothing else: prints the milliseconds from before the component is loaded
 * until the program is there. `fresh-process.js FILE [verify]`, FILE being a serialized filter.
 */
import { readFileSync } from "node:fs";
import { deserialize } from "node:v8";
import { compileFilter } from "../../src/seccomp/compile.ts";
import type { Filter } from "../../src/seccomp/filter.ts";

const filter = deserialize(readFileSync(process.argv[2] ?? "")) as Filter;
const begin = performance.now();
compileFilter(filter, { verify: process.argv[3] === "verify" });
// Taken before standard output is opened, which costs milliseconds, too.
const elapsed = performance.now() - begin;
process.stdout.write(String(elapsed));
