/* Namespaces the container half enters or fills. */
#include "namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cleanup.h"
#include "failure.h"
#include "root_paths.h"
#include "syscalls.h"
#include "text.h"

int unshare_namespaces(const struct op_unshare *op)
{
	return unshare((int)op->flags) < 0 ? fail("") : 0;
}

int join_namespace(const struct op_join_namespace *op)
{
	OWNED_FD fd = open(op->path, O_RDONLY | O_CLOEXEC);

	return fd < 0 || setns(fd, (int)op->type) < 0 ? fail(op->path) : 0;
}

static int write_beneath(int directory, const char *path, const char *contents)
{
	struct statfs file_system;
	struct open_how how = { .flags = O_WRONLY | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };

	OWNED_FD fd = sys_openat2(directory, path, &how);
	if (fd < 0 || fstatfs(fd, &file_system) < 0)
		return fail(path);
	if (file_system.f_type != PROC_SUPER_MAGIC)
		return fail_with(ENXIO, path);
	return write(fd, contents, strlen(contents)) < 0 ? fail(path) : 0;
}

int write_proc(const char *base, const char *path, const char *contents)
{
	OWNED_FD directory = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return directory < 0 ? fail(base) : write_beneath(directory, path, contents);
}

int set_time_offset(const struct op_set_time_offset *op)
{
	TEXT(line, 64);

	append_number(&line, op->clock);
	append(&line, " ");
	append_number(&line, op->seconds);
	append(&line, " ");
	append_number(&line, op->nanoseconds);
	append(&line, "\n");
	return write_proc("/proc/self", "timens_offsets", line.buffer);
}

int enter_time_namespace(void)
{
	const char *path = "/proc/self/ns/time_for_children";

	OWNED_FD fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 || setns(fd, CLONE_NEWTIME) < 0 ? fail(path) : 0;
}

int set_hostname(const char *name)
{
	return sethostname(name, strlen(name)) < 0 ? fail(name) : 0;
}

int set_domainname(const char *name)
{
	return setdomainname(name, strlen(name)) < 0 ? fail(name) : 0;
}

int raise_loopback(void)
{
	struct ifreq request = { .ifr_name = "lo" };

	OWNED_FD fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		return fail("lo");
	request.ifr_flags |= IFF_UP;
	return ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? fail("lo") : 0;
}

int set_sysctl(const struct op_set_sysctl *op)
{
	OWNED_FD directory = open_path(ANCHOR_ROOT, "/proc/sys");

	return directory < 0 ? fail("/proc/sys") : write_beneath(directory, op->key, op->value);
}
