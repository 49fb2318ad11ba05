/*
 * pycri-helper PLAN_FD EVENTS_FD [HELD_FD…]
 * pycri-helper remove PATH…
 *
 * Runs the launch plan in the sealed memfd PLAN_FD and writes event records to EVENTS_FD (-1 for none). HELD_FDs stay
 * open in monitor and janitor. See src/plan/launch-plan.ts for the plan, channel.h for the processes this becomes.
 *
 * Exit status: the command's own, 128 + n for signal n, 125 when the launch failed.
 *
 * `remove` takes files and trees away as whoever it runs as: a plan executes it as root of a user namespace, for files of
 * subordinate ids, where starting Node would take longer than the removal. What is missing is fine. Exit status 0 or 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "descriptors.h"
#include "events.h"
#include "failure.h"
#include "host_files.h"
#include "monitor.h"
#include "plan.h"
#include "self_protection.h"
#include "syscalls.h"
#include "text.h"

#define EXIT_LAUNCH_FAILED 125
#define EXIT_REMOVAL_FAILED 1

static int complain(const char *what, int error)
{
	TEXT(line, 256);

	append(&line, "pycri-helper: ");
	append(&line, what);
	if (error != 0) {
		append(&line, ": ");
		append(&line, strerrorname_np(error));
	}
	append(&line, "\n");
	ssize_t ignored __attribute__((unused)) = write(STDERR_FILENO, line.buffer, line.length);
	return EXIT_LAUNCH_FAILED;
}

static int parse_arguments(int argc, char **argv, struct descriptors *descriptors)
{
	if (argc < 3 || argc - 3 > HELD_LIMIT)
		return -1;
	descriptors->plan = parse_number(argv[1]);
	bool no_events = strcmp(argv[2], "-1") == 0;
	descriptors->events = no_events ? -1 : parse_number(argv[2]);
	if (descriptors->plan < 3 || (descriptors->events < 3 && !no_events))
		return -1;
	for (int index = 3; index < argc; index++) {
		int fd = parse_number(argv[index]);
		if (fd < 3)
			return -1;
		descriptors->held[descriptors->held_count++] = fd;
	}
	return 0;
}

/* Makes sure that 0, 1 and 2 are open: a descriptor of ours in their place would become the container's. */
static int open_stdio(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
			return -1;
	}
	return 0;
}

/* Closes what the caller has left open and keeps its own descriptors from programs. */
static int own_descriptors(const struct descriptors *descriptors)
{
	int kept[2 + HELD_LIMIT];
	unsigned int count = 0;

	kept[count++] = descriptors->plan;
	kept[count++] = descriptors->events;
	for (unsigned int index = 0; index < descriptors->held_count; index++)
		kept[count++] = descriptors->held[index];
	for (unsigned int index = 0; index < count; index++) {
		if (kept[index] >= 0 && fcntl(kept[index], F_SETFD, FD_CLOEXEC) < 0)
			return -1;
	}
	return close_all_but(kept, count);
}

/*
 * Every signal is the default again, since a disposition to ignore would survive into the command (Node ignores SIGPIPE);
 * and blocked, to be read from a signalfd.
 */
static void take_signals(sigset_t *before)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, before);
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
}

/* Starts the program that tells the user why the launch failed, with the numbers of plan and events as last arguments. */
static void execute_reporter(const struct plan *plan, const struct descriptors *descriptors, const sigset_t *mask)
{
	uint32_t count = plan->reporter.count;
	TEXT(plan_number, 16);
	TEXT(events_number, 16);

	if (count == 0)
		return;
	const char **arguments = strings_vector(&plan->reporter, 2);
	if (arguments == NULL)
		return;
	append_number(&plan_number, descriptors->plan);
	append_number(&events_number, descriptors->events);
	arguments[count] = plan_number.buffer;
	arguments[count + 1] = events_number.buffer;
	fcntl(descriptors->plan, F_SETFD, 0);
	fcntl(descriptors->events, F_SETFD, 0);
	/* The reporter reads from the start. On a pipe or socket this fails, and they have no start. */
	lseek(descriptors->events, 0, SEEK_SET);
	sigprocmask(SIG_SETMASK, mask, NULL);
	execv(arguments[0], (char *const *)(uintptr_t)arguments);
	complain(arguments[0], errno);
}

/* A name in the store may be a file's; unlink(2) of a directory is EISDIR, or EPERM in POSIX's words. */
static int remove_path(const char *path)
{
	if (unlink(path) == 0 || errno == ENOENT)
		return 0;
	return errno == EISDIR || errno == EPERM ? remove_host_tree(path) : fail(path);
}

static int remove_paths(char **paths)
{
	for (; *paths != NULL; paths++) {
		if (remove_path(*paths) < 0) {
			complain(failure.detail, failure.error);
			return EXIT_REMOVAL_FAILED;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct descriptors descriptors = { 0 };
	struct plan plan = { 0 };
	struct plan_fault fault;
	sigset_t mask;

	if (argc > 1 && strcmp(argv[1], "remove") == 0)
		return remove_paths(argv + 2);
	if (parse_arguments(argc, argv, &descriptors) < 0)
		return complain("usage: pycri-helper PLAN_FD EVENTS_FD [HELD_FD...]", 0);
	if (open_stdio() < 0)
		return complain("/dev/null", errno);
	if (ensure_sealed_executable(argv) < 0)
		return complain("cannot protect the executable", errno);
	if (own_descriptors(&descriptors) < 0)
		return complain("a descriptor is not open", errno);
	take_signals(&mask);
	if (plan_map(descriptors.plan, &plan, &fault) < 0 || plan_check(&plan, &fault) < 0) {
		fail_with(fault.error, fault.reason);
		event_failure(descriptors.events, EVENT_FAILED, fault.section, fault.index, &failure);
		if (descriptors.events < 0)
			complain(fault.reason, fault.error);
		execute_reporter(&plan, &descriptors, &mask);
		return EXIT_LAUNCH_FAILED;
	}
	int status = monitor_run(&plan, &descriptors);
	if (status == LAUNCH_FAILED) {
		execute_reporter(&plan, &descriptors, &mask);
		return EXIT_LAUNCH_FAILED;
	}
	return status;
}
