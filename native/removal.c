/*
 * Removal of what a container leaves on the host. Trees are walked by descriptor (openat(2), O_NOFOLLOW), so that nothing
 * a container has put there leads the removal elsewhere, and no mount is entered.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "failure.h"
#include "host_files.h"
#include "text.h"

/* Directories deeper than this are moved to the top of the tree first: descriptors and stack are finite, trees are not. */
#define DEPTH_LIMIT 64

struct removal {
	int top;
	dev_t device;
	uint32_t moved;
};

int remove_host_file(const char *path)
{
	return unlink(path) < 0 && errno != ENOENT && errno != ENOTDIR ? fail(path) : 0;
}

/* Opens a directory for listing; one without permission for its owner is given some first. */
static int open_directory(int parent, const char *name)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(parent, name, flags);

	if (fd >= 0 || errno != EACCES)
		return fd;
	OWNED_FD path = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (path < 0)
		return -1;
	TEXT(own, 64);
	append(&own, "/proc/self/fd/");
	append_number(&own, path);
	if (chmod(own.buffer, 0700) < 0)
		return -1;
	return openat(parent, name, flags);
}

/* fstat(2), and permission for the owner to remove entries. */
static int examine_directory(int directory, struct stat *status)
{
	if (fstat(directory, status) < 0)
		return -1;
	return (status->st_mode & 0700) == 0700 ? 0 : fchmod(directory, 0700);
}

static int remove_contents(struct removal *removal, int directory, unsigned int depth);

static int remove_subdirectory(struct removal *removal, int parent, const char *name, unsigned int depth)
{
	struct stat status;

	if (unlinkat(parent, name, AT_REMOVEDIR) == 0)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return errno == ENOENT ? 0 : fail(name);
	if (depth == DEPTH_LIMIT) {
		TEXT(moved, 32);
		append(&moved, ".moved-");
		append_number(&moved, removal->moved++);
		return renameat(parent, name, removal->top, moved.buffer) < 0 ? fail(name) : 0;
	}
	OWNED_FD directory = open_directory(parent, name);
	if (directory < 0 || examine_directory(directory, &status) < 0)
		return fail(name);
	if (status.st_dev != removal->device)
		return fail_with(EXDEV, name);
	if (remove_contents(removal, directory, depth + 1) < 0)
		return -1;
	return unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? fail(name) : 0;
}

static int remove_entry(struct removal *removal, int directory, const char *name, unsigned int depth)
{
	if (unlinkat(directory, name, 0) == 0 || errno == ENOENT)
		return 0;
	/* A directory: EISDIR, or EPERM in POSIX's words. */
	if (errno == EISDIR || errno == EPERM)
		return remove_subdirectory(removal, directory, name, depth);
	return fail(name);
}

/*
 * Removes everything in a directory. Entries that appear or move up meanwhile are found by listing again until a listing
 * is empty.
 */
static int remove_contents(struct removal *removal, int directory, unsigned int depth)
{
	_Alignas(struct dirent64) char entries[2048];

	for (;;) {
		bool removed = false;

		if (lseek(directory, 0, SEEK_SET) < 0)
			return fail("");
		for (;;) {
			ssize_t length = getdents64(directory, entries, sizeof(entries));
			if (length < 0)
				return fail("");
			if (length == 0)
				break;
			for (ssize_t at = 0; at < length;) {
				const struct dirent64 *entry = (const struct dirent64 *)(const void *)(entries + at);

				at += entry->d_reclen;
				if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
					continue;
				if (remove_entry(removal, directory, entry->d_name, depth) < 0)
					return -1;
				removed = true;
			}
		}
		if (!removed)
			return 0;
	}
}

int remove_host_tree(const char *path)
{
	struct stat status;

	OWNED_FD top = open_directory(AT_FDCWD, path);
	if (top < 0)
		return errno == ENOENT ? 0 : fail(path);
	if (examine_directory(top, &status) < 0)
		return fail(path);
	struct removal removal = { .top = top, .device = status.st_dev };
	if (remove_contents(&removal, top, 1) < 0)
		return -1;
	return rmdir(path) < 0 && errno != ENOENT ? fail(path) : 0;
}
