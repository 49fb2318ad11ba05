/*
 * The container's pseudo-terminal: opened in the container half, copied to and from the caller's terminal by the monitor.
 *
 * The container half is a session of its own and its terminal is the container's: a command that pushes input with
 * TIOCSTI reaches itself only (CVE-2017-5226).
 */
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cleanup.h"
#include "failure.h"
#include "mounts.h"

#define PTMX "/dev/pts/ptmx"
#define CONSOLE "/dev/console"

int open_terminal(const struct op_open_terminal *op, int socket)
{
	struct statfs file_system;
	struct message message = { .kind = MESSAGE_TERMINAL };
	int unlocked = 0;

	OWNED_FD master = open(PTMX, O_RDWR | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
	if (master < 0)
		return fail(PTMX);
	if (fstatfs(master, &file_system) < 0)
		return fail(PTMX);
	if (file_system.f_type != DEVPTS_SUPER_MAGIC)
		return fail_with(ENOTTY, PTMX);
	/* TIOCGPTPEER opens the slave of this very master, whatever a path to it may lead to. */
	OWNED_FD slave = -1;
	if (ioctl(master, TIOCSPTLCK, &unlocked) < 0 ||
	    (slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0)
		return fail(PTMX);
	struct winsize size = { .ws_row = (unsigned short)op->rows, .ws_col = (unsigned short)op->columns };
	if (ioctl(slave, TIOCSWINSZ, &size) < 0 || fchown(slave, op->uid, (gid_t)-1) < 0 ||
	    ioctl(slave, TIOCSCTTY, 0) < 0)
		return fail(PTMX);
	if (op->console && bind_descriptor(slave, CONSOLE) < 0)
		return -1;
	int pair[] = { master, slave };
	if (channel_send(socket, &message, pair, 2) < 0)
		return fail(PTMX);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (dup2(slave, fd) < 0)
			return fail(PTMX);
	}
	return 0;
}

static bool is_empty(const struct flow *flow)
{
	return flow->begin == flow->end;
}

/*
 * The caller's stdout, to be written without waiting. O_NONBLOCK would belong to the description, which the caller's
 * shell has as well; so a terminal or pipe is opened anew. A socket, or another user's terminal, cannot be: its writes
 * are as large as poll(2) promises not to wait for.
 */
static int open_output(void)
{
	struct stat status;

	if (fstat(STDOUT_FILENO, &status) < 0)
		return -1;
	if (S_ISCHR(status.st_mode) || S_ISFIFO(status.st_mode)) {
		int fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (fd >= 0)
			return fd;
	}
	return STDOUT_FILENO;
}

void terminal_begin(struct terminal *terminal, struct shared *shared, int master, int slave, bool output_only)
{
	struct termios attributes;

	terminal->master = master;
	terminal->slave = slave;
	terminal->output = open_output();
	terminal->input_open = !output_only;
	terminal->interactive = false;
	terminal->draining = false;
	terminal->drained = false;
	terminal->last_input = '\n';
	terminal->shared = shared;
	terminal->inward.begin = terminal->inward.end = 0;
	terminal->outward.begin = terminal->outward.end = 0;
	fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK);
	if (!output_only && tcgetattr(STDIN_FILENO, &attributes) == 0) {
		shared->terminal = attributes;
		terminal_set_raw(terminal);
	}
	terminal_resize(terminal);
}

void terminal_set_raw(struct terminal *terminal)
{
	if (!terminal->input_open)
		return;
	struct termios raw = terminal->shared->terminal;
	cfmakeraw(&raw);
	/* Before the change, so that the janitor undoes it whenever the monitor is killed. */
	terminal->shared->terminal_saved = true;
	terminal->interactive = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

void terminal_restore(struct terminal *terminal)
{
	if (!terminal->interactive)
		return;
	tcsetattr(STDIN_FILENO, TCSANOW, &terminal->shared->terminal);
	terminal->interactive = false;
	terminal->shared->terminal_saved = false;
}

void terminal_resize(const struct terminal *terminal)
{
	struct winsize size;

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (ioctl(fd, TIOCGWINSZ, &size) == 0) {
			ioctl(terminal->master, TIOCSWINSZ, &size);
			return;
		}
	}
}

bool terminal_is_idle(const struct terminal *terminal)
{
	return is_empty(&terminal->outward);
}

enum { INPUT, MASTER_OUT, MASTER_IN, OUTPUT };

static struct pollfd wait_for(int fd, short events, bool wanted)
{
	return (struct pollfd){ .fd = wanted ? fd : -1, .events = events };
}

void terminal_poll(const struct terminal *terminal, struct pollfd polled[TERMINAL_POLLED])
{
	const struct terminal *t = terminal;

	polled[INPUT] = wait_for(STDIN_FILENO, POLLIN, t->input_open && !t->draining && is_empty(&t->inward));
	polled[MASTER_OUT] = wait_for(t->master, POLLOUT, !t->draining && !is_empty(&t->inward));
	polled[MASTER_IN] = wait_for(t->master, POLLIN, !t->drained && is_empty(&t->outward));
	polled[OUTPUT] = wait_for(t->output, POLLOUT, !is_empty(&t->outward));
}

/* Reads into an empty flow. 1 for something, 0 for the end, -1 for nothing yet. */
static int fill(struct flow *flow, int fd)
{
	ssize_t length = read(fd, flow->bytes, sizeof(flow->bytes));

	if (length < 0)
		return errno == EAGAIN || errno == EINTR ? -1 : 0;
	flow->begin = 0;
	flow->end = (size_t)length;
	return length > 0;
}

/* Writes what fits. False when the other side is gone; then the rest is dropped. */
static bool drain(struct flow *flow, int fd)
{
	ssize_t length = write(fd, flow->bytes + flow->begin, flow->end - flow->begin);

	if (length >= 0) {
		flow->begin += (size_t)length;
		return true;
	}
	if (errno == EAGAIN || errno == EINTR)
		return true;
	flow->begin = flow->end = 0;
	return false;
}

/*
 * The caller's input has ended: type the container's end-of-file character, twice after an unfinished line, which takes
 * the first one for its end.
 */
static void type_end_of_file(struct terminal *terminal)
{
	struct termios attributes;
	struct flow *inward = &terminal->inward;

	terminal->input_open = false;
	inward->begin = inward->end = 0;
	if (tcgetattr(terminal->master, &attributes) < 0 || (attributes.c_lflag & ICANON) == 0)
		return;
	for (int count = terminal->last_input == '\n' ? 1 : 2; count > 0; count--)
		inward->bytes[inward->end++] = (char)attributes.c_cc[VEOF];
}

static void read_input(struct terminal *terminal)
{
	switch (fill(&terminal->inward, STDIN_FILENO)) {
	case 1:
		terminal->last_input = terminal->inward.bytes[terminal->inward.end - 1];
		break;
	case 0:
		type_end_of_file(terminal);
		break;
	default:
		break;
	}
}

void terminal_copy(struct terminal *terminal, const struct pollfd polled[TERMINAL_POLLED])
{
	if (polled[INPUT].revents != 0)
		read_input(terminal);
	if (polled[MASTER_OUT].revents != 0)
		drain(&terminal->inward, terminal->master);
	if (polled[OUTPUT].revents != 0 && !drain(&terminal->outward, terminal->output))
		terminal->output = -1;
	if (!is_empty(&terminal->outward) || terminal->drained)
		return;
	/* After the container's end a read that finds nothing has seen all: n_tty_read flushes what is on its way first. */
	if (polled[MASTER_IN].revents != 0 || terminal->draining) {
		int got = fill(&terminal->outward, terminal->master);
		if (got == 0 || (got < 0 && terminal->draining))
			terminal->drained = true;
	}
	if (terminal->output < 0)
		terminal->outward.begin = terminal->outward.end = 0;
}
