/**
 * Uploading a blob (distribution specification, "Pushing blobs"): mounted from another repository of the registry where that
 * has it, else streamed, and taken up where it broke as far as the registry remembers.
 *
 *     POST  blobs/uploads/?mount=…&from=…   201: it is there    202: an upload has begun at Location
 *     PATCH Location                        202: so far, Range  413: in smaller pieces
 *     GET   Location                        204: Range says how much has arrived
 *     PUT   Location?digest=…               201: it is there
 */

import type { Readable } from "node:stream";
import { RuntimeError } from "../../errors.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import { type HttpRequest, type HttpResponse, isTransient, isWorthRetrying, retryAfterOf } from "./transport.ts";

/** The registry, as far as uploads need it. */
export interface UploadChannel {
  /** `blobs/uploads/` of the repository. */
  readonly uploads: URL;
  /** Tries of what brings nothing. */
  readonly attempts: number;
  /** `source`: another repository that is to be read, too. */
  send(message: HttpRequest, source?: string): Promise<HttpResponse>;
  wait(attempt: number, retryAfter: number | null): Promise<void>;
  /** Whether the registry has the blob by now. */
  has(): Promise<boolean>;
  failure(response: HttpResponse): Promise<RuntimeError>;
}

/** Bytes from `start` up to, not including, `end`. */
export type OpenBlob = (start: number, end: number) => Readable | Uint8Array;

interface Session {
  readonly location: URL;
  /** Bytes that the registry has. */
  readonly offset: number;
  /** The least that it takes for a piece, but for the last one (OCI-Chunk-Min-Length). */
  readonly smallestPiece: number;
}

/** Once a registry, or a proxy in front of it, has refused a blob as too large. */
const PIECE_BYTES = 8 * 1024 * 1024;

/** @param source repository of the same registry that may have the blob, or null. */
export async function uploadBlob(
  channel: UploadChannel,
  blob: Descriptor,
  open: OpenBlob,
  source: string | null,
): Promise<"mounted" | "pushed"> {
  let session = source === null ? null : await mount(channel, blob, source);
  if (session === "mounted") return "mounted";
  session ??= await begin(channel);
  let piece = Number.POSITIVE_INFINITY;
  let reached = 0;
  for (let failures = 0; session.offset < blob.size;) {
    const before = session.offset;
    const step: Step = await sendPiece(channel, session, blob.size, piece, open);
    if (step.kind === "too large") {
      if (piece !== Number.POSITIVE_INFINITY) throw step.error;
      session = await begin(channel);
      piece = Math.max(PIECE_BYTES, session.smallestPiece);
      continue;
    }
    if (step.kind === "broken") {
      failures++;
      if (failures >= channel.attempts) throw step.error;
      await channel.wait(failures, step.retryAfter);
      session = (await askForOffset(channel, session)) ?? (await begin(channel));
    } else {
      session = step.session;
    }
    if (step.kind === "sent" && session.offset <= before && ++failures >= channel.attempts) {
      throw new RuntimeError("REGISTRY_FAILED", `"${channel.uploads.host}" takes nothing of "${blob.digest}"`);
    }
    // Starting over again and again brings nothing, however far each try gets.
    if (session.offset > reached) failures = 0;
    reached = Math.max(reached, session.offset);
  }
  await finish(channel, session, blob);
  return "pushed";
}

/** @returns null when the registry would not even begin. */
async function mount(channel: UploadChannel, blob: Descriptor, source: string): Promise<Session | "mounted" | null> {
  const url = new URL(channel.uploads);
  url.searchParams.set("mount", blob.digest);
  url.searchParams.set("from", source);
  let response: HttpResponse;
  try {
    response = await channel.send({ method: "POST", url, headers: { "content-length": "0" } }, source);
  } catch (error) {
    // Whoever may write here need not be allowed to read there.
    if (error instanceof RuntimeError && error.code === "REGISTRY_DENIED") return null;
    throw error;
  }
  await response.drop();
  if (response.status === 201) return "mounted";
  return response.status === 202 ? sessionOf(response, url, 0, 0) : null;
}

async function begin(channel: UploadChannel): Promise<Session> {
  const url = channel.uploads;
  const response = await channel.send({ method: "POST", url, headers: { "content-length": "0" } });
  if (response.status !== 202) throw await channel.failure(response);
  await response.drop();
  return sessionOf(response, url, 0, 0);
}

function sessionOf(response: HttpResponse, from: URL, offset: number, smallestPiece: number): Session {
  const location = response.header("location");
  if (location !== "" && !URL.canParse(location, from.href)) {
    throw new RuntimeError("REGISTRY_FAILED", `"${from.host}" continues an upload at "${location}", which is no URL`);
  }
  const asked = Number(response.header("oci-chunk-min-length"));
  return {
    location: location === "" ? from : new URL(location, from),
    offset,
    smallestPiece: Number.isSafeInteger(asked) && asked > 0 ? asked : smallestPiece,
  };
}

type Step =
  | { readonly kind: "sent"; readonly session: Session }
  | { readonly kind: "broken"; readonly error: Error; readonly retryAfter: number | null }
  | { readonly kind: "too large"; readonly error: Error };

async function sendPiece(
  channel: UploadChannel,
  { location, offset, smallestPiece }: Session,
  size: number,
  piece: number,
  open: OpenBlob,
): Promise<Step> {
  const end = Math.min(size, offset + piece);
  const whole = offset === 0 && end === size;
  let response: HttpResponse;
  try {
    response = await channel.send({
      method: "PATCH",
      url: location,
      headers: {
        "content-type": "application/octet-stream",
        "content-length": String(end - offset),
        // Without it this is a stream, which every registry knows; not all know pieces.
        ...(whole ? {} : { "content-range": `${offset}-${end - 1}` }),
      },
      body: () => open(offset, end),
      once: true,
    });
  } catch (error) {
    if (!(error instanceof RuntimeError) || !isWorthRetrying(error.cause)) throw error;
    return { kind: "broken", error, retryAfter: null };
  }
  if (response.status === 202) {
    await response.drop();
    const arrived = arrivedBytes(response) ?? end;
    return { kind: "sent", session: sessionOf(response, location, Math.min(arrived, end), smallestPiece) };
  }
  const retryAfter = retryAfterOf(response);
  const error = await channel.failure(response);
  if (response.status === 413) return { kind: "too large", error };
  // 404 and 416: the upload is gone, or at another place than we think.
  if (isTransient(response.status) || response.status === 404 || response.status === 416) {
    return { kind: "broken", error, retryAfter };
  }
  throw error;
}

/** @returns null when the registry no longer knows. */
async function askForOffset(channel: UploadChannel, { location, smallestPiece }: Session): Promise<Session | null> {
  const response = await channel.send({ method: "GET", url: location, headers: {} });
  await response.drop();
  const arrived = arrivedBytes(response);
  if (response.status !== 204 || arrived === null) return null;
  return sessionOf(response, location, arrived, smallestPiece);
}

/** `Range: 0-N`; a registry that has nothing yet says `0-0`, as it would for one byte. */
function arrivedBytes(response: HttpResponse): number | null {
  const last = Number(/^(?:bytes=)?0-(\d+)$/.exec(response.header("range"))?.[1] ?? Number.NaN);
  if (!Number.isSafeInteger(last)) return null;
  return last === 0 ? 0 : last + 1;
}

async function finish(channel: UploadChannel, { location }: Session, { digest }: Descriptor): Promise<void> {
  const url = new URL(location);
  url.searchParams.set("digest", digest);
  const headers = { "content-type": "application/octet-stream", "content-length": "0" };
  const response = await channel.send({ method: "PUT", url, headers });
  if (response.status === 201) return response.drop();
  const error = await channel.failure(response);
  // The answer to the first try was lost; the second finds the upload gone.
  if (response.status === 404 && (await channel.has())) return;
  throw error;
}
