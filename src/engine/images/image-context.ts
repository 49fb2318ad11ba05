/** What every use case about images works with: the store, the namespace of its files, the way to registries. */

import { parseLayerLimits, type LayerLimits } from "../../image/layer/limits.ts";
import type { RegistryAccess } from "../../image/pull-image.ts";
import type { Credentials } from "../../image/registry/credentials.ts";
import { parseRegistriesConfig, resolveShortName } from "../../image/registry/registries-config.ts";
import { DEFAULT_TRANSPORT } from "../../image/registry/transport.ts";
import { type FoundImage, readImageRecords, requireImage } from "../../image/storage/image-records.ts";
import { collectGarbage } from "../../image/storage/collect-garbage.ts";
import { isFull } from "../../image/storage/file-error.ts";
import { ImageStore } from "../../image/storage/image-store.ts";
import type { WorkerNamespace } from "../../image/worker/run-worker.ts";
import { RuntimeError } from "../../errors.ts";
import type { ImageSettings } from "../../host/image-settings.ts";
import { type Platform, normalizePlatform, parsePlatform } from "../../oci/platform.ts";
import { type Reference, parseReference, withDefaultTag } from "../../oci/reference.ts";
import type { HostFacts } from "../../plan/host-facts.ts";
import type { UserNamespaceMode } from "../../plan/run-request.ts";
import { makeWorkerNamespace } from "./worker-namespace.ts";

export interface ImageOptions {
  /** `NAME=NUMBER`. */
  readonly unpackLimits?: readonly string[];
  readonly tlsVerify?: boolean;
  /** `user[:password]`. */
  readonly credentials?: Credentials;
  readonly authFile?: string;
  readonly userNamespace?: UserNamespaceMode;
  /** Ends what is asked of registries. */
  readonly signal?: AbortSignal;
}

export interface ImageContext {
  readonly facts: HostFacts;
  readonly settings: ImageSettings;
  readonly store: ImageStore;
  readonly namespace: WorkerNamespace;
  readonly access: RegistryAccess;
  readonly limits: LayerLimits;
  /** Layers handled at once. */
  readonly parallel: number;
}

/** As many as Docker; on a small machine more would only take turns. */
const PARALLEL_LAYERS = 3;

export async function openImages(
  facts: HostFacts,
  settings: ImageSettings,
  options: ImageOptions = {},
): Promise<ImageContext> {
  return {
    facts,
    settings,
    store: await ImageStore.open(settings.dataDirectory),
    namespace: makeWorkerNamespace(options.userNamespace ?? { kind: "default" }, facts, settings.zstdProgram),
    access: {
      registries: parseRegistriesConfig(settings.registries),
      transport: {
        ...DEFAULT_TRANSPORT,
        httpProxy: settings.httpProxy,
        httpsProxy: settings.httpsProxy,
        noProxy: settings.noProxy,
        certificateFiles: settings.certificateFiles,
        certificateDirectories: settings.certificateDirectories,
        signal: options.signal ?? null,
      },
      authFiles: options.authFile === undefined ? settings.authFiles : [options.authFile],
      credentials: options.credentials ?? null,
      tlsVerify: options.tlsVerify ?? null,
    },
    limits: parseLayerLimits(options.unpackLimits ?? []),
    parallel: PARALLEL_LAYERS,
  };
}

/**
 * Add content to the store. When it runs full, what was added so far is removed, which nothing refers to yet; otherwise it
 * stays for the next attempt.
 */
export async function addContent<Result>(
  { store, namespace }: ImageContext,
  add: () => Promise<Result>,
): Promise<Result> {
  try {
    return await add();
  } catch (error) {
    if (isFull(error)) {
      await using lock = await store.holdForCollection(false);
      if (lock !== null) await collectGarbage(store, namespace, { leftContainers: false });
    }
    throw error;
  }
}

/** The platform of this machine, or the one that was asked for. */
export function platformOf(facts: HostFacts, asked: string | undefined): Platform {
  return asked === undefined ? normalizePlatform("linux", facts.architecture) : parsePlatform(asked);
}

/** The stored image that a user means. */
export async function findStoredImage(context: ImageContext, text: string): Promise<FoundImage> {
  return requireImage(await readImageRecords(context.store), text, readingsOf(context, text));
}

/** The full references a text may stand for; none when it can only be an id. */
export function readingsOf({ access }: ImageContext, text: string): readonly Reference[] {
  try {
    return resolveShortName(parseReference(text), access.registries).map(withDefaultTag);
  } catch (error) {
    if (error instanceof RuntimeError && error.code === "INVALID_ARGUMENT") return [];
    throw error;
  }
}
