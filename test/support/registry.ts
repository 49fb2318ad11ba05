/**
 * A real registry for tests: Debian's `docker-registry` on loopback, with TLS by an authority of its own, passwords or tokens
 * where asked for.
 */

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createPrivateKey, randomUUID, sign } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type Server, createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Registry {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly port: number;
  /** Certificate of the authority, when TLS is on. */
  readonly certificate: string | null;
  /** What the token server was asked for: `user scope`. */
  readonly tokenRequests: readonly string[];
  stop(): Promise<void>;
}

export interface RegistryOptions {
  /** With a certificate for 127.0.0.1 and `REGISTRY_NAME`. */
  readonly tls?: boolean;
  /** `user` and `password`. */
  readonly login?: readonly [string, string];
  /** A token server that gives these tokens. */
  readonly token?: readonly [string, string];
}

/** A host name in the certificate that nothing resolves. */
export const REGISTRY_NAME = "registry.invalid";

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

/** An authority `ca.crt`, and `tls.crt` with `tls.key` that it has signed, in `folder`. */
function makeCertificates(folder: string): void {
  const openssl = (...args: readonly string[]): void =>
    void execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  openssl("req", "-x509", "-days", "2", ...key, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=test authority");
  openssl("req", ...key, "-keyout", "tls.key", "-out", "tls.csr", "-subj", "/CN=registry");
  writeFileSync(join(folder, "names"), `subjectAltName=IP:127.0.0.1,DNS:${REGISTRY_NAME}\n`);
  const authority = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"];
  openssl("x509", "-req", "-days", "2", "-in", "tls.csr", ...authority, "-extfile", "names", "-out", "tls.crt");
  // Tests give the path to programs of another user.
  chmodSync(join(folder, "ca.crt"), 0o644);
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
  if (options.tls === true || options.token !== undefined) makeCertificates(folder);
  if (options.tls === true) lines.push(`  tls: {certificate: ${folder}/tls.crt, key: ${folder}/tls.key}`);
  if (options.login !== undefined) {
    const [user, password] = options.login;
    writeFileSync(join(folder, "htpasswd"), execFileSync("htpasswd", ["-Bbn", user, password]));
    lines.push(`auth: {htpasswd: {realm: test, path: ${folder}/htpasswd}}`);
  }
  const tokenRequests: string[] = [];
  let tokenServer: Server | undefined;
  if (options.token !== undefined) {
    tokenServer = await startTokenServer(folder, options.token, tokenRequests);
    const realm = `http://127.0.0.1:${(tokenServer.address() as AddressInfo).port}/token`;
    const details = `realm: "${realm}", service: test-service, issuer: test-issuer, rootcertbundle: ${folder}/tls.crt`;
    lines.push(`auth: {token: {${details}}}`);
  }
  writeFileSync(join(folder, "config.yml"), `${lines.join("\n")}\n`);
  const child = spawn("docker-registry", ["serve", join(folder, "config.yml")], { stdio: "ignore" });
  const scheme = options.tls === true ? "https" : "http";
  await waitUntilItAnswers(child, `${scheme}://127.0.0.1:${port}/v2/`);
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  return {
    host: `127.0.0.1:${port}`,
    port,
    certificate: options.tls === true ? join(folder, "ca.crt") : null,
    tokenRequests,
    stop: async () => {
      child.kill();
      await ended;
      tokenServer?.closeAllConnections();
      tokenServer?.close();
      rmSync(folder, { recursive: true });
    },
  };
}

/** Gives tokens for what is asked (distribution, "Token Authentication Specification"); pulling needs no password. */
async function startTokenServer(
  folder: string,
  [user, password]: readonly [string, string],
  requests: string[],
): Promise<Server> {
  const key = createPrivateKey(readFileSync(join(folder, "tls.key")));
  const chain = readFileSync(join(folder, "tls.crt"), "utf8").replaceAll(/-----[A-Z ]+-----|\s/g, "");
  const expected = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
  const server = createHttpServer((request, response) => {
    const { searchParams } = new URL(request.url ?? "", "http://token");
    const scopes = searchParams.getAll("scope");
    const scope = scopes.join(" ");
    const { authorization } = request.headers;
    requests.push(`${authorization === undefined ? "anonymous" : (searchParams.get("account") ?? "")} ${scope}`);
    if (authorization === undefined ? scopes.some((one) => one.endsWith("push")) : authorization !== expected) {
      response.writeHead(401).end();
      return;
    }
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: "test-issuer",
      aud: searchParams.get("service"),
      sub: user,
      exp: now + 300,
      nbf: now - 10,
      iat: now,
      jti: randomUUID(),
      access: scopes.map((one) => {
        const [type, name, actions] = one.split(":");
        return { type, name, actions: actions?.split(",") };
      }),
    };
    const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
    const signed = `${encode({ typ: "JWT", alg: "ES256", x5c: [chain] })}.${encode(claims)}`;
    const signature = sign("sha256", Buffer.from(signed), { key, dsaEncoding: "ieee-p1363" }).toString("base64url");
    response.end(JSON.stringify({ token: `${signed}.${signature}` }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

/** curl asks until the server listens; it fails when the server does not come up. */
async function waitUntilItAnswers(child: ChildProcess, url: string): Promise<void> {
  const patience = ["--retry", "50", "--retry-connrefused", "--retry-delay", "0", "--retry-max-time", "20"];
  const curl = spawn("curl", ["-sk", ...patience, "-o", "/dev/null", url]);
  const status = await new Promise((resolve) => curl.once("exit", resolve));
  if (status !== 0 || child.exitCode !== null) throw new Error("docker-registry does not start");
}
