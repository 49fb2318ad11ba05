/* Host programs that the monitor runs and waits for. */
#include "programs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "failure.h"
#include "plan.h"
#include "syscalls.h"
#include "text.h"

/* The end of what programs wrote to stderr. */
struct tail {
	size_t length;
	char bytes[DETAIL_LIMIT];
};

static void tail_add(struct tail *tail, const char *bytes, size_t length)
{
	const size_t room = sizeof(tail->bytes) - 1;

	if (length >= room) {
		bytes += length - room;
		length = room;
		tail->length = 0;
	} else if (tail->length + length > room) {
		size_t dropped = tail->length + length - room;
		tail->length -= dropped;
		memmove(tail->bytes, tail->bytes + dropped, tail->length);
	}
	memcpy(tail->bytes + tail->length, bytes, length);
	tail->length += length;
}

/* The text without the newlines at its end. */
static const char *tail_text(struct tail *tail)
{
	while (tail->length > 0 && tail->bytes[tail->length - 1] == '\n')
		tail->length--;
	tail->bytes[tail->length] = '\0';
	return tail->bytes;
}

/*
 * Waits for the child `pid`, which has the write end of `output` as its stderr. Not for the end of file there: a program
 * that stays in the background (fuse-overlayfs) keeps it open. Returns the wait status, or -1 and errno.
 */
static int await_program(pid_t pid, int output, struct tail *tail)
{
	char bytes[512];
	int status;

	OWNED_FD pidfd = sys_pidfd_open(pid);
	if (pidfd < 0)
		return -1;
	struct pollfd polled[] = { { .fd = output, .events = POLLIN }, { .fd = pidfd, .events = POLLIN } };
	while (polled[1].revents == 0) {
		if (poll(polled, 2, -1) < 0)
			return -1;
		if (polled[0].revents == 0)
			continue;
		ssize_t length = read(output, bytes, sizeof(bytes));
		if (length > 0)
			tail_add(tail, bytes, (size_t)length);
		else
			polled[0].fd = -1;
	}
	/* After the program's end everything it wrote lies in the pipe; O_NONBLOCK ends the loop. */
	for (ssize_t length; (length = read(output, bytes, sizeof(bytes))) > 0;)
		tail_add(tail, bytes, (size_t)length);
	return waitpid(pid, &status, 0) < 0 ? -1 : status;
}

/* In a child: the signal mask and descriptors that a program expects, then execve(2). Returns on failure. */
static void execute_program(const char *path, const char *const arguments[], int output)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(output, STDERR_FILENO) >= 0)
		execv(path, (char *const *)(uintptr_t)arguments);
}

/* `tool <pid> ranges…` as a child. Its PID, 0 for an empty tool, or -1 with the failure recorded. */
static pid_t start_id_map_tool(const char *tool, const struct strings *ranges, const char *container, int output)
{
	if (*tool == '\0')
		return 0;
	const char **arguments = strings_vector(ranges, 2);
	if (arguments == NULL)
		return fail(tool);
	memmove(arguments + 2, arguments, ranges->count * sizeof(*arguments));
	arguments[0] = tool;
	arguments[1] = container;
	/* The child shares our memory until execve(2), so that its errno is ours to read. */
	volatile int error = 0;
	pid_t pid = vfork();
	if (pid == 0) {
		execute_program(tool, arguments, output);
		error = errno;
		_exit(127);
	}
	if (pid > 0 && error != 0) {
		waitpid(pid, NULL, 0);
		return fail_with(error, tool);
	}
	return pid < 0 ? fail(tool) : pid;
}

int run_id_map_tools(const struct op_run_id_map_tools *op, pid_t container)
{
	struct tail tail = { 0 };
	int output[2];
	TEXT(pid, 16);

	append_number(&pid, container);
	if (pipe2(output, O_CLOEXEC | O_NONBLOCK) < 0)
		return fail("");
	OWNED_FD reader = output[0];
	OWNED_FD writer = output[1];
	pid_t tools[2];
	tools[0] = start_id_map_tool(op->uid_tool, &op->uid_ranges, pid.buffer, writer);
	if (tools[0] < 0)
		return -1;
	tools[1] = start_id_map_tool(op->gid_tool, &op->gid_ranges, pid.buffer, writer);
	bool started = tools[1] >= 0;
	bool succeeded = true;
	for (int index = 0; index < 2; index++) {
		if (tools[index] > 0 && await_program(tools[index], reader, &tail) != 0)
			succeeded = false;
	}
	if (!started)
		return -1;
	return succeeded ? 0 : fail_with(EPERM, tail_text(&tail));
}

/* A namespace that the container shares with the caller: one cannot join one's own (EINVAL, or EPERM from another
 * user namespace). */
static bool is_own_namespace(int fd, const char *path)
{
	struct stat theirs, own;

	return fstat(fd, &theirs) == 0 && stat(path, &own) == 0 && theirs.st_dev == own.st_dev &&
	       theirs.st_ino == own.st_ino;
}

static int enter_container(const struct message *request, const int fds[MESSAGE_PROGRAM_FDS])
{
	static const struct {
		int type;
		const char *own;
	} namespaces[] = {
		{ CLONE_NEWUSER, "/proc/self/ns/user" },
		{ CLONE_NEWNS, "/proc/self/ns/mnt" },
		{ CLONE_NEWPID, "/proc/self/ns/pid" },
	};

	for (size_t index = 0; index < sizeof(namespaces) / sizeof(namespaces[0]); index++) {
		if (fds[index] < 0 || is_own_namespace(fds[index], namespaces[index].own))
			continue;
		if (setns(fds[index], namespaces[index].type) < 0)
			return -1;
	}
	/* After setns(2), which gives every capability of the user namespace; before execve(2) takes the rest of them. */
	if (setresgid(request->gid, request->gid, request->gid) < 0 ||
	    setresuid(request->uid, request->uid, request->uid) < 0)
		return -1;
	return fchdir(fds[3]);
}

/*
 * The process between monitor and program. It joins the namespaces, then starts the program as its child: only children
 * are born into a PID namespace that was joined. There the program ends with the container, even one that went into the
 * background. Does not return.
 */
static void relay_program(const struct op_request_program *op, const struct message *request,
			  const int fds[MESSAGE_PROGRAM_FDS], const char *const arguments[], int output,
			  pid_t monitor, _Atomic int32_t *error)
{
	int status;

	if (enter_container(request, fds) < 0) {
		*error = errno;
		_exit(127);
	}
	/* After the last credential change, which clears it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != monitor)
		_exit(127);
	pid_t pid = vfork();
	if (pid == 0) {
		execute_program(op->path, arguments, output);
		*error = errno;
		_exit(127);
	}
	if (pid < 0) {
		*error = errno;
		_exit(127);
	}
	if (waitpid(pid, &status, 0) < 0)
		_exit(127);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

int run_requested_program(const struct op_request_program *op, const struct message *request,
			  const int fds[MESSAGE_PROGRAM_FDS], _Atomic int32_t *error)
{
	struct tail tail = { 0 };
	int output[2];

	const char **arguments = strings_vector(&op->arguments, 0);
	if (arguments == NULL || pipe2(output, O_CLOEXEC | O_NONBLOCK) < 0)
		return fail(op->path);
	OWNED_FD reader = output[0];
	OWNED_FD writer = output[1];
	pid_t monitor = getpid();
	*error = 0;
	pid_t relay = fork();
	if (relay == 0)
		relay_program(op, request, fds, arguments, writer, monitor, error);
	if (relay < 0)
		return fail(op->path);
	int status = await_program(relay, reader, &tail);
	if (*error != 0)
		return fail_with(*error, op->path);
	return status == 0 ? 0 : fail_with(EIO, tail_text(&tail));
}
