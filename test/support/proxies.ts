/**
 * What stands between pycri and a registry in tests: a proxy of the HTTP_PROXY kind, and a reverse proxy that spoils what
 * passes.
 */

import { type IncomingMessage, type ServerResponse, createServer, request as startRequest } from "node:http";
import { type AddressInfo, type Server, connect } from "node:net";

export interface Proxy {
  readonly port: number;
  /** What passed: `CONNECT host:port`, or method and URL. */
  readonly log: readonly string[];
  stop(): Promise<void>;
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

function closer(server: ReturnType<typeof createServer>): () => Promise<void> {
  return async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  };
}

/**
 * A proxy that takes every name for 127.0.0.1.
 * @param password `user:password` that it wants, or null.
 */
export async function startForwardProxy(password: string | null = null): Promise<Proxy> {
  const log: string[] = [];
  const expected = password === null ? undefined : `Basic ${Buffer.from(password).toString("base64")}`;
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "");
    log.push(`${request.method} ${url.href}`);
    const { method, headers } = request;
    const forwarded = startRequest({
      host: "127.0.0.1",
      port: url.port,
      path: url.pathname + url.search,
      method,
      headers,
    });
    forwarded.on("response", (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    forwarded.on("error", () => response.destroy());
    request.pipe(forwarded);
  });
  server.on("connect", (request, socket, head) => {
    log.push(`CONNECT ${request.url}`);
    if (expected !== undefined && request.headers["proxy-authorization"] !== expected) {
      socket.end("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n");
      return;
    }
    const upstream = connect(Number(request.url?.split(":").at(-1)), "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      upstream.write(head);
      upstream.pipe(socket).pipe(upstream);
    });
    upstream.on("error", () => socket.destroy());
    socket.on("error", () => upstream.destroy());
  });
  return { port: await listen(server), log, stop: closer(server) };
}

/** What becomes of a request; `pass` sends it on. */
export type Spoiler = (
  request: IncomingMessage,
  response: ServerResponse,
  pass: () => void,
  body: () => Promise<Buffer>,
) => void | Promise<void>;

export interface FaultyProxy extends Proxy {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  spoil: Spoiler;
}

/** A reverse proxy in front of the registry at `port`. */
export async function startFaultyProxy(port: number): Promise<FaultyProxy> {
  const log: string[] = [];
  const server = createServer((request, response) => {
    const range = request.headers.range === undefined ? "" : ` ${request.headers.range}`;
    log.push(`${request.method} ${request.url}${range}`);
    const forward = (use: (answer: IncomingMessage) => void): void => {
      const { method, url, headers } = request;
      const forwarded = startRequest({ host: "127.0.0.1", port, path: url, method, headers });
      forwarded.on("response", use);
      forwarded.on("error", () => response.destroy());
      request.pipe(forwarded);
    };
    const pass = (): void => {
      forward((answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      });
    };
    /** The registry's answer, whole. */
    const body = (): Promise<Buffer> =>
      new Promise((resolve) => {
        forward((answer) => {
          const chunks: Buffer[] = [];
          answer.on("data", (chunk: Buffer) => chunks.push(chunk));
          answer.on("end", () => resolve(Buffer.concat(chunks)));
        });
      });
    void proxy.spoil(request, response, pass, body);
  });
  const own = await listen(server);
  const proxy: FaultyProxy = {
    port: own,
    host: `127.0.0.1:${own}`,
    log,
    spoil: (_request, _response, pass) => pass(),
    stop: closer(server),
  };
  return proxy;
}
