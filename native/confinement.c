/* Seccomp, Landlock and AppArmor. */
#include "confinement.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "failure.h"
#include "namespaces.h"
#include "syscalls.h"
#include "text.h"

/* The rights that a rule may name for something that is no directory; with others the kernel refuses it (EINVAL). */
#define LANDLOCK_FILE_RIGHTS                                                                                           \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |                   \
	 LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_IOCTL_DEV)

static int ruleset = -1;

int set_no_new_privileges(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? fail("") : 0;
}

int apparmor_on_exec(const char *label)
{
	TEXT(command, 512);

	append(&command, "exec ");
	append(&command, label);
	if (command.truncated)
		return fail_with(ENAMETOOLONG, label);
	if (write_proc("/proc/thread-self/attr", "apparmor/exec", command.buffer) == 0)
		return 0;
	/* Before Linux 5.8 the file of the first security module stood in its place. */
	return failure.error == ENOENT ? write_proc("/proc/thread-self/attr", "exec", command.buffer) : -1;
}

int landlock_begin(uint64_t handled)
{
	struct landlock_ruleset_attr attributes = { .handled_access_fs = handled };

	ruleset = sys_landlock_create_ruleset(&attributes, sizeof(attributes.handled_access_fs), 0);
	return ruleset < 0 ? fail("") : 0;
}

int landlock_allow(const struct op_landlock_allow *op)
{
	struct stat status;

	OWNED_FD fd = open(op->path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : fail(op->path);
	if (fstat(fd, &status) < 0)
		return fail(op->path);
	struct landlock_path_beneath_attr rule = { .parent_fd = fd, .allowed_access = op->access };
	if (!S_ISDIR(status.st_mode))
		rule.allowed_access &= LANDLOCK_FILE_RIGHTS;
	/* A rule that allows nothing is refused (ENOMSG), and says nothing. */
	if (rule.allowed_access == 0)
		return 0;
	/* EBADFD: a pipe or socket, which Landlock leaves alone. */
	if (sys_landlock_add_rule(ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0 && errno != EBADFD)
		return fail(op->path);
	return 0;
}

int landlock_enforce(void)
{
	if (sys_landlock_restrict_self(ruleset, 0) < 0)
		return fail("");
	close(ruleset);
	ruleset = -1;
	return 0;
}

int load_seccomp(uint32_t flags, const struct bytes *program)
{
	struct sock_fprog filter = {
		.len = (unsigned short)(program->length / sizeof(struct sock_filter)),
		.filter = (struct sock_filter *)(uintptr_t)program->data,
	};

	return sys_seccomp(SECCOMP_SET_MODE_FILTER, flags, &filter) < 0 ? fail("") : 0;
}
