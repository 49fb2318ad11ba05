/*
 * The janitor: a process in a session of its own that waits for the monitor's death. Then it kills the container, waits
 * for its end, restores the caller's terminal and runs the clean-up list. It holds the monitor's locks until then.
 */
#include "janitor.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "clean_up.h"
#include "failure.h"
#include "syscalls.h"

/* The caller's terminal is kept in its place, descriptor 0; its pipes must not wait for us to see their end. */
static void release_stdio(void)
{
	struct termios attributes;
	bool terminal = tcgetattr(STDIN_FILENO, &attributes) == 0;

	OWNED_FD null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = terminal ? STDOUT_FILENO : STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (null < 0 || dup2(null, fd) < 0)
			close(fd);
	}
}

static void await(int pidfd)
{
	struct pollfd polled = { .fd = pidfd, .events = POLLIN };

	while (poll(&polled, 1, -1) < 0)
		;
}

static void run_janitor(const struct monitor *monitor, int monitor_pidfd)
{
	const struct descriptors *descriptors = &monitor->descriptors;
	int kept[3 + HELD_LIMIT];
	unsigned int count = 0;

	/* Before anything else: a signal to the caller's process group or terminal shall not end the janitor. */
	setsid();
	prctl(PR_SET_NAME, "pycri-janitor");
	release_stdio();
	kept[count++] = monitor_pidfd;
	kept[count++] = monitor->container_pidfd;
	kept[count++] = descriptors->events;
	for (unsigned int index = 0; index < descriptors->held_count; index++)
		kept[count++] = descriptors->held[index];
	close_all_but(kept, count);

	await(monitor_pidfd);
	sys_pidfd_send_signal(monitor->container_pidfd, SIGKILL, NULL);
	/* After the container's end its mounts are gone, and its files can be removed. */
	await(monitor->container_pidfd);
	if (monitor->shared->terminal_saved)
		tcsetattr(STDIN_FILENO, TCSANOW, &monitor->shared->terminal);
	clean_up(monitor->plan, monitor->shared, descriptors->events);
	_exit(0);
}

int spawn_janitor(struct monitor *monitor)
{
	/* Before fork(2), so that the janitor cannot miss the monitor's death. */
	OWNED_FD monitor_pidfd = sys_pidfd_open(getpid());
	if (monitor_pidfd < 0)
		return fail("");
	pid_t pid = fork();
	if (pid < 0)
		return fail("");
	if (pid == 0)
		run_janitor(monitor, monitor_pidfd);
	monitor->janitor = pid;
	return 0;
}

void dismiss_janitor(struct monitor *monitor)
{
	if (monitor->janitor == 0)
		return;
	kill(monitor->janitor, SIGKILL);
	waitpid(monitor->janitor, NULL, 0);
	monitor->janitor = 0;
}
