/*
 * Protection of the helper's own executable. A process of the container that gets hold of /proc/<pid>/exe of a helper
 * process could open it for writing, and would overwrite what the caller runs next (CVE-2019-5736). An executable in a
 * memfd that is sealed against writing has nothing to overwrite.
 */
#include "self_protection.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "syscalls.h"

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static int make_memfd(void)
{
	const unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;

	/* Where vm.memfd_noexec is set only MFD_EXEC makes it executable; kernels before 6.3 do not know the flag. */
	int fd = memfd_create("pycri-helper", flags | MFD_EXEC);
	return fd < 0 && errno == EINVAL ? memfd_create("pycri-helper", flags) : fd;
}

int ensure_sealed_executable(char *const argv[])
{
	struct stat status;

	OWNED_FD executable = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (executable < 0)
		return -1;
	int seals = fcntl(executable, F_GET_SEALS);
	if (seals >= 0 && (seals & SEALS) == SEALS)
		return 0;
	OWNED_FD copy = make_memfd();
	if (copy < 0 || fstat(executable, &status) < 0)
		return -1;
	while (status.st_size > 0) {
		ssize_t sent = sendfile(copy, executable, NULL, (size_t)status.st_size);
		if (sent <= 0)
			return -1;
		status.st_size -= sent;
	}
	if (fcntl(copy, F_ADD_SEALS, SEALS) < 0)
		return -1;
	return sys_execveat(copy, "", argv, environ, AT_EMPTY_PATH);
}
