/**
 * Profiles as they are written, after their schema (`profiles/schema/profile.schema.json`) accepted them: the union of
 * the OCI Spec's `linux.seccomp`, Docker's and containers/common's additions, which is also what Kubernetes' localhost
 * profiles hold. Go writes absent slices and pointers as null, so null means absent throughout.
 */

type Absent = null | undefined;

/** A number beyond 2^53 is written as a decimal or 0x string, which `parse-profile.ts` does on reading text. */
export type DatumDocument = number | string | bigint;

export interface ComparisonDocument {
  readonly index: number;
  readonly value: DatumDocument;
  readonly valueTwo?: DatumDocument | Absent;
  readonly op: string;
}

export interface ConditionDocument {
  readonly caps?: readonly string[] | Absent;
  readonly arches?: readonly string[] | Absent;
  /** "MAJOR.MINOR". */
  readonly minKernel?: string | Absent;
}

export interface RuleDocument {
  readonly names?: readonly string[] | Absent;
  /** Docker's old form for one name. */
  readonly name?: string | Absent;
  readonly action: string;
  readonly errnoRet?: number | Absent;
  /** containers/common: the name of an errno, which overrides `errnoRet`. */
  readonly errno?: string | Absent;
  readonly args?: readonly ComparisonDocument[] | Absent;
  readonly comment?: string | Absent;
  readonly includes?: ConditionDocument | Absent;
  readonly excludes?: ConditionDocument | Absent;
}

export interface ArchitectureMapDocument {
  readonly architecture: string;
  readonly subArchitectures?: readonly string[] | Absent;
}

export interface ProfileDocument {
  readonly comment?: string | Absent;
  readonly defaultAction?: string | Absent;
  readonly defaultErrnoRet?: number | Absent;
  readonly defaultErrno?: string | Absent;
  readonly architectures?: readonly string[] | Absent;
  readonly archMap?: readonly ArchitectureMapDocument[] | Absent;
  readonly flags?: readonly string[] | Absent;
  readonly listenerPath?: string | Absent;
  readonly listenerMetadata?: string | Absent;
  readonly syscalls?: readonly RuleDocument[] | Absent;
}
