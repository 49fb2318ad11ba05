/**
 * A profile document of the right shape → `Profile`. What the schema cannot say (which fields exclude each other, which
 * action takes an errno, what runc refuses) is checked here, and every fault is reported with its JSON pointer.
 */
import type { DocumentIssue } from "../schema/document-issues.ts";
import type { Comparison, ComparisonOperator } from "../seccomp/filter.ts";
import { type ActionName, actionKind, actionValue, SECCOMP_RET_USER_NOTIF, takesErrno } from "./action.ts";
import { type ArchitectureName, findArchitecture } from "./architectures.ts";
import { errnoNumber } from "./errno.ts";
import { invalidProfile } from "./invalid-profile.ts";
import type { Condition, FlagName, Profile, ProfileRule } from "./profile.ts";
import type {
  ComparisonDocument,
  ConditionDocument,
  DatumDocument,
  ProfileDocument,
  RuleDocument,
} from "./profile-document.ts";

/** libseccomp refuses 4095, the kernel's MAX_ERRNO. */
const LARGEST_ERRNO = 4094;
const ALL_ONES = 0xffffffffffffffffn;

class Issues {
  readonly list: DocumentIssue[] = [];

  add(pointer: string, message: string): void {
    this.list.push({ pointer, message });
  }
}

/** @throws RuntimeError INVALID_PROFILE whose `details.issues` are DocumentIssues */
export function profileFromDocument(document: ProfileDocument): Profile {
  const issues = new Issues();
  const rules = (document.syscalls ?? []).flatMap((rule, index) => parseRule(rule, `/syscalls/${index}`, issues));
  const profile = parseTop(document, rules, issues);
  if (issues.list.length > 0) throw invalidProfile(issues.list);
  return profile;
}

function parseTop(document: ProfileDocument, rules: readonly ProfileRule[], issues: Issues): Profile {
  const confined = Boolean(document.defaultAction) || (document.syscalls ?? []).length > 0;
  if (confined && !document.defaultAction) issues.add("/defaultAction", "defaultAction is missing");
  if ((document.architectures ?? []).length > 0 && (document.archMap ?? []).length > 0)
    issues.add("/archMap", "architectures and archMap exclude each other");

  const top = parseAction(
    {
      action: document.defaultAction || "SCMP_ACT_ALLOW",
      errnoRet: document.defaultErrnoRet,
      errno: document.defaultErrno,
    },
    { action: "/defaultAction", errnoRet: "/defaultErrnoRet", errno: "/defaultErrno" },
    issues,
  );
  if (actionKind(top.action) === SECCOMP_RET_USER_NOTIF)
    issues.add("/defaultAction", "SCMP_ACT_NOTIFY cannot be the default: nothing could answer the first call");
  if (document.listenerMetadata && !document.listenerPath)
    issues.add("/listenerMetadata", "listenerMetadata needs a listenerPath");

  const subArchitectures = new Map<ArchitectureName, readonly ArchitectureName[]>();
  for (const [index, entry] of (document.archMap ?? []).entries()) {
    const architecture = parseArchitecture(entry.architecture, `/archMap/${index}/architecture`, issues);
    const further = parseArchitectures(entry.subArchitectures ?? [], `/archMap/${index}/subArchitectures`, issues);
    if (architecture !== undefined) subArchitectures.set(architecture, further);
  }
  return {
    confined,
    defaultAction: top.action,
    ...(top.errnoName === undefined ? {} : { defaultErrnoName: top.errnoName }),
    architectures: parseArchitectures(document.architectures ?? [], "/architectures", issues),
    subArchitectures,
    ...(document.flags ? { flags: document.flags as readonly FlagName[] } : {}),
    ...(document.listenerPath ? { listenerPath: document.listenerPath } : {}),
    ...(document.listenerMetadata ? { listenerMetadata: document.listenerMetadata } : {}),
    rules,
  };
}

function parseRule(rule: RuleDocument, pointer: string, issues: Issues): readonly ProfileRule[] {
  const listed = rule.names ?? [];
  if (rule.name && listed.length > 0) issues.add(`${pointer}/name`, "name and names exclude each other");
  const names = rule.name ? [rule.name] : listed;
  // runc and Docker accept a rule without names, which decides nothing.
  if (names.length === 0) return [];

  const { action, errnoName } = parseAction(
    rule,
    { action: `${pointer}/action`, errnoRet: `${pointer}/errnoRet`, errno: `${pointer}/errno` },
    issues,
  );
  if (actionKind(action) === SECCOMP_RET_USER_NOTIF && names.includes("write"))
    issues.add(
      `${pointer}/action`,
      'SCMP_ACT_NOTIFY cannot be used for "write": the runtime needs it to report errors',
    );

  return [
    {
      names,
      action,
      ...(errnoName === undefined ? {} : { errnoName }),
      comparisons: (rule.args ?? []).map((args, index) => parseComparison(args, `${pointer}/args/${index}`, issues)),
      includes: parseCondition(rule.includes, `${pointer}/includes`, issues),
      excludes: parseCondition(rule.excludes, `${pointer}/excludes`, issues),
      ...(rule.comment ? { comment: rule.comment } : {}),
      pointer,
    },
  ];
}

function parseAction(
  source: Pick<RuleDocument, "action" | "errnoRet" | "errno">,
  pointers: { readonly action: string; readonly errnoRet: string; readonly errno: string },
  issues: Issues,
): { readonly action: number; readonly errnoName?: string } {
  const name = source.action as ActionName;
  const { errno, errnoRet } = source;
  if (!takesErrno(name)) {
    // The Spec demands an error; runc ignores the value, crun refuses.
    if (errnoRet != null) issues.add(pointers.errnoRet, `${name} takes no errno`);
    if (errno) issues.add(pointers.errno, `${name} takes no errno`);
    return { action: actionValue(name) };
  }
  if (errno) {
    const number = errnoNumber(errno, "x86_64");
    if (number === undefined) issues.add(pointers.errno, `"${errno}" is no errno`);
    return { action: actionValue(name, number), errnoName: errno };
  }
  const largest = name === "SCMP_ACT_ERRNO" ? LARGEST_ERRNO : 0xffff;
  if (errnoRet != null && (!Number.isInteger(errnoRet) || errnoRet < 0 || errnoRet > largest)) {
    issues.add(pointers.errnoRet, `${errnoRet} is not between 0 and ${largest}`);
    return { action: actionValue(name) };
  }
  return { action: actionValue(name, errnoRet ?? undefined) };
}

function parseArchitectures(names: readonly string[], pointer: string, issues: Issues): readonly ArchitectureName[] {
  return names.flatMap((name, index) => parseArchitecture(name, `${pointer}/${index}`, issues) ?? []);
}

function parseArchitecture(name: string, pointer: string, issues: Issues): ArchitectureName | undefined {
  const architecture = findArchitecture(name);
  if (architecture === undefined) issues.add(pointer, `"${name}" is no architecture`);
  return architecture?.name;
}

function parseCondition(condition: ConditionDocument | null | undefined, pointer: string, issues: Issues): Condition {
  const minKernel = condition?.minKernel;
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(minKernel ?? "") ?? [];
  if (minKernel && (minor === undefined || !/^\d+\.\d+$/.test(minKernel)))
    issues.add(`${pointer}/minKernel`, `"${minKernel}" is not MAJOR.MINOR`);
  return {
    capabilities: condition?.caps ?? [],
    architectures: parseArchitectures(condition?.arches ?? [], `${pointer}/arches`, issues),
    ...(minor === undefined ? {} : { minKernel: { major: Number(major), minor: Number(minor) } }),
  };
}

function parseComparison(source: ComparisonDocument, pointer: string, issues: Issues): Comparison {
  const value = parseDatum(source.value, `${pointer}/value`, issues);
  const operator = source.op.replace("SCMP_CMP_", "") as ComparisonOperator;
  if (operator !== "MASKED_EQ") return { index: source.index, operator, value, mask: ALL_ONES };
  // libseccomp masks the datum, too: mask 0xf with datum 0x11 matches 1.
  const datum = parseDatum(source.valueTwo ?? 0, `${pointer}/valueTwo`, issues);
  return { index: source.index, operator, value: datum & value, mask: value };
}

function parseDatum(datum: DatumDocument, pointer: string, issues: Issues): bigint {
  if (typeof datum === "number" && !Number.isSafeInteger(datum)) {
    issues.add(pointer, `${datum} is beyond 2^53 and has lost digits; write it as a string`);
    return 0n;
  }
  if (typeof datum === "string" && !/^(0x[0-9a-fA-F]+|\d+)$/.test(datum)) {
    issues.add(pointer, `"${datum}" is no unsigned number`);
    return 0n;
  }
  const value = BigInt(datum);
  if (value < 0n || value > ALL_ONES) issues.add(pointer, `${value} is no unsigned 64-bit number`);
  return BigInt.asUintN(64, value);
}
