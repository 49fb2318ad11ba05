/* Paths beneath an anchor: resolving them, and making what is missing. */
#include "root_paths.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "generated/operations.h"
#include "syscalls.h"
#include "text.h"

/* openat2(2) gives EAGAIN when a rename or mount elsewhere might have changed what ".." means. */
#define RESOLVE_ATTEMPTS 64

/* As the kernel's MAXSYMLINKS. */
#define LINK_LIMIT 40

struct anchors anchors = { .stage = -1, .root = -1 };

static int resolve(unsigned int anchor, const char *path, uint64_t flags)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | (anchor == ANCHOR_STAGE ? RESOLVE_NO_SYMLINKS : 0),
	};
	int base = anchor == ANCHOR_STAGE ? anchors.stage : anchors.root;
	int fd = -1;

	for (int attempt = 0; attempt < RESOLVE_ATTEMPTS; attempt++) {
		fd = sys_openat2(base, path, &how);
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return fd;
}

int open_path(unsigned int anchor, const char *path)
{
	return resolve(anchor, path, O_PATH);
}

static int make_entry(int parent, const char *name, bool directory, mode_t mode)
{
	mode_t umask_before = umask(0);
	int result;

	if (directory) {
		result = mkdirat(parent, name, mode);
	} else {
		OWNED_FD fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
		result = fd < 0 ? -1 : 0;
	}
	umask(umask_before);
	return result;
}

/*
 * Replaces the component at [begin, end) of `path`, a link to something missing, with what the link says. As in the
 * kernel, an absolute target starts again at the root.
 */
static int expand_link(int parent, const char *name, struct text *path, size_t begin, size_t end)
{
	char target[PATH_MAX];
	TEXT(expanded, PATH_MAX);

	ssize_t length = readlinkat(parent, name, target, sizeof(target));
	if (length < 0) {
		/* Not a link: something else has appeared here. */
		errno = EEXIST;
		return -1;
	}
	if (length > 0 && target[0] != '/')
		append_bytes(&expanded, path->buffer, begin);
	append_bytes(&expanded, target, (size_t)length);
	append(&expanded, path->buffer + end);
	if (expanded.truncated) {
		errno = ENAMETOOLONG;
		return -1;
	}
	path->length = 0;
	append_bytes(path, expanded.buffer, expanded.length);
	return 0;
}

/* Makes the first missing component of `path`, or puts a link's target in its place. */
static int make_first_missing(unsigned int anchor, struct text *path, bool directory, mode_t mode)
{
	char *buffer = path->buffer;
	size_t end = 0;

	OWNED_FD parent = resolve(anchor, "/", O_PATH | O_DIRECTORY);
	if (parent < 0)
		return -1;
	for (;;) {
		size_t begin = end + strspn(buffer + end, "/");
		end = begin + strcspn(buffer + begin, "/");
		if (begin == end)
			return 0; /* It has come into being meanwhile. */
		bool last = buffer[end + strspn(buffer + end, "/")] == '\0';
		char separator = buffer[end];
		buffer[end] = '\0';
		int found = resolve(anchor, buffer, O_PATH | (last ? 0 : O_DIRECTORY));
		if (found < 0 && errno == ENOENT) {
			int result = make_entry(parent, buffer + begin, directory || !last, last ? mode : 0755);
			if (result < 0 && errno == EEXIST) {
				TEXT(name, NAME_MAX + 1);
				append(&name, buffer + begin);
				buffer[end] = separator;
				return expand_link(parent, name.buffer, path, begin, end);
			}
			buffer[end] = separator;
			return result;
		}
		buffer[end] = separator;
		if (found < 0)
			return -1;
		close(parent);
		parent = found;
	}
}

int open_or_create(unsigned int anchor, const char *path, bool directory, mode_t mode)
{
	TEXT(pending, PATH_MAX);

	append(&pending, path);
	if (pending.truncated) {
		errno = ENAMETOOLONG;
		return -1;
	}
	/* Each round makes a component or expands a link. */
	for (int round = 0; round < PATH_MAX / 2 + LINK_LIMIT; round++) {
		int fd = open_path(anchor, pending.buffer);
		if (fd >= 0 || errno != ENOENT)
			return fd;
		if (make_first_missing(anchor, &pending, directory, mode) < 0)
			return -1;
	}
	errno = ELOOP;
	return -1;
}

int open_parent(unsigned int anchor, const char *path, const char **name)
{
	TEXT(parent, PATH_MAX);
	const char *slash = strrchr(path, '/');

	*name = slash == NULL ? path : slash + 1;
	append(&parent, "/");
	append_bytes(&parent, path, (size_t)(*name - path));
	if (parent.truncated) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return open_or_create(anchor, parent.buffer, true, 0755);
}
