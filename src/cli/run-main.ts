/** The code behind `pycri run` in the full bundle: images, any profile, any limit, and `--dry-run`. */

import { type PreparationContext, prepareContainer, release } from "../engine/prepare-container.ts";
import { callerContext } from "../engine/request/caller-context.ts";
import { readImageSettings } from "../host/image-settings.ts";
import { formatReference } from "../oci/reference.ts";
import type { Invocation } from "./command.ts";
import { formatPlan } from "./format-plan.ts";
import { imageChoiceOf } from "./images/image-choice.ts";
import { makeLayerProgress } from "./images/layer-progress.ts";
import { writeJson, writeMessage, writeOutput, writeWarning } from "./output.ts";
import { reporterCommand, startContainer } from "./run-container.ts";
import { runOptionsOf } from "./run-options.ts";
import type { RunValues } from "./run-syntax.ts";

export async function execute({ values, operands }: Invocation<RunValues>): Promise<number> {
  const dryRun = values["dry-run"] === true;
  const progress = makeLayerProgress(process.stderr.isTTY, false);
  const context: PreparationContext = {
    environment: process.env,
    caller: callerContext(process.env, values.tty === true, writeWarning),
    imageSettings: (home) => readImageSettings(process.env, home),
    dryRun,
    endsWithCaller: false,
    wholeSpec: false,
    reporter: reporterCommand(),
    pullProgress: {
      onLayer: progress.onLayer,
      onStart: (reference) => writeMessage(`Trying to pull ${formatReference(reference)}...`),
      finish: () => progress.finish(),
    },
  };
  const container = await prepareContainer(runOptionsOf(values, operands), imageChoiceOf(values), context);
  if (!dryRun) startContainer(container);
  release(container);
  container.warnings.forEach(writeWarning);
  if (values.format === "json") writeJson(container.plan);
  else writeOutput(formatPlan(container.plan));
  return 0;
}
