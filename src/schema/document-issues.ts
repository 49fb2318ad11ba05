/** Faults of a JSON document against its schema, in words and with a JSON pointer each. */
import type { SchemaError, SchemaValidator } from "./generated/validators.js";

export interface DocumentIssue {
  /** RFC 6901; "" is the whole document. */
  readonly pointer: string;
  readonly message: string;
}

/** Empty when the document is valid. */
export function documentIssues(validate: SchemaValidator, document: unknown): readonly DocumentIssue[] {
  if (validate(document)) return [];
  const issues = new Map<string, DocumentIssue>();
  for (const error of validate.errors ?? []) {
    // A failed alternative says more than the sentence that none of them held.
    if (error.keyword === "anyOf") continue;
    const issue = describe(error);
    const key = `${issue.pointer} ${issue.message}`;
    if (!issues.has(key)) issues.set(key, issue);
  }
  return [...issues.values()];
}

function describe({ instancePath, keyword, params, message }: SchemaError): DocumentIssue {
  switch (keyword) {
    case "additionalProperties": {
      const name = String(params["additionalProperty"]);
      const escaped = name.replaceAll("~", "~0").replaceAll("/", "~1");
      return { pointer: `${instancePath}/${escaped}`, message: `unknown member "${name}"` };
    }
    case "required":
      return { pointer: instancePath, message: `${String(params["missingProperty"])} is missing` };
    case "enum": {
      const allowed = (params["allowedValues"] as readonly unknown[]).map((value) => JSON.stringify(value));
      return { pointer: instancePath, message: `must be one of ${allowed.join(", ")}` };
    }
    default:
      return { pointer: instancePath, message: message ?? keyword };
  }
}
