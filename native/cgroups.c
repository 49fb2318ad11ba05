/* Cgroups that the monitor or the janitor empties, reads and removes. */
#include "cgroups.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "failure.h"
#include "host_files.h"
#include "text.h"

/* The hierarchy below a container's cgroup is as deep as the container likes; no real one comes near this. */
#define DEPTH_LIMIT 64

/* The kernel's PID_MAX_LIMIT: PIDs are below it. */
#define PID_LIMIT (4u << 20)

/* A fork that outruns this many rounds of signals is stopped by nothing but a freezer. */
#define KILL_ROUNDS 1000

/* One bit for each PID that has been signalled; untouched pages of it cost nothing. */
struct signalled {
	uint8_t *bits;
	bool found_new;
};

static void kill_once(struct signalled *signalled, int32_t pid)
{
	uint8_t bit = (uint8_t)(1u << pid % 8);

	if (pid <= 0 || (uint32_t)pid >= PID_LIMIT || (signalled->bits[pid / 8] & bit) != 0)
		return;
	signalled->bits[pid / 8] |= bit;
	signalled->found_new = true;
	kill(pid, SIGKILL);
}

/* Signals every process that cgroup.procs of the directory lists and that has not been signalled yet. */
static void kill_listed(struct signalled *signalled, int directory)
{
	char text[1024];
	int32_t pid = 0;

	OWNED_FD fd = openat(directory, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	for (ssize_t length; (length = read(fd, text, sizeof(text))) > 0;) {
		/* A number may continue in the next piece. */
		for (ssize_t at = 0; at < length; at++) {
			if (text[at] == '\n') {
				kill_once(signalled, pid);
				pid = 0;
			} else if (pid < (int32_t)PID_LIMIT) {
				pid = pid * 10 + (text[at] - '0');
			}
		}
	}
}

static void kill_below(struct signalled *signalled, int directory, unsigned int depth)
{
	_Alignas(struct dirent64) char entries[2048];

	kill_listed(signalled, directory);
	for (ssize_t length; (length = getdents64(directory, entries, sizeof(entries))) > 0;) {
		for (ssize_t at = 0; at < length;) {
			const struct dirent64 *entry = (const struct dirent64 *)(const void *)(entries + at);

			at += entry->d_reclen;
			if (entry->d_type != DT_DIR || entry->d_name[0] == '.' || depth == DEPTH_LIMIT)
				continue;
			OWNED_FD child = openat(directory, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			if (child >= 0)
				kill_below(signalled, child, depth + 1);
		}
	}
}

static int kill_processes(const char *path)
{
	struct signalled signalled;

	signalled.bits = mmap(NULL, PID_LIMIT / 8, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (signalled.bits == MAP_FAILED)
		return fail(path);
	for (int round = 0; round < KILL_ROUNDS; round++) {
		OWNED_FD directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (directory < 0)
			break;
		signalled.found_new = false;
		kill_below(&signalled, directory, 0);
		if (!signalled.found_new)
			break;
	}
	munmap(signalled.bits, PID_LIMIT / 8);
	return 0;
}

static void set_freezer(const char *freezer, const char *state)
{
	TEXT(path, 4096);

	if (*freezer == '\0')
		return;
	append(&path, freezer);
	append(&path, "/freezer.state");
	/* A freezer that is missing or not ours only makes the killing slower. */
	write_kernel_file(path.buffer, state);
}

int kill_cgroup(const struct op_kill_cgroup *op)
{
	TEXT(path, 4096);

	append(&path, op->path);
	append(&path, "/cgroup.kill");
	if (path.truncated)
		return fail_with(ENAMETOOLONG, op->path);
	if (write_kernel_file(path.buffer, "1") == 0)
		return 0;
	if (failure.error != ENOENT)
		return -1;
	if (access(op->path, F_OK) < 0)
		return 0;
	set_freezer(op->freezer, "FROZEN");
	int result = kill_processes(op->path);
	/* After the signals, which a frozen process takes when it thaws. */
	set_freezer(op->freezer, "THAWED");
	return result;
}

/* Removes the cgroups below `parent`/`name` and it itself; true when it is gone. */
static bool remove_cgroup_tree(int parent, const char *name, unsigned int depth)
{
	_Alignas(struct dirent64) char entries[2048];

	if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return true;
	if (errno != EBUSY || depth == DEPTH_LIMIT)
		return false;
	OWNED_FD directory = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (directory < 0)
		return false;
	bool removed = false;
	for (ssize_t length; (length = getdents64(directory, entries, sizeof(entries))) > 0;) {
		for (ssize_t at = 0; at < length;) {
			const struct dirent64 *entry = (const struct dirent64 *)(const void *)(entries + at);

			at += entry->d_reclen;
			if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
				removed |= remove_cgroup_tree(directory, entry->d_name, depth + 1);
		}
	}
	errno = EBUSY;
	return removed && (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT);
}

int remove_cgroup(const struct op_remove_cgroup *op)
{
	uint64_t waited = 0; /* microseconds */
	uint64_t pause = 500;

	while (!remove_cgroup_tree(AT_FDCWD, op->path, 0)) {
		if (errno != EBUSY || waited >= (uint64_t)op->timeout_ms * 1000)
			return fail(op->path);
		struct timespec time = { .tv_nsec = (long)pause * 1000 };
		nanosleep(&time, NULL);
		waited += pause;
		if (pause < 32000)
			pause *= 2;
	}
	return 0;
}

/* The number behind `key` in lines of "<key> <number>", or 0. */
static uint64_t find_counter(const char *text, const char *key)
{
	size_t length = strlen(key);

	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, length) == 0 && line[length] == ' ')
			return strtoull(line + length + 1, NULL, 10);
	}
	return 0;
}

int report_counter(const struct op_report_counter *op, uint64_t *value)
{
	char text[4096];
	TEXT(number, 24);
	TEXT(line, 1024);

	*value = 0;
	OWNED_FD fd = open(op->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ENODEV ? 0 : fail(op->path);
	ssize_t length = read(fd, text, sizeof(text) - 1);
	if (length < 0)
		return fail(op->path);
	text[length] = '\0';
	*value = find_counter(text, op->key);
	if (*value == 0)
		return 0;
	append(&line, "pycri: ");
	append(&line, op->message);
	append(&line, "\n");
	ssize_t ignored __attribute__((unused)) = write(STDERR_FILENO, line.buffer, line.length);
	append_number(&number, (int64_t)*value);
	return *op->record_file == '\0' ? 0 : replace_host_file(op->record_file, 0644, number.buffer, number.length);
}
