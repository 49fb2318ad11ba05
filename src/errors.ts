/**
 * The one error type that pycri throws for anything a user can cause or mend, its closed set of codes, and the exit
 * status each code maps to. A programmer's mistake stays a plain `Error`.
 */

/** Every code a `RuntimeError` can carry. The table gives the exit status of `pycri run` and `pycri exec` (Docker's). */
const EXIT_STATUS = {
  /** A flag, argument or option value that cannot be parsed. */
  INVALID_ARGUMENT: 125,
  /** A JSON document that violates its schema; `details.issues` has JSON pointers. */
  INVALID_DOCUMENT: 125,
  /** A seccomp profile that cannot be resolved or compiled. */
  INVALID_PROFILE: 125,
  /** An OCI runtime Spec that asks for something contradictory or unsupported. */
  INVALID_SPEC: 125,
  /** The root filesystem is missing, unreadable or not a directory. */
  ROOTFS_NOT_FOUND: 125,
  /** The name stands for an image, and no such image is stored. */
  IMAGE_NOT_FOUND: 125,
  /** No manifest of the image fits the platform asked for. */
  PLATFORM_NOT_FOUND: 125,
  /** A layer or archive violates its format, tries to escape, or exceeds a limit. */
  INVALID_LAYER: 125,
  /** Content does not have the digest it was asked for by; nothing of it is kept. */
  DIGEST_MISMATCH: 125,
  /** A registry could not be reached or answered with an error. */
  REGISTRY_FAILED: 125,
  /** A registry wants credentials, or refuses those it got; or configuration blocks it. */
  REGISTRY_DENIED: 125,
  /** The image still has containers, other names or children. */
  IMAGE_IN_USE: 125,
  /** A bind source that does not exist or cannot be opened. */
  MOUNT_SOURCE_NOT_FOUND: 125,
  /** A user or group that the container's passwd or group file does not know. */
  UNKNOWN_USER: 125,
  /** An id outside the ranges granted to the caller. */
  ID_NOT_GRANTED: 125,
  /** No container has this name or id. */
  CONTAINER_NOT_FOUND: 125,
  /** The name or id is taken. */
  CONTAINER_EXISTS: 125,
  /** The operation does not fit the container's status. */
  INVALID_STATE: 125,
  /** The host lacks something pycri cannot do without (user namespaces, a kernel feature). */
  HOST_UNSUPPORTED: 125,
  /** A limit that cannot be applied on this host. */
  LIMIT_UNSUPPORTED: 125,
  /** The native helper could not be started, or reported a failed operation. */
  LAUNCH_FAILED: 125,
  /** A file operation on pycri's own state, cache or configuration failed. */
  IO: 125,
  /** The caller's AbortSignal ended the container; library only, as the next three. */
  ABORTED: 125,
  /** The container ran for longer than its `timeout`, and was ended. */
  TIMED_OUT: 125,
  /** The command wrote more than `maxBuffer`, and was ended. */
  OUTPUT_LIMIT: 125,
  /** The command failed, and `check` was asked for. */
  COMMAND_FAILED: 125,
  /** The command was found and cannot be executed. */
  COMMAND_NOT_EXECUTABLE: 126,
  /** The command was not found in the container. */
  COMMAND_NOT_FOUND: 127,
} as const;

export type ErrorCode = keyof typeof EXIT_STATUS;

export interface RuntimeErrorOptions {
  /** One sentence that says what mends it: the sysctl, file, flag or package. */
  readonly hint?: string;
  /** Machine-readable facts: values, paths, errno names, JSON pointers. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** A failure that a user can act on. `message` names the action and quotes the values. */
export class RuntimeError extends Error {
  override readonly name: string = "RuntimeError";
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: RuntimeErrorOptions = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.details = options.details ?? {};
  }

  /** The exit status of `pycri run` for this error, 125 to 127. */
  get exitStatus(): number {
    return EXIT_STATUS[this.code];
  }
}
