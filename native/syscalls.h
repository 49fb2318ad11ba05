/*
 * Raw system calls, and the constants of newer kernels, so that the helper builds alike with the C libraries and kernel
 * headers of the last years: glibc grew wrappers for the mount calls in 2.36 only, and its <sys/mount.h> collides with
 * <linux/mount.h>. Each function returns what the system call does: -1 and errno on failure.
 */
#ifndef PYCRI_SYSCALLS_H
#define PYCRI_SYSCALLS_H

#include <linux/landlock.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U /* Linux 6.3 */
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14) /* Linux 6.2 */
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15) /* Linux 6.10 */
#endif
#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef MNT_DETACH
#define MNT_DETACH 2
#endif

/* struct sched_attr of <linux/sched/types.h>, which glibc's own <sched.h> forbids to include with it. */
struct scheduling_attributes {
	uint32_t size;
	uint32_t policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime;
	uint64_t deadline;
	uint64_t period;
	uint32_t utilization_minimum;
	uint32_t utilization_maximum;
};

static inline long sys_clone3(struct clone_args *args, size_t size)
{
	return syscall(SYS_clone3, args, size);
}

static inline int sys_close_range(unsigned int first, unsigned int last, unsigned int flags)
{
	return (int)syscall(SYS_close_range, first, last, flags);
}

static inline int sys_openat2(int directory, const char *path, const struct open_how *how)
{
	return (int)syscall(SYS_openat2, directory, path, how, sizeof(*how));
}

static inline int sys_execveat(int fd, const char *path, char *const argv[], char *const envp[], int flags)
{
	return (int)syscall(SYS_execveat, fd, path, argv, envp, flags);
}

static inline int sys_mount(const char *source, const char *target, const char *type, unsigned long flags,
			    const void *data)
{
	return (int)syscall(SYS_mount, source, target, type, flags, data);
}

static inline int sys_umount2(const char *target, int flags)
{
	return (int)syscall(SYS_umount2, target, flags);
}

static inline int sys_pivot_root(const char *new_root, const char *old_root)
{
	return (int)syscall(SYS_pivot_root, new_root, old_root);
}

static inline int sys_open_tree(int directory, const char *path, unsigned int flags)
{
	return (int)syscall(SYS_open_tree, directory, path, flags);
}

static inline int sys_move_mount(int from, const char *from_path, int to, const char *to_path, unsigned int flags)
{
	return (int)syscall(SYS_move_mount, from, from_path, to, to_path, flags);
}

static inline int sys_fsopen(const char *type, unsigned int flags)
{
	return (int)syscall(SYS_fsopen, type, flags);
}

static inline int sys_fsconfig(int fd, unsigned int command, const char *key, const void *value, int extra)
{
	return (int)syscall(SYS_fsconfig, fd, command, key, value, extra);
}

static inline int sys_fsmount(int fd, unsigned int flags, unsigned int attributes)
{
	return (int)syscall(SYS_fsmount, fd, flags, attributes);
}

static inline int sys_mount_setattr(int directory, const char *path, unsigned int flags, struct mount_attr *attributes)
{
	return (int)syscall(SYS_mount_setattr, directory, path, flags, attributes, sizeof(*attributes));
}

static inline int sys_pidfd_open(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

static inline int sys_pidfd_send_signal(int pidfd, int signal, siginfo_t *info)
{
	return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, info, 0);
}

static inline int sys_seccomp(unsigned int operation, unsigned int flags, void *arguments)
{
	return (int)syscall(SYS_seccomp, operation, flags, arguments);
}

static inline int sys_landlock_create_ruleset(const struct landlock_ruleset_attr *attributes, size_t size,
					      uint32_t flags)
{
	return (int)syscall(SYS_landlock_create_ruleset, attributes, size, flags);
}

static inline int sys_landlock_add_rule(int ruleset, int type, const void *attributes, uint32_t flags)
{
	return (int)syscall(SYS_landlock_add_rule, ruleset, type, attributes, flags);
}

static inline int sys_landlock_restrict_self(int ruleset, uint32_t flags)
{
	return (int)syscall(SYS_landlock_restrict_self, ruleset, flags);
}

static inline long sys_keyctl(int operation, const char *name)
{
	return syscall(SYS_keyctl, operation, name, 0, 0, 0);
}

static inline int sys_sched_setattr(pid_t pid, struct scheduling_attributes *attributes, unsigned int flags)
{
	return (int)syscall(SYS_sched_setattr, pid, attributes, flags);
}

static inline int sys_ioprio_set(int which, int who, int value)
{
	return (int)syscall(SYS_ioprio_set, which, who, value);
}

static inline int sys_capget(void *header, void *data)
{
	return (int)syscall(SYS_capget, header, data);
}

static inline int sys_capset(void *header, const void *data)
{
	return (int)syscall(SYS_capset, header, data);
}

/* Unlike getcwd(3), which hides what is outside the root, this returns "(unreachable)…" for it. */
static inline long sys_getcwd(char *buffer, size_t size)
{
	return syscall(SYS_getcwd, buffer, size);
}

#endif
