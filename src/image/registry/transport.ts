/**
 * HTTP to registries: connections, TLS and proxies, and when a request is worth trying again. The only user of undici
 * (through `http-client.ts`, loaded with the first connection), which Node's own fetch is made of; that one takes neither a
 * proxy nor certificates in Node 20.
 */

import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { rootCertificates } from "node:tls";
import type { Dispatcher } from "undici";
import { RuntimeError } from "../../errors.ts";
import type * as HttpClient from "./http-client.ts";
import { type ProxySettings, chooseProxy } from "./proxy-choice.ts";

export interface TransportOptions extends ProxySettings {
  /** PEM files with certificates to trust besides Node's own; those that do not exist are passed over. */
  readonly certificateFiles: readonly string[];
  /**
   * Directories that hold a directory for each `host[:port]` with `*.crt` (authorities) and `NAME.cert` with `NAME.key`
   * (client certificate): containers-certs.d(5).
   */
  readonly certificateDirectories: readonly string[];
  /** Milliseconds without progress after which a connection counts as broken. */
  readonly idleTimeout: number;
  /** Tries of one request. */
  readonly attempts: number;
  /** Wait before try `attempt` (1, 2 …); `retryAfter`: milliseconds the server asked for, or null. */
  readonly wait: (attempt: number, retryAfter: number | null, signal: AbortSignal | null) => Promise<void>;
  /** Ends what is under way with ABORTED. */
  readonly signal: AbortSignal | null;
}

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 30_000;

/**
 * Milliseconds before try `attempt`: double with every try, with jitter so that clients of a recovering server do not come
 * back together; what the server asks for goes before.
 * @param random 0 to 1.
 */
export function retryDelay(attempt: number, retryAfter: number | null, random: number): number {
  const wait = retryAfter ?? FIRST_WAIT_MS * 2 ** (attempt - 1) * (0.5 + random);
  return Math.min(wait, LONGEST_WAIT_MS);
}

export async function backOff(attempt: number, retryAfter: number | null, signal: AbortSignal | null): Promise<void> {
  await delay(retryDelay(attempt, retryAfter, Math.random()), undefined, signal === null ? {} : { signal });
}

export const DEFAULT_TRANSPORT: TransportOptions = {
  httpProxy: "",
  httpsProxy: "",
  noProxy: "",
  certificateFiles: ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"],
  certificateDirectories: ["/etc/containers/certs.d", "/etc/docker/certs.d"],
  idleTimeout: 60_000,
  attempts: 5,
  wait: backOff,
  signal: null,
};

export type RequestMethod = "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";

export interface HttpRequest {
  readonly method: RequestMethod;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Called for each try. */
  readonly body?: () => string | Uint8Array | Readable;
  /** One try only: the caller has to find out what a broken one has done. */
  readonly once?: true;
}

export interface HttpResponse {
  readonly status: number;
  /** The first value of a header, or "". */
  header(name: string): string;
  readonly body: AsyncIterable<Uint8Array>;
  /** The whole body, at most `limit` bytes of it. */
  readBody(limit: number): Promise<Uint8Array>;
  /** Give the connection back without reading the rest. */
  drop(): Promise<void>;
}

interface ConnectionOptions {
  readonly connect: TlsOptions & { readonly rejectUnauthorized: boolean; readonly timeout: number };
  readonly headersTimeout: number;
  readonly bodyTimeout: number;
}

/** Connections to one host; `insecure` takes any certificate. */
export class Transport implements AsyncDisposable {
  readonly #options: TransportOptions;
  readonly #client: typeof HttpClient;
  readonly #connection: ConnectionOptions;
  /** By the URL of the proxy; "" for direct connections. */
  readonly #dispatchers = new Map<string, Dispatcher>();

  private constructor(options: TransportOptions, client: typeof HttpClient, connection: ConnectionOptions) {
    this.#options = options;
    this.#client = client;
    this.#connection = connection;
  }

  static async open(options: TransportOptions, host: string, insecure: boolean): Promise<Transport> {
    const connect = {
      ...(await tlsOptions(options, host, insecure)),
      rejectUnauthorized: !insecure,
      timeout: options.idleTimeout,
    };
    const { idleTimeout } = options;
    const client = await import("./http-client.ts");
    return new Transport(options, client, { connect, headersTimeout: idleTimeout, bodyTimeout: idleTimeout });
  }

  #dispatcherFor(url: URL): Dispatcher {
    const proxy = chooseProxy(url, this.#options)?.href ?? "";
    const known = this.#dispatchers.get(proxy);
    if (known !== undefined) return known;
    const { connect } = this.#connection;
    const { Agent, ProxyAgent } = this.#client;
    const dispatcher =
      proxy === ""
        ? new Agent(this.#connection)
        : // Proxies tend to allow tunnels to port 443 only, so that plain HTTP is passed on instead.
          new ProxyAgent({
            ...this.#connection,
            uri: proxy,
            requestTls: connect,
            proxyTls: connect,
            proxyTunnel: false,
          });
    this.#dispatchers.set(proxy, dispatcher);
    return dispatcher;
  }

  /** Send until an answer comes that another try would not change. Redirects are answers. */
  async send(message: HttpRequest): Promise<HttpResponse> {
    for (let attempt = 1; ; attempt++) {
      const last = message.once === true || attempt >= this.#options.attempts;
      try {
        const response = await this.sendOnce(message);
        if (last || !isTransient(response.status)) return response;
        await response.drop();
        await this.waitBeforeRetry(attempt, retryAfterOf(response));
      } catch (cause) {
        this.#checkAbort();
        if (last || !isWorthRetrying(cause)) throw transportError(message.url, cause);
        await this.waitBeforeRetry(attempt);
      }
    }
  }

  /** Send once; throws what undici throws. */
  async sendOnce({ method, url, headers, body }: HttpRequest): Promise<HttpResponse> {
    const response = await this.#dispatcherFor(url).request({
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method,
      headers: { "user-agent": "pycri", ...headers },
      signal: this.#options.signal,
      ...(body === undefined ? {} : { body: body() }),
    });
    return {
      status: response.statusCode,
      header: (name) => [response.headers[name]].flat()[0] ?? "",
      body: response.body,
      readBody: (limit) => readAll(response.body, limit, url),
      drop: async () => {
        await response.body.dump().catch(() => {});
      },
    };
  }

  /** Wait as before another try of a request that broke in the middle of its body. */
  async waitBeforeRetry(attempt: number, retryAfter: number | null = null): Promise<void> {
    const { wait, signal } = this.#options;
    try {
      await wait(attempt, retryAfter, signal);
    } catch (error) {
      this.#checkAbort();
      throw error;
    }
  }

  #checkAbort(): void {
    const { signal } = this.#options;
    if (signal?.aborted === true) {
      throw new RuntimeError("ABORTED", "The registry's answer is no longer wanted", { cause: signal.reason });
    }
  }

  get attempts(): number {
    return this.#options.attempts;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#dispatchers.values()].map((dispatcher) => dispatcher.destroy()));
  }
}

async function readAll(body: AsyncIterable<Uint8Array>, limit: number, url: URL): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > limit) {
      throw new RuntimeError("REGISTRY_FAILED", `The answer of "${url.host}" is longer than ${limit} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export function isTransient(status: number): boolean {
  return status === 408 || status === 429 || status === 500 || (status >= 502 && status <= 504);
}

/** Certificates do not get better, nor does a name that does not exist, nor a proxy that refuses. */
const LASTING =
  /^(ENOTFOUND|UND_ERR_ABORTED|EPROTO|ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_INVALID)/;

export function isWorthRetrying(error: unknown): boolean {
  if (error instanceof RuntimeError) return false;
  return !LASTING.test(errorCode(error));
}

/** The code of an error or, where a proxy or a happy-eyeballs attempt wraps it, of its cause. */
export function errorCode(error: unknown): string {
  const { code, cause } = error as { readonly code?: string; readonly cause?: unknown };
  return code ?? (cause === undefined ? "" : errorCode(cause));
}

export function isCertificateError(error: unknown): boolean {
  return /^(CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_TLS_CERT)/.test(errorCode(error));
}

export function transportError(url: URL, cause: unknown): Error {
  if (cause instanceof RuntimeError) return cause;
  const code = errorCode(cause);
  // undici's own codes say less than its words.
  const reason = code === "" || code.startsWith("UND_ERR_") ? messageOf(cause) : code;
  return new RuntimeError("REGISTRY_FAILED", `Cannot reach "${url.origin}": ${reason}`, {
    ...(isCertificateError(cause)
      ? { hint: `Put its authority into /etc/containers/certs.d/${url.host}/ca.crt, or mark the registry insecure.` }
      : {}),
    details: { url: url.origin, code },
    cause,
  });
}

function messageOf(error: unknown): string {
  const { message, cause } = error as { readonly message?: string; readonly cause?: unknown };
  return cause === undefined ? (message ?? String(error)) : messageOf(cause);
}

/** Milliseconds that the server asks to wait, or null. */
export function retryAfterOf(response: HttpResponse): number | null {
  const header = response.header("retry-after");
  if (header === "") return null;
  const seconds = Number(header);
  const wait = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(wait) ? Math.max(wait, 0) : null;
}

interface TlsOptions {
  readonly ca: string[];
  readonly cert?: string;
  readonly key?: string;
}

async function tlsOptions(options: TransportOptions, host: string, insecure: boolean): Promise<TlsOptions> {
  // Where any certificate will do, parsing hundreds of authorities' takes a quarter of a second for nothing.
  const authorities: string[] = insecure ? [] : [...rootCertificates];
  for (const file of insecure ? [] : options.certificateFiles) authorities.push(...(await readIfPresent(file)));
  let client: { readonly cert: string; readonly key: string } | undefined;
  for (const directory of options.certificateDirectories) {
    const own = join(directory, host);
    for (const name of await listIfPresent(own)) {
      if (name.endsWith(".crt")) authorities.push(...(await readIfPresent(join(own, name))));
      if (!name.endsWith(".cert")) continue;
      const [cert] = await readIfPresent(join(own, name));
      const [key] = await readIfPresent(join(own, name.replace(/\.cert$/, ".key")));
      if (cert !== undefined && key !== undefined) client ??= { cert, key };
    }
  }
  return { ca: authorities, ...client };
}

async function readIfPresent(file: string): Promise<readonly string[]> {
  try {
    return [await readFile(file, "utf8")];
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    // An authority that cannot be read cannot vouch; the handshake tells.
    if (code === "ENOENT" || code === "EACCES") return [];
    throw error;
  }
}

async function listIfPresent(directory: string): Promise<readonly string[]> {
  try {
    return (await readdir(directory)).toSorted();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR" || code === "EACCES") return [];
    throw error;
  }
}
