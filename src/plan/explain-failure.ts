/**
 * What the helper reports is an operation and an errno; what a user needs is what could not be done, and the sysctl,
 * file, package or flag that mends it. Every such sentence stands here.
 */

import { type ErrorCode, RuntimeError } from "../errors.ts";
import { RLIMIT_NAMES } from "../oci/rlimit-numbers.ts";
import { type SlotUses, describeOperation, slotUses } from "./describe-operation.ts";
import { errnoName } from "./errno-names.ts";
import type { LaunchPlan, OperationFailure } from "./launch-plan.ts";
import { ANCHOR, CREATE, type Operation } from "./operations.ts";

interface Explanation {
  readonly code: ErrorCode;
  /** Instead of `Cannot <operation>: <errno>`. */
  readonly message?: string;
  readonly hint?: string;
}

const NO_USER_NAMESPACES =
  "Allow unprivileged user namespaces: sysctl kernel.unprivileged_userns_clone=1 (Debian), kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu), user.max_user_namespaces above 0. Run pycri doctor for this host's switch.";
const CONFINED =
  'A security module forbids user namespaces here: an AppArmor profile (/proc/self/attr/current names it) needs the rule "userns,", SELinux the permission user_namespace create.';

/** The error for a `failed` event of this plan. */
export function explainFailure(plan: LaunchPlan, failure: OperationFailure): RuntimeError {
  const operation: Operation | undefined = plan[failure.section][failure.index];
  const errno = errnoName(failure.errno);
  if (operation === undefined) {
    return new RuntimeError("LAUNCH_FAILED", `The native helper could not read the launch plan: ${errno}`, {
      hint: "The helper and pycri are of different builds: install pycri again.",
      details: { ...failure, errno },
    });
  }
  const uses = slotUses(plan);
  const { code, message, hint } = explain(operation, errno, failure, uses, plan);
  const text = message ?? `Cannot ${describeShortly(operation, uses)}: ${errno}`;
  const detail = failure.detail.trim();
  // What was looked for is in the hint of a command that was not found.
  const known = detail === "" || text.includes(detail) || code === "COMMAND_NOT_FOUND";
  const shown = known ? text : `${text} (${detail})`;
  return new RuntimeError(code, shown, {
    ...(hint === undefined ? {} : { hint }),
    details: { operation: operation.op, section: failure.section, index: failure.index, errno, detail },
  });
}

/** Without the options of a mount: they are in the dry run, and a message should fit a line. */
function describeShortly(operation: Operation, uses: SlotUses): string {
  if (operation.op === "mount") return describeOperation({ ...operation, options: [], attributes: 0n }, uses);
  if (operation.op === "attach") {
    return describeOperation({ ...operation, set: 0n, propagation: 0n, create: CREATE.nothing }, uses);
  }
  return describeOperation(operation, uses);
}

function explain(
  operation: Operation,
  errno: string,
  failure: OperationFailure,
  uses: SlotUses,
  plan: LaunchPlan,
): Explanation {
  switch (operation.op) {
    case "clone":
      return explainClone(errno, operation.cgroup);
    case "writeChildProc":
      if (operation.name === "oom_score_adj") return explainOomScore(operation.contents, errno);
      return {
        code: "HOST_UNSUPPORTED",
        hint:
          errno === "EPERM"
            ? `The kernel refuses the id map. ${NO_USER_NAMESPACES}`
            : "Run pycri doctor to see what the host allows.",
      };
    case "runIdMapTools":
      return {
        code: "HOST_UNSUPPORTED",
        hint: "newuidmap and newgidmap must be setuid root, and /etc/subuid and /etc/subgid must grant the ids. Run pycri doctor, or use --userns single.",
      };
    case "openTree":
    case "openTreeIdmapped":
      return explainSource(operation.path, isRootSlot(operation.slot, plan), errno, operation.op);
    case "enterStage":
      return {
        code: "HOST_UNSUPPORTED",
        hint:
          errno === "EPERM" || errno === "EACCES"
            ? `The user namespace gives no right to mount. ${NO_USER_NAMESPACES}`
            : "Set XDG_RUNTIME_DIR to a directory of your own.",
      };
    case "mount":
      return explainMount(operation.type, errno);
    case "attach":
      return explainAttach(operation, errno, uses);
    case "setMountAttributes":
      return {
        code: "LAUNCH_FAILED",
        ...(errno === "EPERM"
          ? { hint: "A user namespace may add nosuid, nodev, noexec and ro to a mount of the host, not lift them." }
          : {}),
      };
    case "makeDirectory":
    case "makeDirectoryLike":
    case "makeFile":
    case "makeSymlink":
      return explainCreation(operation.anchor, errno);
    case "requestProgram":
      return {
        code: "LAUNCH_FAILED",
        hint: "Use --rw to run from the root filesystem itself, without a layer over it.",
      };
    case "setHostname":
    case "setDomainname":
      return { code: "INVALID_ARGUMENT", hint: "A name has 64 bytes at most." };
    case "setSysctl":
      return errno === "ENOENT"
        ? { code: "INVALID_ARGUMENT", hint: "The kernel has no such parameter; a module may have to be loaded." }
        : { code: "INVALID_ARGUMENT", hint: "The kernel refuses the value, or a change from inside a user namespace." };
    case "setTimeOffset":
      return {
        code: "INVALID_ARGUMENT",
        hint: "The offset must not make the clock negative, nor exceed some 146 years (time_namespaces(7)).",
      };
    case "setRlimit":
      return explainRlimit(operation.resource, errno);
    case "setUser":
    case "setGroups":
      return {
        code: "ID_NOT_GRANTED",
        hint: "The container's user namespace does not have these ids: grant more in /etc/subuid and /etc/subgid.",
      };
    case "setScheduler":
    case "setIoPriority":
      return { code: "LIMIT_UNSUPPORTED", hint: "Real-time priorities need CAP_SYS_NICE on the host." };
    case "setAffinity":
      return { code: "LIMIT_UNSUPPORTED", hint: "None of these CPUs is online and allowed to the caller." };
    case "joinSessionKeyring":
      return errno === "EDQUOT"
        ? { code: "HOST_UNSUPPORTED", hint: "Too many keys: raise kernel.keys.maxkeys, or wait for containers to end." }
        : { code: "LAUNCH_FAILED" };
    case "apparmorOnExec":
      return {
        code: "HOST_UNSUPPORTED",
        hint:
          errno === "ENOENT"
            ? "Load the profile first: apparmor_parser -r FILE."
            : "The caller's own AppArmor profile does not allow the change.",
      };
    case "landlockBegin":
    case "landlockAllow":
    case "landlockEnforce":
      return { code: "HOST_UNSUPPORTED", hint: "Use --security-opt landlock=off." };
    case "changeDirectory":
      return {
        code: "INVALID_ARGUMENT",
        message: `Cannot change to the working directory "${operation.path}": ${errno}`,
        hint: "Give one that exists in the container and that its user may enter, with --workdir.",
      };
    case "loadSeccomp":
    case "forkInit":
      return explainSeccomp(errno);
    case "execute":
      return explainExecute(operation.arguments[0] ?? "", operation.candidates, errno, failure.detail);
    case "joinNamespace":
      return {
        code: errno === "ENOENT" ? "INVALID_SPEC" : "HOST_UNSUPPORTED",
        hint: "The namespace must exist and belong to a user namespace of the caller's.",
      };
    case "unshare":
    case "enterTimeNamespace":
      return {
        code: "HOST_UNSUPPORTED",
        hint: "The kernel lacks this namespace, or user.max_*_namespaces is reached.",
      };
    case "writeHostFile":
      return errno === "EEXIST" ? { code: "IO", hint: `Remove "${operation.path}" first.` } : { code: "IO" };
    case "makeHostSymlink":
      // Another pycri took the name between the look and the launch.
      return errno === "EEXIST"
        ? { code: "CONTAINER_EXISTS", hint: "Another container has that name: pycri ps --all" }
        : { code: "IO" };
    case "writeChildPid":
    case "makeHostDirectory":
    case "removeHostFile":
    case "removeHostTree":
      return { code: "IO" };
    case "holdLock":
      return { code: "INVALID_STATE", hint: "Another pycri process works on this container." };
    case "writeKernelFile":
      return { code: "LIMIT_UNSUPPORTED", hint: "Run pycri doctor to see which cgroup controllers are delegated." };
    case "openTerminal":
      return { code: "LAUNCH_FAILED", hint: "The container's /dev/pts must be a devpts file system of its own." };
    default:
      return { code: "LAUNCH_FAILED" };
  }
}

function explainClone(errno: string, cgroup: string): Explanation {
  if (errno === "EPERM") return { code: "HOST_UNSUPPORTED", hint: NO_USER_NAMESPACES };
  if (errno === "EACCES") return { code: "HOST_UNSUPPORTED", hint: CONFINED };
  if (errno === "ENOSPC" || errno === "EUSERS") {
    return {
      code: "HOST_UNSUPPORTED",
      hint: "A limit of namespaces is reached: raise user.max_user_namespaces and its kin; 32 user namespaces nest at most.",
    };
  }
  if (errno === "EINVAL")
    return { code: "HOST_UNSUPPORTED", hint: "The kernel is built without one of these namespaces." };
  if (errno === "ENOSYS") {
    return {
      code: "HOST_UNSUPPORTED",
      hint: "clone3(2) needs Linux 5.3, and a seccomp filter around pycri that allows it.",
    };
  }
  if (errno === "EAGAIN") {
    return {
      code: "LIMIT_UNSUPPORTED",
      hint: "Too many processes: raise ulimit -u, or the pids limit of the caller's cgroup.",
    };
  }
  return cgroup === ""
    ? { code: "LAUNCH_FAILED" }
    : { code: "LIMIT_UNSUPPORTED", hint: "The cgroup takes no processes." };
}

/** The root filesystem is what ends up on the stage. */
function isRootSlot(slot: number, plan: LaunchPlan): boolean {
  return plan.container.some(
    (operation) => operation.op === "attach" && operation.slot === slot && operation.anchor === ANCHOR.stage,
  );
}

function explainSource(path: string, isRoot: boolean, errno: string, op: Operation["op"]): Explanation {
  const what = isRoot ? "the root filesystem" : "the mount source";
  const message = `Cannot open ${what} "${path}": ${errno}`;
  const code: ErrorCode = isRoot ? "ROOTFS_NOT_FOUND" : "MOUNT_SOURCE_NOT_FOUND";
  if (errno === "ENOENT" || errno === "ENOTDIR") return { code, message, hint: `Does "${path}" exist on the host?` };
  if (errno === "EACCES") {
    return { code, message, hint: "The caller must be allowed to search every directory on the way." };
  }
  if (op === "openTreeIdmapped") {
    return { code: "HOST_UNSUPPORTED", message, hint: "Its file system does not support idmapped mounts." };
  }
  if (errno === "EINVAL") {
    return {
      code: "INVALID_ARGUMENT",
      message,
      hint: "Other file systems are mounted below it, which a user namespace may not uncover: mount it recursively (rbind).",
    };
  }
  return { code: "LAUNCH_FAILED", message };
}

function explainMount(type: string, errno: string): Explanation {
  if (errno === "EINVAL" && type === "overlay") {
    return {
      code: "HOST_UNSUPPORTED",
      hint: "Other file systems are mounted below the root filesystem, or its own cannot be a layer: install fuse-overlayfs, or use --rw.",
    };
  }
  if (errno === "ENODEV") {
    return { code: "HOST_UNSUPPORTED", hint: `The kernel has no file system "${type}": modprobe ${type} as root.` };
  }
  if (errno === "EINVAL")
    return { code: "INVALID_ARGUMENT", hint: `The file system "${type}" refuses one of the options.` };
  if (errno === "EPERM" || errno === "EACCES") {
    const hints: Readonly<Record<string, string>> = {
      proc: "The host's /proc is partly covered, as in most containers: use --pid host, or uncover the outer /proc (Docker: --security-opt systempaths=unconfined).",
      sysfs: "The host's /sys is partly covered, as in most containers: use --network host.",
      mqueue: "The container needs its own IPC namespace for it.",
      overlay: "Overlays in user namespaces need Linux 5.11: install fuse-overlayfs, or use --rw.",
    };
    return {
      code: "HOST_UNSUPPORTED",
      hint: hints[type] ?? `The kernel does not let a user namespace mount the file system "${type}".`,
    };
  }
  return { code: "LAUNCH_FAILED" };
}

function explainAttach(operation: Operation & { readonly op: "attach" }, errno: string, uses: SlotUses): Explanation {
  const source = uses.get(operation.slot)?.content ?? "";
  if (errno === "ENOENT" || errno === "EROFS") {
    return {
      code: "INVALID_ARGUMENT",
      hint: `"${operation.target}" does not exist there and cannot be made, because the file system is read-only. Choose a target that exists, or one below /tmp, /run or /home.`,
    };
  }
  if (errno === "ENOTDIR" || errno === "EISDIR") {
    return {
      code: "INVALID_ARGUMENT",
      hint: `Of "${source}" and "${operation.target}" one is a directory and the other is not.`,
    };
  }
  if (errno === "ELOOP" || errno === "EXDEV") {
    return {
      code: "INVALID_ARGUMENT",
      hint: `Symbolic links in "${operation.target}" do not lead to a place in the root filesystem.`,
    };
  }
  if (errno === "EPERM") {
    return {
      code: "INVALID_ARGUMENT",
      hint: "A user namespace may add nosuid, nodev, noexec and ro to a mount of the host, not lift them or change its atime mode.",
    };
  }
  if (errno === "EACCES" || errno === "EOVERFLOW") return explainCreation(operation.anchor, errno);
  return { code: "LAUNCH_FAILED" };
}

function explainCreation(anchor: number, errno: string): Explanation {
  if (errno === "EROFS") return { code: "INVALID_ARGUMENT", hint: "The file system there is read-only." };
  if (errno === "ENOTDIR" || errno === "EEXIST") {
    return { code: "INVALID_ARGUMENT", hint: "A part of the path exists and is no directory." };
  }
  if (errno === "EACCES") {
    return {
      code: "LAUNCH_FAILED",
      hint:
        anchor === ANCHOR.root
          ? "The container's root may not write there: the files belong to ids that are not mapped."
          : "The container's root may not write to the directory of --upper: give one that belongs to an id of the container.",
    };
  }
  if (errno === "EOVERFLOW") {
    return { code: "ID_NOT_GRANTED", hint: "The id that sets up the container is not mapped in its user namespace." };
  }
  return { code: "LAUNCH_FAILED" };
}

function explainRlimit(resource: number, errno: string): Explanation {
  const flag = (RLIMIT_NAMES[resource] ?? "").slice("RLIMIT_".length).toLowerCase();
  if (errno !== "EPERM") return { code: "INVALID_ARGUMENT" };
  return {
    code: "LIMIT_UNSUPPORTED",
    hint: `It exceeds the caller's hard limit: give a lower --ulimit ${flag}, or raise the limit in /etc/security/limits.conf or the service's unit file.`,
  };
}

function explainOomScore(value: string, errno: string): Explanation {
  return {
    code: "LIMIT_UNSUPPORTED",
    message: `Cannot set oom_score_adj to ${value}: ${errno}`,
    hint: "Lowering it below the caller's own value needs CAP_SYS_RESOURCE on the host: give a higher --oom-score-adj.",
  };
}

function explainSeccomp(errno: string): Explanation {
  if (errno === "EINVAL") {
    return {
      code: "INVALID_PROFILE",
      hint: "The kernel refuses the filter or one of its flags: see pycri seccomp check.",
    };
  }
  if (errno === "EACCES") {
    return { code: "INVALID_PROFILE", hint: "Without no_new_privs the filter needs CAP_SYS_ADMIN when it is loaded." };
  }
  if (errno === "ENOMEM")
    return { code: "INVALID_PROFILE", hint: "The filters on this process exceed 32768 instructions." };
  return { code: "LAUNCH_FAILED" };
}

function explainExecute(name: string, candidates: readonly string[], errno: string, detail: string): Explanation {
  const isPath = name.includes("/");
  if (errno === "ENOENT" || errno === "ENOTDIR") {
    return {
      code: "COMMAND_NOT_FOUND",
      message: isPath
        ? `Cannot find the command "${name}" in the container`
        : `Cannot find the command "${name}" in the container's PATH`,
      hint: isPath
        ? "If the file is there, its interpreter or dynamic loader (first line, or readelf -l) is missing."
        : `Looked in ${candidates.map((path) => path.slice(0, path.lastIndexOf("/")) || ".").join(", ")}.`,
    };
  }
  const path = detail === "" ? name : detail;
  const message = `Cannot execute "${path}": ${errno}`;
  if (errno === "ENOEXEC") {
    return {
      code: "COMMAND_NOT_EXECUTABLE",
      message,
      hint: "It is neither a script that starts with #! nor a program for this machine's architecture.",
    };
  }
  if (errno === "EACCES") {
    return {
      code: "COMMAND_NOT_EXECUTABLE",
      message,
      hint: "It is a directory, lacks the execute permission for the container's user, or lies on a noexec mount.",
    };
  }
  if (errno === "E2BIG") {
    return { code: "COMMAND_NOT_EXECUTABLE", message, hint: "Arguments and environment are too long (ARG_MAX)." };
  }
  return { code: "COMMAND_NOT_EXECUTABLE", message };
}
