/** What `scripts/build-validators.ts` generates: one function for each schema. */

/** The part of ajv's ErrorObject that messages are made of. */
export interface SchemaError {
  /** JSON pointer of the value. */
  readonly instancePath: string;
  readonly keyword: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly message?: string;
}

export interface SchemaValidator {
  (value: unknown): boolean;
  /** Set when the last call returned false. */
  readonly errors?: readonly SchemaError[] | null;
}

export const validateSeccompProfile: SchemaValidator;
export const validateRuleList: SchemaValidator;
