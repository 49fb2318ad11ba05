/** `pycri ps`: the containers there are, as far as filters let them through. */

import { isFrozen } from "../cgroup/live-cgroup.ts";
import { RuntimeError } from "../errors.ts";
import { type ContainerState, type ContainerStatus, listContainers } from "../store/container-store.ts";

export interface ListedContainer extends Omit<ContainerState, "status"> {
  readonly status: ContainerStatus | "paused";
}

type Test = (container: ListedContainer) => boolean;

/** Docker's words for what the OCI runtime Spec calls stopped. */
const STATUS_WORDS: Readonly<Record<string, ListedContainer["status"]>> = {
  created: "created",
  running: "running",
  paused: "paused",
  stopped: "stopped",
  exited: "stopped",
};

/**
 * Newest first. Filters of one kind are alternatives, those of different kinds hold together.
 * @param all also those that do not run.
 * @param filters `status=`, `name=`, `id=`, `label=KEY[=VALUE]`.
 * @throws RuntimeError INVALID_ARGUMENT.
 */
export function selectContainers(
  stateDirectory: string,
  all: boolean,
  filters: readonly string[],
): readonly ListedContainer[] {
  const tests = new Map<string, Test[]>();
  for (const filter of filters) {
    const { key, test } = parseFilter(filter);
    tests.set(key, [...(tests.get(key) ?? []), test]);
  }
  return listContainers(stateDirectory)
    .toReversed()
    .map((state): ListedContainer => ({ ...state, status: statusOf(state) }))
    .filter((container) => all || tests.has("status") || container.status !== "stopped")
    .filter((container) => [...tests.values()].every((alternatives) => alternatives.some((test) => test(container))));
}

function statusOf({ status, config }: ContainerState): ListedContainer["status"] {
  return status === "running" && config.cgroup !== null && isFrozen(config.cgroup) ? "paused" : status;
}

function parseFilter(filter: string): { readonly key: string; readonly test: Test } {
  const [key = "", value = ""] = filter.split(/=(.*)/s);
  switch (key) {
    case "status": {
      const wanted = STATUS_WORDS[value];
      if (wanted === undefined) break;
      return { key, test: ({ status }) => status === wanted };
    }
    case "name":
      return { key, test: ({ config }) => config.name?.includes(value) === true };
    case "id":
      return { key, test: ({ config }) => config.id.startsWith(value) };
    case "label": {
      const [name = "", wanted] = value.split(/=(.*)/s);
      return {
        key,
        test: ({ config: { labels } }) =>
          Object.hasOwn(labels, name) && (wanted === undefined || labels[name] === wanted),
      };
    }
    default:
  }
  throw new RuntimeError("INVALID_ARGUMENT", `Cannot use --filter: "${filter}"`, {
    hint: "filters are status=created|running|paused|exited, name=, id= and label=KEY[=VALUE]",
    details: { option: "--filter", value: filter },
  });
}
