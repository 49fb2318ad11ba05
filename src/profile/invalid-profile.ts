/** The one error for a profile that cannot be used, with every issue of the document. */
import { RuntimeError } from "../errors.ts";
import type { DocumentIssue } from "../schema/document-issues.ts";

/** `issues` is not empty; the message quotes the first. */
export function invalidProfile(issues: readonly DocumentIssue[]): RuntimeError {
  const [first] = issues;
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : "";
  const where = first === undefined || first.pointer === "" ? "" : ` at ${first.pointer}`;
  return new RuntimeError("INVALID_PROFILE", `Invalid seccomp profile${where}: ${first?.message ?? ""}${more}`, {
    details: { issues },
  });
}
