/**
 * The OCI distribution API (specification 1.1, and Docker's registry before it) of one repository: manifests, blobs that
 * resume where they broke, uploads. Credentials go to the registry's own origin only; a redirect elsewhere is followed
 * without them.
 */

import { createHash } from "node:crypto";
import { RuntimeError } from "../../errors.ts";
import {
  ACCEPTED_MANIFESTS,
  type Descriptor,
  type Digest,
  digestAlgorithm,
  makeDigest,
  parseDigest,
} from "../../oci/descriptor.ts";
import { MAX_DOCUMENT_BYTES } from "../../oci/manifest.ts";
import { type Authenticator, makeAuthenticator } from "./authentication.ts";
import { type OpenBlob, type UploadChannel, uploadBlob } from "./blob-upload.ts";
import type { Credentials } from "./credentials.ts";
import { type RegistryEndpoint, apiHost, isLoopback } from "./registries-config.ts";
import {
  type HttpRequest,
  type HttpResponse,
  Transport,
  type TransportOptions,
  isCertificateError,
  transportError,
} from "./transport.ts";

const MAX_REDIRECTS = 10;
const MAX_ERROR_BYTES = 64 * 1024;

export interface FetchedManifest {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  readonly digest: Digest;
}

/** Where `fetchBlob` puts what it gets; `BlobIngest` is one. */
export interface BlobSink {
  /** Bytes it has. */
  readonly offset: number;
  readonly complete: boolean;
  write(chunk: Uint8Array): Promise<void>;
  restart(): Promise<void>;
}

export interface RegistryClientOptions {
  readonly endpoint: RegistryEndpoint;
  readonly transport: TransportOptions;
  readonly credentials: () => Promise<Credentials | null>;
  /** What the repository is used for; decides the token's scope. */
  readonly actions: "pull" | "pull,push";
  /** `--tls-verify`: whether a certificate must be good; null leaves it to the endpoint, and to loopback being lax. */
  readonly tlsVerify: boolean | null;
}

export class RegistryClient implements AsyncDisposable {
  readonly #transport: Transport;
  readonly #base: URL;
  readonly #path: string;
  readonly #scope: string;
  readonly #insecure: boolean;
  readonly #authenticator: Authenticator;

  private constructor(transport: Transport, base: URL, options: RegistryClientOptions, insecure: boolean) {
    this.#transport = transport;
    this.#base = base;
    this.#path = options.endpoint.path;
    this.#scope = this.#path === "" ? "" : `repository:${this.#path}:${options.actions}`;
    this.#insecure = insecure;
    this.#authenticator = makeAuthenticator(transport, base, options.credentials);
  }

  /** Find out how the registry is to be spoken to: TLS, or plain HTTP where that is allowed. */
  static async open(options: RegistryClientOptions): Promise<RegistryClient> {
    const host = apiHost(options.endpoint.host);
    const insecure = options.tlsVerify === null ? options.endpoint.insecure || isLoopback(host) : !options.tlsVerify;
    const transport = await Transport.open(options.transport, options.endpoint.host, insecure);
    try {
      const base = insecure ? await probeScheme(transport, host) : new URL(`https://${host}`);
      return new RegistryClient(transport, base, options, insecure);
    } catch (error) {
      await transport[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#transport[Symbol.asyncDispose]();
  }

  get host(): string {
    return this.#base.host;
  }

  /** Whether the registry answers, and takes the credentials. */
  async checkAccess(): Promise<void> {
    const response = await this.#send({ method: "GET", url: new URL("/v2/", this.#base), headers: {} });
    if (response.status !== 200) throw await this.#failure(response, `Cannot use the registry "${this.host}"`);
    await response.drop();
  }

  /** A manifest or index by tag or digest, checked against the digest. */
  async fetchManifest(reference: string): Promise<FetchedManifest> {
    const url = this.#url(`manifests/${reference}`);
    const response = await this.#send({ method: "GET", url, headers: { accept: ACCEPTED_MANIFESTS.join(", ") } });
    if (response.status !== 200) throw await this.#failure(response, `Cannot fetch ${this.#name(reference)}`);
    const bytes = await response.readBody(MAX_DOCUMENT_BYTES);
    const expected = parseDigest(reference) ?? parseDigest(response.header("docker-content-digest"));
    const algorithm = expected === null ? "sha256" : digestAlgorithm(expected);
    const digest = makeDigest(algorithm, createHash(algorithm).update(bytes).digest("hex"));
    if (expected !== null && expected !== digest) {
      throw new RuntimeError(
        "DIGEST_MISMATCH",
        `${this.#name(reference)} has digest "${digest}", expected "${expected}"`,
        {
          details: { expected, actual: digest },
        },
      );
    }
    return { bytes, mediaType: mediaTypeOf(response), digest };
  }

  /**
   * Fetch what `sink` lacks of a blob. A connection that breaks is taken up again where it broke, as long as every try
   * brings something.
   */
  async fetchBlob(descriptor: Descriptor, sink: BlobSink): Promise<void> {
    const url = this.#url(`blobs/${descriptor.digest}`);
    for (let failures = 0; !sink.complete;) {
      const before = sink.offset;
      const broken = await this.#fetchRest(url, sink);
      if (sink.complete) return;
      failures = sink.offset > before ? 1 : failures + 1;
      if (failures >= this.#transport.attempts) throw transportError(url, broken);
      await this.#transport.waitBeforeRetry(failures);
    }
  }

  /** @returns why it ended before its end. */
  async #fetchRest(url: URL, sink: BlobSink): Promise<unknown> {
    const headers: Record<string, string> = sink.offset === 0 ? {} : { range: `bytes=${sink.offset}-` };
    const response = await this.#send({ method: "GET", url, headers });
    const resumes = response.status === 206 && contentRangeStart(response.header("content-range")) === sink.offset;
    if (!resumes && response.status !== 200) {
      if (sink.offset > 0 && (response.status === 206 || response.status === 416)) {
        await response.drop();
        await sink.restart();
        return new Error("the registry cannot resume");
      }
      throw await this.#failure(response, `Cannot fetch a layer of ${this.#name("")}`);
    }
    if (response.status === 200 && sink.offset > 0) await sink.restart();
    try {
      for await (const chunk of response.body) await sink.write(chunk);
      return new Error("the answer ended too early");
    } catch (error) {
      if (error instanceof RuntimeError) throw error;
      return error;
    }
  }

  async hasBlob(digest: Digest): Promise<boolean> {
    const response = await this.#send({ method: "HEAD", url: this.#url(`blobs/${digest}`), headers: {} });
    await response.drop();
    return response.status === 200;
  }

  /** Upload a blob, or have it mounted from the repository `source`, which may have it. */
  async pushBlob(descriptor: Descriptor, open: OpenBlob, source: string | null = null): Promise<"mounted" | "pushed"> {
    const channel: UploadChannel = {
      uploads: this.#url("blobs/uploads/"),
      attempts: this.#transport.attempts,
      send: (message, from) =>
        this.#send(message, from === undefined ? this.#scope : `${this.#scope} repository:${from}:pull`),
      wait: (attempt, retryAfter) => this.#transport.waitBeforeRetry(attempt, retryAfter),
      has: () => this.hasBlob(descriptor.digest),
      failure: (response) => this.#failure(response, `Cannot upload "${descriptor.digest}" to ${this.#name("")}`),
    };
    return uploadBlob(channel, descriptor, open, source);
  }

  async pushManifest(reference: string, mediaType: string, bytes: Uint8Array): Promise<void> {
    const response = await this.#send({
      method: "PUT",
      url: this.#url(`manifests/${reference}`),
      headers: { "content-type": mediaType, "content-length": String(bytes.byteLength) },
      body: () => bytes,
    });
    if (response.status !== 201) throw await this.#failure(response, `Cannot push ${this.#name(reference)}`);
    await response.drop();
  }

  /** Send with credentials, answer one challenge, follow redirects. */
  async #send(message: HttpRequest, scope = this.#scope): Promise<HttpResponse> {
    const { response, from } = await this.#follow(this.#withAuthorization(message, scope));
    // Whoever a redirect leads to may ask for credentials; those of the registry are not for them (CVE-2020-15157).
    if (response.status !== 401 || from.origin !== this.#base.origin) return response;
    const challenge = response.header("www-authenticate");
    if ((await this.#authenticator.answer(challenge, scope)) === null) return response;
    await response.drop();
    return (await this.#follow(this.#withAuthorization(message, scope))).response;
  }

  #withAuthorization(message: HttpRequest, scope: string): HttpRequest {
    const authorization = this.#authenticator.current(scope);
    // An upload's location may be on another host, which must not see the registry's credentials.
    if (authorization === "" || message.url.origin !== this.#base.origin) return message;
    return { ...message, headers: { ...message.headers, authorization } };
  }

  /** @returns the last answer, and the URL it came from. */
  async #follow(first: HttpRequest): Promise<{ readonly response: HttpResponse; readonly from: URL }> {
    let message = first;
    for (let redirects = 0; ; redirects++) {
      const response = await this.#transport.send(message);
      const location = response.header("location");
      if (![301, 302, 303, 307, 308].includes(response.status) || location === "") {
        return { response, from: message.url };
      }
      await response.drop();
      if (redirects === MAX_REDIRECTS) {
        throw new RuntimeError("REGISTRY_FAILED", `"${this.host}" redirects more than ${MAX_REDIRECTS} times`);
      }
      message = this.#redirected(message, location);
    }
  }

  #redirected(message: HttpRequest, location: string): HttpRequest {
    const url = URL.canParse(location, message.url.href) ? new URL(location, message.url) : null;
    const secure =
      url?.protocol === "https:" || (url?.protocol === "http:" && (this.#insecure || message.url.protocol === "http:"));
    if (url === null || !secure) {
      throw new RuntimeError(
        "REGISTRY_FAILED",
        `"${message.url.host}" redirects to "${location}", which is not secure`,
      );
    }
    if (url.origin === message.url.origin) return { ...message, url };
    const { authorization: _dropped, ...headers } = message.headers;
    return { ...message, url, headers };
  }

  async #failure(response: HttpResponse, action: string): Promise<RuntimeError> {
    const reason = await readReason(response);
    const message = `${action}: ${reason}`;
    const details = { status: response.status, registry: this.host };
    if (response.status === 401 || response.status === 403) {
      return new RuntimeError("REGISTRY_DENIED", message, {
        hint: `The image does not exist, or needs credentials: pycri login ${this.host}`,
        details,
      });
    }
    if (response.status === 404) return new RuntimeError("IMAGE_NOT_FOUND", message, { details });
    return new RuntimeError("REGISTRY_FAILED", message, { details });
  }

  #url(path: string): URL {
    return new URL(`/v2/${this.#path}/${path}`, this.#base);
  }

  #name(reference: string): string {
    const separator = reference === "" ? "" : reference.includes(":") ? "@" : ":";
    return `"${this.host}/${this.#path}${separator}${reference}"`;
  }
}

/** TLS where the host speaks it, else HTTP. */
async function probeScheme(transport: Transport, host: string): Promise<URL> {
  const secure = new URL(`https://${host}`);
  try {
    const response = await transport.sendOnce({ method: "GET", url: new URL("/v2/", secure), headers: {} });
    await response.drop();
    return secure;
  } catch (error) {
    if (isCertificateError(error)) throw transportError(secure, error);
    return new URL(`http://${host}`);
  }
}

function mediaTypeOf(response: HttpResponse): string {
  return (response.header("content-type").split(";")[0] ?? "").trim();
}

function contentRangeStart(header: string): number {
  return Number(/^bytes (\d+)-/.exec(header)?.[1] ?? Number.NaN);
}

/** The registry's own words, as far as it says something (distribution specification, "error codes"). */
async function readReason(response: HttpResponse): Promise<string> {
  const status = `HTTP ${response.status}`;
  try {
    const text = Buffer.from(await response.readBody(MAX_ERROR_BYTES)).toString("utf8");
    const { errors } = JSON.parse(text) as { errors?: { code?: unknown; message?: unknown }[] };
    const first = errors?.[0];
    if (first === undefined) return status;
    // Control characters of a hostile registry must not reach the terminal.
    const words = `${String(first.code)}: ${String(first.message)}`.replaceAll(/\p{C}/gu, " ").slice(0, 500);
    return `${words} (${status})`;
  } catch {
    return status;
  }
}
