/**
 * The profiles that ship with pycri, by name. `docs/seccomp-profiles.md` describes what each is for; a unit test holds
 * them to the schema, so that reading one costs no validation.
 */
import baseline from "../../profiles/baseline.json" with { type: "json" };
import ci from "../../profiles/ci.json" with { type: "json" };
import defaultProfile from "../../profiles/default.json" with { type: "json" };
import strict from "../../profiles/strict.json" with { type: "json" };
import unconfined from "../../profiles/unconfined.json" with { type: "json" };
import type { ProfileDocument } from "./profile-document.ts";
import { profileFromDocument } from "./profile-from-document.ts";
import type { Profile } from "./profile.ts";

export type BuiltinProfileName = "default" | "baseline" | "strict" | "ci" | "unconfined";

const documents: Readonly<Record<BuiltinProfileName, ProfileDocument>> = {
  default: defaultProfile,
  baseline,
  strict,
  ci,
  unconfined,
};

export const builtinProfileNames: readonly BuiltinProfileName[] = Object.keys(documents) as BuiltinProfileName[];

export function isBuiltinProfile(name: string): name is BuiltinProfileName {
  return Object.hasOwn(documents, name);
}

/** The document as it is shipped, for `--security-opt` and for printing. */
export function builtinDocument(name: BuiltinProfileName): ProfileDocument {
  return documents[name];
}

export function builtinProfile(name: BuiltinProfileName): Profile {
  return profileFromDocument(documents[name]);
}
