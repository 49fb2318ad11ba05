/* Properties of the process that becomes the command. */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <linux/ioprio.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "failure.h"
#include "namespaces.h"
#include "plan.h"
#include "root_paths.h"
#include "syscalls.h"
#include "text.h"

/* The kernel's NR_CPUS is 8192 at most. */
#define CPU_LIMIT 8192

int redirect_null(uint32_t descriptor)
{
	OWNED_FD null = open("/dev/null", O_RDWR | O_CLOEXEC);

	return null < 0 || dup2(null, (int)descriptor) < 0 ? fail("/dev/null") : 0;
}

int set_rlimit(const struct op_set_rlimit *op)
{
	struct rlimit64 limit = { .rlim_cur = op->soft, .rlim_max = op->hard };

	return prlimit64(0, (enum __rlimit_resource)op->resource, &limit, NULL) < 0 ? fail("") : 0;
}

int set_oom_score_adj(int32_t value)
{
	TEXT(text, 16);

	append_number(&text, value);
	return write_proc("/proc/self", "oom_score_adj", text.buffer);
}

int set_personality(uint64_t value)
{
	return personality(value) < 0 ? fail("") : 0;
}

int set_io_priority(uint32_t value)
{
	return sys_ioprio_set(IOPRIO_WHO_PROCESS, 0, (int)value) < 0 ? fail("") : 0;
}

int set_scheduler(const struct op_set_scheduler *op)
{
	struct scheduling_attributes attributes = {
		.size = 48, /* without the utilization bounds: SCHED_ATTR_SIZE_VER0 */
		.policy = op->policy,
		.flags = op->flags,
		.nice = op->nice,
		.priority = op->priority,
		.runtime = op->runtime,
		.deadline = op->deadline,
		.period = op->period,
	};

	return sys_sched_setattr(0, &attributes, 0) < 0 ? fail("") : 0;
}

int set_affinity(const struct u32s *cpus)
{
	unsigned long mask[CPU_LIMIT / (CHAR_BIT * sizeof(unsigned long))] = { 0 };
	const unsigned int word = CHAR_BIT * sizeof(unsigned long);

	for (uint32_t index = 0; index < cpus->count; index++) {
		if (cpus->values[index] >= CPU_LIMIT)
			return fail_with(EINVAL, "");
		mask[cpus->values[index] / word] |= 1UL << cpus->values[index] % word;
	}
	return sched_setaffinity(0, sizeof(mask), (const cpu_set_t *)(const void *)mask) < 0 ? fail("") : 0;
}

int join_session_keyring(const char *name)
{
	return sys_keyctl(KEYCTL_JOIN_SESSION_KEYRING, *name == '\0' ? NULL : name) < 0 && errno != ENOSYS
		       ? fail(name)
		       : 0;
}

int change_directory(const struct op_change_directory *op)
{
	char current[PATH_MAX];

	if (op->create_mode != 0) {
		OWNED_FD fd = open_or_create(ANCHOR_ROOT, op->path, true, op->create_mode);
		if (fd < 0)
			return fail(op->path);
	}
	if (chdir(op->path) < 0 || sys_getcwd(current, sizeof(current)) < 0)
		return fail(op->path);
	/* A descriptor of the host that has leaked in would lead to "(unreachable)/…" (CVE-2024-21626). */
	return current[0] == '/' ? 0 : fail_with(ENOENT, op->path);
}

int close_descriptors(uint32_t first)
{
	return sys_close_range(first, ~0U, CLOSE_RANGE_CLOEXEC) < 0 ? fail("") : 0;
}

int execute(const struct op_execute *op)
{
	int error = ENOENT;
	sigset_t none;

	const char **arguments = strings_vector(&op->arguments, 0);
	const char **environment = strings_vector(&op->environment, 0);
	if (arguments == NULL || environment == NULL)
		return fail("");
	/* The dispositions are the defaults already: the monitor has reset its own before the clone. */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	const char *candidate = op->candidates.first;
	const char *tried = candidate;
	for (uint32_t index = 0; index < op->candidates.count; index++) {
		execve(candidate, (char *const *)(uintptr_t)arguments, (char *const *)(uintptr_t)environment);
		if (errno != ENOENT && errno != ENOTDIR) {
			/* EACCES of one directory of PATH does not keep execvp(3) from the next either. */
			if (errno != EACCES)
				return fail(candidate);
			if (error != EACCES)
				tried = candidate;
			error = EACCES;
		}
		candidate = string_after(candidate);
	}
	return fail_with(error, tried);
}
