/** `--change` of commit and import: Dockerfile instructions that set defaults of an image. Pure. */

import { RuntimeError } from "../../errors.ts";
import type { ContainerDefaults } from "../../oci/image-config.ts";

type Change = (defaults: ContainerDefaults, value: string, fail: (fault: string) => RuntimeError) => ContainerDefaults;

const CHANGES: Readonly<Record<string, Change>> = {
  CMD: (defaults, value) => ({ ...defaults, command: commandOf(value) }),
  // As in a Dockerfile: what was to be run before is no argument of the new program.
  ENTRYPOINT: (defaults, value) => ({ ...defaults, entrypoint: commandOf(value) }),
  ENV: (defaults, value, fail) => {
    const names = pairsOf(value, fail);
    const others = defaults.environment.filter((entry) => !names.has(entry.slice(0, entry.indexOf("="))));
    return { ...defaults, environment: [...others, ...[...names].map(([name, text]) => `${name}=${text}`)] };
  },
  EXPOSE: (defaults, value, fail) => {
    const ports = wordsOf(value).map((word) => {
      if (!/^\d+(-\d+)?(\/(tcp|udp|sctp))?$/.test(word)) throw fail(`"${word}" is not a port`);
      return word.includes("/") ? word : `${word}/tcp`;
    });
    return { ...defaults, exposedPorts: [...new Set([...defaults.exposedPorts, ...ports])] };
  },
  LABEL: (defaults, value, fail) => ({
    ...defaults,
    labels: { ...defaults.labels, ...Object.fromEntries(pairsOf(value, fail)) },
  }),
  STOPSIGNAL: (defaults, value) => ({ ...defaults, stopSignal: value }),
  USER: (defaults, value) => ({ ...defaults, user: value }),
  VOLUME: (defaults, value, fail) => {
    const paths = value.startsWith("[") ? commandOf(value) : wordsOf(value);
    for (const path of paths) if (!path.startsWith("/")) throw fail(`"${path}" is not absolute`);
    return { ...defaults, volumes: [...new Set([...defaults.volumes, ...paths])] };
  },
  WORKDIR: (defaults, value, fail) => {
    if (!value.startsWith("/")) throw fail(`"${value}" is not absolute`);
    return { ...defaults, workingDirectory: value };
  },
};

/** @throws RuntimeError INVALID_ARGUMENT for what is no such instruction. */
export function changeDefaults(defaults: ContainerDefaults, changes: readonly string[]): ContainerDefaults {
  let changed = defaults;
  for (const text of changes) {
    const fail = (fault: string): RuntimeError =>
      new RuntimeError("INVALID_ARGUMENT", `Cannot apply the change "${text}": ${fault}`, {
        hint: `Write a Dockerfile's instruction, one of ${Object.keys(CHANGES).join(", ")}: 'CMD ["/bin/sh"]'.`,
      });
    const [, name = "", value = ""] = /^\s*([A-Za-z]+)\s+(.*\S)\s*$/s.exec(text) ?? [];
    const instruction = name.toUpperCase();
    const change = Object.hasOwn(CHANGES, instruction) ? CHANGES[instruction] : undefined;
    if (change === undefined) throw fail(name === "" ? "it has no value" : `"${name}" is not known`);
    changed = change(changed, value, fail);
  }
  return changed;
}

/** `["a", "b"]`, or a line for the shell. */
function commandOf(value: string): readonly string[] {
  if (value.startsWith("[")) {
    try {
      const list: unknown = JSON.parse(value);
      if (Array.isArray(list) && list.every((item) => typeof item === "string")) return list as readonly string[];
    } catch {
      // As in a Dockerfile, what is no JSON is a line for the shell.
    }
  }
  return ["/bin/sh", "-c", value];
}

function wordsOf(value: string): readonly string[] {
  return value.split(/\s+/);
}

/** `NAME=value …` with quotes around values as wanted, or `NAME value`. */
function pairsOf(value: string, fail: (fault: string) => RuntimeError): ReadonlyMap<string, string> {
  if (!/^[^\s="']+=/.test(value)) {
    const [, name = "", text] = /^(\S+)\s+(.*)$/s.exec(value) ?? [];
    if (text === undefined || name.includes("=")) throw fail("write NAME=value");
    return new Map([[name, text]]);
  }
  const pairs = new Map<string, string>();
  const pattern = /([^\s="']+)=((?:"(?:[^"\\]|\\.)*"|'[^']*'|\\.|[^\s"'\\])*)(?:\s+|$)/gy;
  let end = 0;
  for (const [whole, name = "", text = ""] of value.matchAll(pattern)) {
    pairs.set(name, unquote(text));
    end += whole.length;
  }
  if (end !== value.length) throw fail(`"${value.slice(end)}" is not NAME=value`);
  return pairs;
}

function unquote(text: string): string {
  return text.replaceAll(
    /"((?:[^"\\]|\\.)*)"|'([^']*)'|\\(.)/gs,
    (_match, double: string | undefined, single: string | undefined, escaped: string | undefined) =>
      double === undefined ? (single ?? escaped ?? "") : double.replaceAll(/\\(.)/gs, "$1"),
  );
}
