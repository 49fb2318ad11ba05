/** A real registry for tests: Debian's `docker-registry` on loopback, with TLS and passwords where asked for. */

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Registry {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** Certificate of the authority, when TLS is on. */
  readonly certificate: string | null;
  stop(): Promise<void>;
}

export interface RegistryOptions {
  readonly tls?: boolean;
  /** `user` and `password`. */
  readonly login?: readonly [string, string];
}

export function hasRegistry(): boolean {
  return ["docker-registry", "skopeo", "umoci", "htpasswd", "openssl", "busybox"].every((name) => {
    try {
      execFileSync("sh", ["-c", `command -v ${name}`], { stdio: "ignore" });
      return true;
    } catch {
      return false;
    }
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

export async function startRegistry(options: RegistryOptions = {}): Promise<Registry> {
  const folder = mkdtempSync(join(tmpdir(), "pycri-registry-"));
  chmodSync(folder, 0o755);
  mkdirSync(join(folder, "data"));
  const port = await freePort();
  const lines = [
    "version: 0.1",
    `storage: {filesystem: {rootdirectory: ${folder}/data}}`,
    "log: {level: error}",
    "http:",
    `  addr: 127.0.0.1:${port}`,
  ];
  let certificate: string | null = null;
  if (options.tls === true) {
    certificate = join(folder, "tls.crt");
    const subject = ["-subj", "/CN=registry", "-addext", "subjectAltName=IP:127.0.0.1"];
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", join(folder, "tls.key")];
    execFileSync("openssl", ["req", "-x509", "-days", "2", ...key, "-out", certificate, ...subject], {
      stdio: "ignore",
    });
    lines.push(`  tls: {certificate: ${certificate}, key: ${folder}/tls.key}`);
  }
  if (options.login !== undefined) {
    const [user, password] = options.login;
    writeFileSync(join(folder, "htpasswd"), execFileSync("htpasswd", ["-Bbn", user, password]));
    lines.push(`auth: {htpasswd: {realm: test, path: ${folder}/htpasswd}}`);
  }
  writeFileSync(join(folder, "config.yml"), `${lines.join("\n")}\n`);
  const child = spawn("docker-registry", ["serve", join(folder, "config.yml")], { stdio: "ignore" });
  const scheme = options.tls === true ? "https" : "http";
  await waitUntilItAnswers(child, `${scheme}://127.0.0.1:${port}/v2/`);
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  return {
    host: `127.0.0.1:${port}`,
    certificate,
    stop: async () => {
      child.kill();
      await ended;
      execFileSync("rm", ["-rf", folder]);
    },
  };
}

/** curl asks until the server listens; it fails when the server does not come up. */
async function waitUntilItAnswers(child: ChildProcess, url: string): Promise<void> {
  const curl = spawn("curl", [
    "-sk",
    "--retry",
    "50",
    "--retry-connrefused",
    "--retry-delay",
    "0",
    "--retry-max-time",
    "20",
    "-o",
    "/dev/null",
    url,
  ]);
  const status = await new Promise((resolve) => curl.once("exit", resolve));
  if (status !== 0 || child.exitCode !== null) throw new Error("docker-registry does not start");
}
