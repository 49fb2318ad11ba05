/** A terminal as a person would have it before them: pycri runs on its slave, the test types and reads on its master. */
import { execFileSync } from "node:child_process";
import { closeSync, constants, createReadStream, openSync, type ReadStream, writeSync } from "node:fs";
import { until } from "./leftovers.ts";
import { openPseudoTerminal } from "./libc.ts";
import { startProgram } from "./run.ts";
import { pycriCommand } from "./scratch.ts";

/** A terminal with a program on it as its controlling terminal, like a shell's window. */
export class Terminal implements Disposable {
  readonly #master: number;
  readonly #slave: number;
  readonly #stream: ReadStream;
  /** Path of the slave. */
  readonly path: string;
  /** Everything shown so far. */
  output = "";

  constructor() {
    const { master, path } = openPseudoTerminal();
    this.#master = master;
    this.path = path;
    // Held open, so that reads of the master do not fail between programs.
    this.#slave = openSync(path, constants.O_RDWR | constants.O_NOCTTY);
    this.#stream = createReadStream("", { fd: master, autoClose: false });
    this.#stream.on("data", (chunk) => (this.output += chunk.toString()));
    this.#stream.on("error", () => undefined);
    this.stty("rows", "30", "cols", "90");
  }

  /** stty(1) on the slave: change settings, or with "-g" and "-a" print them. */
  stty(...settings: readonly string[]): string {
    return execFileSync("stty", ["-F", this.path, ...settings], { encoding: "utf8" }).trim();
  }

  /** Keys as the terminal would send them. */
  type(text: string): void {
    writeSync(this.#master, text);
  }

  /** Run pycri with this as its controlling terminal. */
  start(args: readonly string[]): ReturnType<typeof startProgram> {
    // The caller must be able to open its own terminal by name.
    execFileSync("chmod", ["666", this.path]);
    return startProgram(["setsid", "--ctty", ...pycriCommand, ...args], [this.#slave, this.#slave, this.#slave]);
  }

  /** Wait for output. */
  async sees(text: string | RegExp): Promise<void> {
    const found = (): boolean => (typeof text === "string" ? this.output.includes(text) : text.test(this.output));
    await until(`${text} on the terminal; it shows ${JSON.stringify(this.output)}`, found);
  }

  [Symbol.dispose](): void {
    // Closes the master, too, once a read under way has ended.
    this.#stream.destroy();
    closeSync(this.#slave);
  }
}
