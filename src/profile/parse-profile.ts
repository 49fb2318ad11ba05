/**
 * Untrusted profiles: text or any value → `Profile`, or RuntimeError INVALID_PROFILE with every fault and its JSON
 * pointer. Files in the wild begin with `#` comment lines now and then, and hold 64-bit numbers that JSON.parse rounds.
 */
import { documentIssues } from "../schema/document-issues.ts";
import { validateSeccompProfile } from "../schema/generated/validators.js";
import { invalidProfile } from "./invalid-profile.ts";
import type { Profile } from "./profile.ts";
import type { ProfileDocument } from "./profile-document.ts";
import { profileFromDocument } from "./profile-from-document.ts";

/**
 * @param document what JSON.parse gives, numbers beyond 2^53 as strings of digits
 * @throws RuntimeError INVALID_PROFILE, `details.issues` are DocumentIssues
 */
export function parseProfile(document: unknown): Profile {
  const issues = documentIssues(validateSeccompProfile, document);
  if (issues.length > 0) throw invalidProfile(issues);
  return profileFromDocument(document as ProfileDocument);
}

/** @throws RuntimeError INVALID_PROFILE, `details.issues` are DocumentIssues */
export function parseProfileText(text: string): Profile {
  return parseProfile(readJsonText(text));
}

/** A string, or a number that is not inside one. */
const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** JSON with leading `#` lines, whose integers beyond 2^53 come out as strings of their digits. */
export function readJsonText(text: string): unknown {
  const json = text
    .replace(/^\uFEFF/, "")
    .replace(/^(?:[ \t]*(?:#.*)?\r?\n)+/, (lines) => lines.replace(/[^\n]/g, ""))
    .replace(STRING_OR_NUMBER, (token) =>
      /^\d{16,}$/.test(token) && !Number.isSafeInteger(Number(token)) ? `"${token}"` : token,
    );
  try {
    return JSON.parse(json) as unknown;
  } catch (error) {
    throw invalidProfile([{ pointer: "", message: `not JSON: ${(error as Error).message}` }]);
  }
}
