/** Pulling: from a name to an unpacked image in the store, over whatever mirrors and registries the name may mean. */

import { RuntimeError } from "../errors.ts";
import { type Digest, digestHex } from "../oci/descriptor.ts";
import { type ImageManifest, parseManifest } from "../oci/manifest.ts";
import { parseImageConfig } from "../oci/image-config.ts";
import { type Platform, choosePlatform, formatPlatform, isCompatible } from "../oci/platform.ts";
import { type Reference, formatReference, parseReference, repositoryName, withDefaultTag } from "../oci/reference.ts";
import { type LayerLimits, checkStoredSize } from "./layer/limits.ts";
import { type Credentials, findCredentials } from "./registry/credentials.ts";
import {
  type RegistriesConfig,
  type RegistryEndpoint,
  pullEndpoints,
  resolveShortName,
} from "./registry/registries-config.ts";
import { type FetchedManifest, RegistryClient } from "./registry/registry-client.ts";
import type { TransportOptions } from "./registry/transport.ts";
import { type LayerEvent, addImage } from "./storage/add-image.ts";
import { BlobIngest } from "./storage/blob-ingest.ts";
import { type ImageRecord, findImage, readImageRecords } from "./storage/image-records.ts";
import type { ImageStore } from "./storage/image-store.ts";
import type { WorkerNamespace } from "./worker/run-worker.ts";

/** When to ask the registry: always; only for an image that is not stored; never; when its copy is another one. */
export type PullPolicy = "always" | "missing" | "never" | "newer";

/** How registries are reached and with which credentials. */
export interface RegistryAccess {
  readonly registries: RegistriesConfig;
  readonly transport: TransportOptions;
  /** Credential files, best first. */
  readonly authFiles: readonly string[];
  /** `--creds`: instead of those of the files. */
  readonly credentials: Credentials | null;
  readonly tlsVerify: boolean | null;
}

export interface PullOptions {
  readonly store: ImageStore;
  readonly namespace: WorkerNamespace;
  readonly access: RegistryAccess;
  readonly policy: PullPolicy;
  readonly platform: Platform;
  readonly limits: LayerLimits;
  readonly parallel: number;
  readonly onLayer: (event: LayerEvent) => void;
  /** The name was resolved to this and is being asked for. */
  readonly onStart: (reference: Reference) => void;
}

export interface PulledImage {
  readonly image: ImageRecord;
  readonly reference: Reference;
  /** Digest that the registry serves under the name; null when the registry was not asked. */
  readonly digest: Digest | null;
  /** Whether the store has changed. */
  readonly changed: boolean;
}

/** Have the image that `text` names, by the policy. */
export async function pullImage(text: string, options: PullOptions): Promise<PulledImage> {
  const { store, access, policy } = options;
  const candidates = resolveShortName(parseReference(text), access.registries).map(withDefaultTag);
  const found = findImage(await readImageRecords(store), text, candidates);
  const fits = found !== undefined && isCompatible(splitPlatform(found.image.platform), options.platform);
  if (found !== undefined && (policy === "never" || (policy === "missing" && fits))) {
    return { image: found.image, reference: candidateNamed(candidates, found.name), digest: null, changed: false };
  }
  if (policy === "never") {
    throw new RuntimeError("IMAGE_NOT_FOUND", `No image "${text}" is stored`, {
      hint: `The pull policy "never" forbids to ask a registry. Pull it: pycri pull ${text}`,
      details: { image: text },
    });
  }
  try {
    return await pullFirst(candidates, options, fits ? found.image : null);
  } catch (error) {
    // "newer" is content with what is there when the registry cannot be asked.
    if (policy === "newer" && fits && error instanceof RuntimeError && error.code === "REGISTRY_FAILED") {
      return { image: found.image, reference: candidateNamed(candidates, found.name), digest: null, changed: false };
    }
    throw error;
  }
}

/** Of a record: what `formatPlatform` wrote. */
function splitPlatform(text: string): Platform {
  const [os = "", architecture = "", variant = ""] = text.split("/");
  return { os, architecture, variant };
}

function candidateNamed(candidates: readonly Reference[], name: string | null): Reference {
  const match = candidates.find((candidate) => formatReference(candidate) === name) ?? candidates[0];
  if (match === undefined) throw new Error("a name has at least one reading");
  return match;
}

async function pullFirst(
  candidates: readonly Reference[],
  options: PullOptions,
  stored: ImageRecord | null,
): Promise<PulledImage> {
  const failures: RuntimeError[] = [];
  for (const reference of candidates) {
    for (const endpoint of pullEndpoints(reference, options.access.registries)) {
      try {
        return await pullFrom(endpoint, reference, options, stored);
      } catch (error) {
        if (!(error instanceof RuntimeError) || !MAY_TRY_ELSEWHERE.has(error.code)) throw error;
        failures.push(error);
      }
    }
  }
  const last = failures.at(-1);
  if (last === undefined) throw new Error("a name has at least one reading");
  if (failures.length === 1) throw last;
  throw new RuntimeError(last.code, failures.map(({ message }) => message).join("; "), {
    ...(last.hint === undefined ? {} : { hint: last.hint }),
    cause: last,
  });
}

/** Another mirror or registry may have what this one lacks. Wrong content is no reason to look elsewhere quietly. */
const MAY_TRY_ELSEWHERE: ReadonlySet<string> = new Set(["IMAGE_NOT_FOUND", "REGISTRY_FAILED", "REGISTRY_DENIED"]);

async function pullFrom(
  endpoint: RegistryEndpoint,
  reference: Reference,
  options: PullOptions,
  stored: ImageRecord | null,
): Promise<PulledImage> {
  options.onStart(reference);
  await using client = await openClient(endpoint, options.access, "pull");
  const wanted = reference.digest ?? reference.tag ?? "latest";
  const top = await client.fetchManifest(wanted);
  const { manifest, fetched } = await chooseManifest(client, top, reference, options.platform);
  if (stored?.manifest === fetched.digest && stored.repoDigests.includes(repoDigest(reference, top.digest))) {
    return { image: stored, reference, digest: top.digest, changed: false };
  }

  for (const { size } of manifest.layers) checkStoredSize(size, options.limits);

  const { store } = options;
  await using held = await store.holdAgainstCollection();
  const configBytes =
    (await store.blobSize(manifest.config.digest)) === null
      ? await fetchConfig(client, store, manifest)
      : await store.readDocument(manifest.config.digest);
  // An index says for which platform a manifest is; a manifest on its own leaves that to its configuration.
  if (top.digest === fetched.digest) checkPlatform(configBytes, options.platform, formatReference(reference));
  if (top.digest !== fetched.digest) await store.writeDocument(top.digest, top.bytes);
  const image = await addImage(
    {
      manifestDigest: fetched.digest,
      manifestBytes: fetched.bytes,
      manifest,
      configBytes,
      source: formatReference(reference),
    },
    {
      ...options,
      names: reference.tag === null ? [] : [reference],
      repoDigests: [...new Set([repoDigest(reference, top.digest), repoDigest(reference, fetched.digest)])],
      fetchLayer: async (layer) => {
        await using lock = await store.lockBlob(digestHex(layer.digest));
        if ((await store.blobSize(layer.digest)) !== null) return;
        const ingest = await BlobIngest.open(store, layer);
        const report = (): void => {
          options.onLayer({ kind: "fetching", digest: layer.digest, bytes: ingest.offset, total: layer.size });
        };
        report();
        try {
          await client.fetchBlob(layer, {
            get offset() {
              return ingest.offset;
            },
            get complete() {
              return ingest.complete;
            },
            restart: async () => ingest.restart(),
            write: async (chunk) => {
              await ingest.write(chunk);
              report();
            },
          });
        } catch (error) {
          // What is wrong is gone already; what is merely incomplete is resumed by the next pull.
          if (!(error instanceof RuntimeError && error.code === "DIGEST_MISMATCH")) await ingest.suspend();
          throw error;
        }
        await ingest.commit(`"${client.host}"`);
      },
    },
  );
  return { image, reference, digest: top.digest, changed: stored?.id !== image.id };
}

function repoDigest(reference: Reference, digest: Digest): string {
  return `${repositoryName(reference)}@${digest}`;
}

async function fetchConfig(client: RegistryClient, store: ImageStore, manifest: ImageManifest): Promise<Uint8Array> {
  const { config } = manifest;
  await using lock = await store.lockBlob(digestHex(config.digest));
  if ((await store.blobSize(config.digest)) !== null) return await store.readDocument(config.digest);
  const ingest = await BlobIngest.open(store, config);
  try {
    await client.fetchBlob(config, ingest);
  } catch (error) {
    if (!(error instanceof RuntimeError && error.code === "DIGEST_MISMATCH")) await ingest.discard();
    throw error;
  }
  await ingest.commit(`"${client.host}"`);
  return await store.readDocument(config.digest);
}

async function chooseManifest(
  client: RegistryClient,
  top: FetchedManifest,
  reference: Reference,
  platform: Platform,
): Promise<{ readonly manifest: ImageManifest; readonly fetched: FetchedManifest }> {
  const name = formatReference(reference);
  const parsed = parseManifest(top.bytes, top.mediaType, name);
  if (parsed.kind === "manifest") return { manifest: parsed, fetched: top };
  const entry = choosePlatform(parsed.manifests, platform);
  if (entry === undefined) {
    const offered = parsed.manifests.flatMap((item) => (item.platform === null ? [] : [formatPlatform(item.platform)]));
    throw new RuntimeError("PLATFORM_NOT_FOUND", `"${name}" has nothing for ${formatPlatform(platform)}`, {
      hint: `It has: ${offered.join(", ")}. Choose with --platform.`,
      details: { platform: formatPlatform(platform), offered },
    });
  }
  const fetched = await client.fetchManifest(entry.digest);
  if (fetched.bytes.byteLength !== entry.size) {
    throw confused(name, "size", `is ${entry.size}, and the manifest has ${fetched.bytes.byteLength} bytes`);
  }
  const manifest = parseManifest(fetched.bytes, fetched.mediaType, name);
  if (manifest.mediaType !== entry.mediaType) {
    throw confused(name, "mediaType", `is "${entry.mediaType}", and the manifest is "${manifest.mediaType}"`);
  }
  if (manifest.kind === "index") {
    throw new RuntimeError("INVALID_DOCUMENT", `Cannot use "${name}": its index leads to another index`, {
      details: { issues: [{ pointer: "/manifests", message: "leads to an index" }] },
    });
  }
  return { manifest, fetched };
}

/** An index entry that says something else than the manifest it leads to. */
function confused(name: string, field: string, fault: string): RuntimeError {
  return new RuntimeError("INVALID_DOCUMENT", `Cannot use "${name}": the ${field} in its index ${fault}`, {
    details: { issues: [{ pointer: `/manifests/${field}`, message: fault }] },
  });
}

function checkPlatform(configBytes: Uint8Array, wanted: Platform, name: string): void {
  const { platform } = parseImageConfig(configBytes, name);
  if (isCompatible(platform, wanted)) return;
  const offered = formatPlatform(platform);
  throw new RuntimeError("PLATFORM_NOT_FOUND", `"${name}" is for ${offered}, not for ${formatPlatform(wanted)}`, {
    hint: `To take it all the same: --platform ${offered}`,
    details: { platform: formatPlatform(wanted), offered: [offered] },
  });
}

/** A client for one repository of an endpoint, with the credentials that its files have for it. */
export async function openClient(
  endpoint: RegistryEndpoint,
  access: RegistryAccess,
  actions: "pull" | "pull,push",
): Promise<RegistryClient> {
  return RegistryClient.open({
    endpoint,
    transport: access.transport,
    credentials: async () => access.credentials ?? findCredentials(access.authFiles, endpoint.host, endpoint.path),
    actions,
    tlsVerify: access.tlsVerify,
  });
}
