/*
 * Times whole processes from spawn to exit, without an interpreter between the clock and the kernel.
 *
 *   timer latency ROUNDS -- COMMAND… [-- COMMAND…]…    runs the commands in turn, ROUNDS times; prints one line per
 *                                                      run: index of the command, microseconds
 *   timer throughput RUNS PARALLEL -- COMMAND…         keeps PARALLEL runs going; prints the microseconds all took
 *
 * Standard input and output of the commands are /dev/null. A command that fails ends the measurement. The command
 * `plan:FILE HELPER` is the native helper with the encoded plan of FILE.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static posix_spawn_file_actions_t actions;

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

/* Turns `plan:FILE HELPER` into the helper's own arguments: a sealed memory file with the plan, and no events file. */
static void prepare(char **argv)
{
	static char numbers[64][16];
	static int used;
	char buffer[65536];

	if (strncmp(argv[0], "plan:", 5) != 0)
		return;
	FILE *file = fopen(argv[0] + 5, "r");
	int fd = memfd_create("plan", MFD_ALLOW_SEALING);
	if (file == NULL || fd < 0)
		fail(argv[0]);
	size_t length = fread(buffer, 1, sizeof(buffer), file);
	fclose(file);
	if (length == sizeof(buffer) || write(fd, buffer, length) != (ssize_t)length ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		fail(argv[0]);
	snprintf(numbers[used], sizeof(numbers[used]), "%d", fd);
	argv[0] = argv[1];
	argv[1] = numbers[used++];
	argv[2] = "-1";
}

static pid_t start(char **argv)
{
	pid_t pid;
	int error = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	if (error != 0) {
		fprintf(stderr, "timer: %s: %s\n", argv[0], strerror(error));
		exit(1);
	}
	return pid;
}

static void await(pid_t pid, const char *name)
{
	int status;
	if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		fprintf(stderr, "timer: %s ended with wait status %#x\n", name, status);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);

	char **commands[64];
	int count = 0;
	for (int i = 1; i < argc && count < 64; i++) {
		if (strcmp(argv[i], "--") != 0)
			continue;
		argv[i] = NULL;
		commands[count++] = argv + i + 1;
	}
	if (count == 0 || argc < 4)
		return 2;
	for (int i = 0; i < count; i++)
		prepare(commands[i]);
	int runs = atoi(argv[2]);

	if (strcmp(argv[1], "latency") == 0) {
		for (int round = 0; round < runs; round++)
			for (int c = 0; c < count; c++) {
				double begin = now();
				await(start(commands[c]), commands[c][0]);
				printf("%d %.0f\n", c, now() - begin);
			}
		return 0;
	}
	int parallel = atoi(argv[3]), started = 0;
	double begin = now();
	while (started < parallel && started < runs) {
		start(commands[0]);
		started++;
	}
	for (int ended = 0; ended < runs; ended++) {
		await(-1, commands[0][0]);
		if (started < runs) {
			start(commands[0]);
			started++;
		}
	}
	printf("%.0f\n", now() - begin);
	return 0;
}
