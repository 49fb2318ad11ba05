/*
 * The janitor: a process in a session of its own that waits for the monitor's death. Then it kills the container, waits
 * for its end, restores the caller's terminal and runs the clean-up list. It holds the monitor's locks until then.
 */
#include "janitor.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "clean_up.h"
#include "events.h"
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

/* The container's pidfd if the monitor has come so far as to send it, or -1. */
static int receive_container(int socket)
{
	struct message message;
	int fds[MESSAGE_FDS_MAX];

	return channel_receive(socket, &message, fds) > 0 ? fds[0] : -1;
}

static void run_janitor(const struct monitor *monitor, int monitor_pidfd, int socket)
{
	const struct descriptors *descriptors = &monitor->descriptors;
	int kept[3 + HELD_LIMIT];
	const struct shared *shared = monitor->shared;
	unsigned int count = 0;

	/* Before anything else: a signal to the caller's process group or terminal shall not end the janitor. */
	setsid();
	prctl(PR_SET_NAME, "pycri-janitor");
	release_stdio();
	kept[count++] = monitor_pidfd;
	kept[count++] = socket;
	kept[count++] = descriptors->events;
	for (unsigned int index = 0; index < descriptors->held_count; index++)
		kept[count++] = descriptors->held[index];
	close_all_but(kept, count);

	await(monitor_pidfd);
	/* After the monitor's death everything it sent lies in the socket. */
	int container_pidfd = receive_container(socket);
	if (container_pidfd >= 0) {
		sys_pidfd_send_signal(container_pidfd, SIGKILL, NULL);
		/* Before we wait: what the freezer of cgroup v1 holds does not even die. */
		kill_cgroups(monitor->plan, shared);
		/* After the container's end its mounts are gone, and its files can be removed. */
		await(container_pidfd);
	}
	if (shared->terminal_saved)
		tcsetattr(STDIN_FILENO, TCSANOW, &shared->terminal);
	clean_up(monitor->plan, shared, descriptors->events);
	_exit(0);
}

int spawn_janitor(struct monitor *monitor)
{
	int sockets[2];

	/* Before fork(2), so that the janitor cannot miss the monitor's death. */
	OWNED_FD monitor_pidfd = sys_pidfd_open(getpid());
	if (monitor_pidfd < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sockets) < 0)
		return fail("");
	OWNED_FD ours = sockets[0];
	OWNED_FD theirs = sockets[1];
	pid_t pid = fork();
	if (pid < 0)
		return fail("");
	if (pid == 0)
		run_janitor(monitor, monitor_pidfd, theirs);
	monitor->janitor = pid;
	monitor->janitor_socket = take_fd(&ours);
	return 0;
}

int entrust_container(const struct monitor *monitor)
{
	struct message message = { .kind = MESSAGE_CONTAINER };

	if (monitor->janitor == 0 || monitor->container == 0)
		return 0;
	return channel_send(monitor->janitor_socket, &message, &monitor->container_pidfd, 1) < 0 ? fail("") : 0;
}

void replace_janitor(struct monitor *monitor)
{
	if (monitor->janitor == 0 || waitpid(monitor->janitor, NULL, WNOHANG) != monitor->janitor)
		return;
	monitor->janitor = 0;
	close_owned_fd(&monitor->janitor_socket);
	if (spawn_janitor(monitor) < 0 || entrust_container(monitor) < 0)
		event_failure(monitor->descriptors.events, EVENT_CLEANUP_FAILED, SECTION_MONITOR,
			      (int32_t)monitor->shared->monitor_index, &failure);
}

void dismiss_janitor(struct monitor *monitor)
{
	if (monitor->janitor == 0)
		return;
	kill(monitor->janitor, SIGKILL);
	waitpid(monitor->janitor, NULL, 0);
	monitor->janitor = 0;
}
