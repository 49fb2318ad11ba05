/*
 * Runs one command and prints what it and its descendants took: wall-clock and processor time in microseconds, and the
 * peak of their memory in KiB.
 *
 *   meter UID GID time|memory -- COMMAND…
 *
 * `memory` adds up the proportional set sizes (proc_pid_smaps_rollup(5)) of all descendants every ten milliseconds, which
 * takes a processor's time of its own: its times are worth nothing, and with `time` the memory is 0. Standard input and
 * output of the command are /dev/null. A command that fails ends the measurement.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_PROCESSES 32768

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static pid_t start(uid_t uid, gid_t gid, char **argv)
{
	pid_t pid = fork();
	if (pid < 0)
		fail("fork");
	if (pid > 0)
		return pid;
	if (getuid() == 0 && (setgroups(0, NULL) < 0 || setgid(gid) < 0 || setuid(uid) < 0))
		fail("setuid");
	int null = open("/dev/null", O_RDWR);
	dup2(null, 0);
	dup2(null, 1);
	execvp(argv[0], argv);
	fail(argv[0]);
	return -1;
}

/* Field 4 of /proc/PID/stat; -1 when the process is gone. */
static int parent_of(int pid)
{
	char path[64], text[512];
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	int fd = open(path, O_RDONLY);
	if (fd < 0)
		return -1;
	ssize_t length = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (length <= 0)
		return -1;
	text[length] = '\0';
	const char *end = strrchr(text, ')');
	int parent;
	char state;
	return end != NULL && sscanf(end + 1, " %c %d", &state, &parent) == 2 ? parent : -1;
}

static long proportional_set_size(int pid)
{
	char path[64], line[256];
	long size = 0;
	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	FILE *file = fopen(path, "r");
	if (file == NULL)
		return 0;
	while (fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "Pss: %ld", &size) == 1)
			break;
	fclose(file);
	return size;
}

static long memory_of_descendants(void)
{
	static int pids[MAX_PROCESSES], parents[MAX_PROCESSES];
	static char in_family[MAX_PROCESSES];
	int count = 0;
	DIR *proc = opendir("/proc");
	if (proc == NULL)
		fail("/proc");
	for (struct dirent *entry; (entry = readdir(proc)) != NULL && count < MAX_PROCESSES;) {
		int pid = atoi(entry->d_name);
		if (pid <= 0)
			continue;
		pids[count] = pid;
		parents[count] = parent_of(pid);
		in_family[count] = 0;
		count++;
	}
	closedir(proc);
	long sum = 0;
	for (int grown = 1; grown;) {
		grown = 0;
		for (int i = 0; i < count; i++) {
			int inside = parents[i] == getpid();
			for (int j = 0; j < count && !inside; j++)
				inside = in_family[j] && pids[j] == parents[i];
			if (!inside || in_family[i])
				continue;
			in_family[i] = grown = 1;
			sum += proportional_set_size(pids[i]);
		}
	}
	return sum;
}

int main(int argc, char **argv)
{
	if (argc < 6 || strcmp(argv[4], "--") != 0) {
		fprintf(stderr, "usage: meter UID GID time|memory -- COMMAND...\n");
		return 2;
	}
	int watches = strcmp(argv[3], "memory") == 0;
	/* Processes that a command leaves behind stay its descendants while it runs. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	double begin = now();
	pid_t pid = start((uid_t)atoi(argv[1]), (gid_t)atoi(argv[2]), argv + 5);
	long peak = 0;
	int status;
	if (watches) {
		struct pollfd ended = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
		while (poll(&ended, 1, 10) == 0) {
			long memory = memory_of_descendants();
			if (memory > peak)
				peak = memory;
		}
	}
	if (waitpid(pid, &status, 0) < 0)
		fail("waitpid");
	double wall = now() - begin;
	/* Those that ended with it. */
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	struct rusage usage;
	getrusage(RUSAGE_CHILDREN, &usage);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		fprintf(stderr, "meter: %s ended with wait status %#x\n", argv[5], status);
		return 1;
	}
	double cpu = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
	printf("%.0f %.0f %ld\n", wall, cpu, peak);
	return 0;
}
