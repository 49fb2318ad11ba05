/* Files and directories in the caller's view of the host: making, writing, locking. Removal is in removal.c. */
#include "host_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "failure.h"
#include "text.h"

static int write_all(int fd, const void *contents, size_t length)
{
	const char *at = contents;

	while (length > 0) {
		ssize_t written = write(fd, at, length);
		if (written < 0)
			return -1;
		at += written;
		length -= (size_t)written;
	}
	return 0;
}

int make_host_directory(const struct op_make_host_directory *op)
{
	mode_t umask_before = umask(0);
	int result = mkdir(op->path, op->mode);

	umask(umask_before);
	if (result < 0 && !(errno == EEXIST && op->may_exist))
		return fail(op->path);
	return 0;
}

static int create_host_file(const char *path, mode_t mode, const void *contents, size_t length)
{
	OWNED_FD fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	/* fchmod(2), since the caller's umask would take bits from open(2)'s mode. */
	if (fd < 0 || fchmod(fd, mode) < 0 || write_all(fd, contents, length) < 0)
		return fail(path);
	return 0;
}

int replace_host_file(const char *path, mode_t mode, const void *contents, size_t length)
{
	TEXT(temporary, PATH_MAX);

	append(&temporary, path);
	append(&temporary, ".new-");
	append_number(&temporary, getpid());
	if (temporary.truncated)
		return fail_with(ENAMETOOLONG, path);
	if (create_host_file(temporary.buffer, mode, contents, length) < 0) {
		if (failure.error != EEXIST)
			unlink(temporary.buffer);
		return -1;
	}
	if (rename(temporary.buffer, path) < 0) {
		fail(path);
		unlink(temporary.buffer);
		return -1;
	}
	return 0;
}

int write_host_file(const struct op_write_host_file *op)
{
	if (op->replace)
		return replace_host_file(op->path, op->mode, op->contents.data, op->contents.length);
	return create_host_file(op->path, op->mode, op->contents.data, op->contents.length);
}

int make_host_symlink(const struct op_make_host_symlink *op)
{
	return symlink(op->target, op->path) < 0 ? fail(op->path) : 0;
}

int write_kernel_file(const char *path, const char *contents)
{
	OWNED_FD fd = open(path, O_WRONLY | O_CLOEXEC);

	/* One write(2): the kernel takes each as a command of its own. */
	if (fd < 0 || write(fd, contents, strlen(contents)) < 0)
		return fail(path);
	return 0;
}

/* Appends field 22 of /proc/<pid>/stat, counted from the last parenthesis since the name before it may hold anything. */
static int append_start_time(struct text *text, pid_t pid)
{
	char stat[1024];
	TEXT(path, 64);

	append(&path, "/proc/");
	append_number(&path, pid);
	append(&path, "/stat");
	OWNED_FD fd = open(path.buffer, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail(path.buffer);
	ssize_t length = read(fd, stat, sizeof(stat) - 1);
	if (length < 0)
		return fail(path.buffer);
	stat[length] = '\0';
	const char *field = strrchr(stat, ')');
	for (int number = 2; number < 22 && field != NULL; number++) {
		field = strchr(field, ' ');
		if (field != NULL)
			field++;
	}
	if (field == NULL)
		return fail_with(EBADMSG, path.buffer);
	append_bytes(text, field, strcspn(field, " \n"));
	return 0;
}

int write_pid_file(const struct op_write_child_pid *op, pid_t pid)
{
	TEXT(contents, 64);

	append_number(&contents, pid);
	switch (op->style) {
	case 0:
		return write_kernel_file(op->path, contents.buffer);
	case 1:
		return replace_host_file(op->path, 0644, contents.buffer, contents.length);
	case 2:
		append(&contents, " ");
		if (append_start_time(&contents, pid) < 0)
			return -1;
		append(&contents, "\n");
		return replace_host_file(op->path, 0644, contents.buffer, contents.length);
	default:
		return fail_with(EINVAL, op->path);
	}
}

int hold_lock(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return fail(path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		fail(path);
		close(fd);
		return -1;
	}
	return fd;
}
