/**
 * Unpacks what `cp` copies. Where things go is Docker's rule: into a directory that exists, else under the new name. Runs
 * confined to the directory tree that it writes to, as root of the namespace that the tree belongs to.
 */

import { type Stats, statSync } from "node:fs";
import { RuntimeError } from "../../errors.ts";
import type { ExtractJob } from "../worker/jobs.ts";
import { bytesOfText, fsPath, splitEntryPath } from "./entry-path.ts";
import { LayerWriter } from "./layer-writer.ts";
import { LayerAccount } from "./limits.ts";
import { type EntrySink, type TarEntry, readTar } from "./tar-reader.ts";

/** What is copied is the caller's or the container's own: it is there already, unpacked. */
const NO_LIMITS = { bytes: Infinity, entries: Infinity, depth: Infinity, ratio: Infinity };

export async function extractTree(job: ExtractJob, archive: AsyncIterable<Uint8Array>): Promise<void> {
  let placed: Placement | null = null;
  let writer: LayerWriter | null = null;
  await readTar(archive, (entry): EntrySink | null => {
    placed ??= placeEntries(job, entry);
    writer ??= new LayerWriter({
      root: placed.directory,
      bottom: true,
      owners: "apply",
      account: new LayerAccount(NO_LIMITS),
      content: "files",
    });
    const name = placed.rename(entry.name);
    if (name === "") return null;
    const linkName = entry.type === "link" ? placed.rename(entry.linkName) : entry.linkName;
    const owner = job.owners === "archive" ? {} : { uid: 0, gid: 0 };
    return writer.begin({ ...entry, ...owner, name, linkName });
  });
  (writer as LayerWriter | null)?.finish();
}

interface Placement {
  /** Without a slash at its end: "" is the root. */
  readonly directory: string;
  /** From the archive's name to the one below the directory. */
  readonly rename: (name: string) => string;
}

function placeEntries({ target, place }: ExtractJob, first: TarEntry): Placement {
  const path = `/${bytesOfText(target)}`.replaceAll(/\/+/g, "/");
  const wanted = path.replace(/\/$/, "");
  const status = statusOf(wanted);
  const fail = (fault: string): RuntimeError =>
    new RuntimeError("INVALID_ARGUMENT", `Cannot copy to "${target}": ${fault}`, { details: { target } });
  const below = (name: string, top: string): string =>
    [top, ...splitEntryPath(name).slice(1)].filter(Boolean).join("/");
  if (status?.isDirectory() === true) {
    if (place === "archive") return { directory: wanted, rename: (name) => name };
    const top = place === "entry" ? (splitEntryPath(first.name)[0] ?? "") : "";
    return { directory: wanted, rename: (name) => below(name, top) };
  }
  if (place === "archive") throw fail(status === undefined ? "there is no such directory" : "it is not a directory");
  const isDirectory = first.type === "directory";
  if (status !== undefined && isDirectory) throw fail("it is not a directory");
  if (path.endsWith("/") && !isDirectory) throw fail("there is no such directory");
  const slash = wanted.lastIndexOf("/");
  const parent = wanted.slice(0, slash);
  if (statusOf(parent)?.isDirectory() !== true) throw fail("there is no directory to put it in");
  return { directory: parent, rename: (name) => below(name, wanted.slice(slash + 1)) };
}

/** Of what the path leads to; "" is the root. */
function statusOf(path: string): Stats | undefined {
  try {
    return statSync(path === "" ? "/" : fsPath(path), { throwIfNoEntry: false });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOTDIR") return undefined;
    throw error;
  }
}
