/** Asks for what `login` needs on the caller's terminal: nothing of a password is shown. */

import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { RuntimeError } from "../../errors.ts";

/** @throws RuntimeError ABORTED: the input ended, by Ctrl-C, Ctrl-D or a terminal that is gone. */
export async function askCredentials(
  host: string,
  known: { readonly username: string | undefined; readonly password: string | undefined },
): Promise<{ readonly username: string; readonly password: string }> {
  let hidden = false;
  // One for both questions: what is typed ahead of the second would be lost with the reader of the first.
  const output = new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (!hidden) process.stderr.write(chunk);
      done();
    },
  });
  const reader = createInterface({ input: process.stdin, output, terminal: true });
  reader.on("SIGINT", () => reader.close());
  const ask = (question: string, secret: boolean): Promise<string> =>
    new Promise((resolve, reject) => {
      const end = (): void => {
        reject(new RuntimeError("ABORTED", `Cannot log in to "${host}": the input ended before the answer`));
      };
      reader.once("close", end);
      reader.question(question, (answer) => {
        reader.off("close", end);
        resolve(answer);
      });
      hidden = secret;
    });
  try {
    const username = known.username ?? (await ask("Username: ", false));
    const password = known.password ?? (await ask("Password: ", true));
    return { username, password };
  } finally {
    if (hidden) process.stderr.write("\n");
    reader.close();
  }
}
