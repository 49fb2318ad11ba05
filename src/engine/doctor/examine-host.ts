/** `pycri doctor`: gathers the evidence, a container among it, and judges it. */

import { probeHost } from "../../host/probe-host.ts";
import { surveyHost } from "../../host/host-survey.ts";
import type { Environment } from "../../host/runtime-directory.ts";
import { distributionDirectory } from "../../executor/installation.ts";
import { RuntimeError } from "../../errors.ts";
import { situateCgroup } from "../info.ts";
import { type PreparationContext, prepareContainer } from "../prepare-container.ts";
import { callerContext } from "../request/caller-context.ts";
import { runContainer } from "../run-container.ts";
import type { Trial } from "./evidence.ts";
import type { Finding } from "./finding.ts";
import { isFullRunPossible, judgeHost } from "./judge-host.ts";

export interface Examination {
  /** A full rootless run is possible: nothing is missing. */
  readonly ready: boolean;
  readonly findings: readonly Finding[];
}

/** @throws RuntimeError IO when there is no place for the runtime directory. */
export async function examineHost(environment: Environment): Promise<Examination> {
  const facts = probeHost(environment);
  const trial = await tryContainer(environment, "default");
  const findings = judgeHost({
    facts,
    survey: surveyHost(environment, facts),
    cgroup: situateCgroup(facts, environment["DBUS_SESSION_BUS_ADDRESS"]),
    trial,
    singleIdTrial: trial.outcome === "runs" ? null : await tryContainer(environment, "single"),
  });
  return { ready: isFullRunPossible(findings), findings };
}

/**
 * Starts the helper's own program, which is static, in a container whose root filesystem is pycri's own folder, under an
 * overlay: that is all of a run but a root filesystem. It complains about its arguments and ends, which nobody reads.
 */
async function tryContainer(environment: Environment, userns: string): Promise<Trial> {
  try {
    const container = await prepareContainer(
      { rootfs: distributionDirectory(), command: ["/pycri-helper"], userns, interactive: false },
      {},
      trialContext(environment),
    );
    const running = runContainer(container, ["ignore", "ignore", "ignore"], environment);
    running.started.catch(() => {});
    const { fallbacks } = await running.ended;
    return { outcome: "runs", overlay: !fallbacks.some(({ op, type }) => op === "mount" && type === "overlay") };
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error;
    const { operation, errno } = error.details;
    return {
      outcome: "fails",
      message: error.message,
      hint: error.hint ?? null,
      operation: typeof operation === "string" ? operation : null,
      errno: typeof errno === "string" ? errno : null,
    };
  }
}

function trialContext(environment: Environment): PreparationContext {
  return {
    environment,
    caller: callerContext(environment, false, () => {}),
    imageSettings: () => {
      throw new Error("the trial names a directory");
    },
    dryRun: false,
    endsWithCaller: true,
    wholeSpec: false,
  };
}
