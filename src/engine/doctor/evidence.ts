/** What a judgement of the host rests on: facts that were read, and a container that was tried. */

import type { HostSurvey } from "../../host/host-survey.ts";
import type { HostFacts } from "../../plan/host-facts.ts";
import type { CgroupSituation } from "../info.ts";

/** How a container ended that was started to see whether it starts. */
export type Trial =
  /** Its command ran. `overlay`: overlayfs lies over its root filesystem, in the user namespace. */
  | { readonly outcome: "runs"; readonly overlay: boolean }
  | {
      readonly outcome: "fails";
      /** Of the RuntimeError. */
      readonly message: string;
      readonly hint: string | null;
      /** The operation that failed, when the helper got as far: clone, mount … */
      readonly operation: string | null;
      readonly errno: string | null;
    };

export interface HostEvidence {
  readonly facts: HostFacts;
  readonly survey: HostSurvey;
  readonly cgroup: CgroupSituation;
  /** With every id that the caller may map. */
  readonly trial: Trial;
  /** With the caller's own id alone; null when `trial` runs. */
  readonly singleIdTrial: Trial | null;
}
