/* Waiting for the container's end: signals, the terminal, the exit status. */
#include "supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clean_up.h"
#include "cleanup.h"
#include "events.h"
#include "failure.h"
#include "host_files.h"
#include "janitor.h"
#include "syscalls.h"
#include "terminal.h"
#include "text.h"

struct supervision {
	struct monitor *monitor;
	uint32_t flags;
	uint32_t stop_timeout_ms;
	int64_t kill_at; /* milliseconds of CLOCK_MONOTONIC; 0 for never */
	int killed_for;	 /* signal whose default action we performed with SIGKILL; 0 for none */
	bool ended;
	bool interrupted; /* by a terminating signal, after the container's end */
	siginfo_t end;
	struct terminal *terminal; /* NULL for none */
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void signal_container(const struct supervision *supervision, int signal)
{
	sys_pidfd_send_signal(supervision->monitor->container_pidfd, signal, NULL);
}

static bool terminates_by_default(int signal)
{
	switch (signal) {
	case SIGCHLD:
	case SIGCONT:
	case SIGURG:
	case SIGWINCH:
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
		return false;
	default:
		return true;
	}
}

/* The mask that a line of /proc/<pid>/status gives in hexadecimal. */
static uint64_t status_mask(const char *status, const char *name)
{
	const char *line = strstr(status, name);

	return line == NULL ? 0 : strtoull(line + strlen(name), NULL, 16);
}

/* Whether the container's first process leaves this signal to the kernel: neither handled, ignored nor blocked. */
static bool has_default_disposition(const struct supervision *supervision, int signal)
{
	char status[4096];
	TEXT(path, 64);

	append(&path, "/proc/");
	append_number(&path, supervision->monitor->container);
	append(&path, "/status");
	OWNED_FD fd = open(path.buffer, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, status, sizeof(status) - 1);
	if (length < 0)
		return false;
	status[length] = '\0';
	uint64_t disposed = status_mask(status, "\nSigBlk:\t") | status_mask(status, "\nSigIgn:\t") |
			    status_mask(status, "\nSigCgt:\t");
	return (disposed >> (signal - 1) & 1) == 0;
}

/*
 * Ctrl-Z in the caller's shell: the container stops with us. SIGSTOP, since PID 1 of a PID namespace ignores the default
 * action of SIGTSTP. The SIGCONT that ends our stop is read from the signalfd and forwarded.
 */
static void suspend(const struct supervision *supervision)
{
	signal_container(supervision, SIGSTOP);
	if (supervision->terminal != NULL)
		terminal_restore(supervision->terminal);
	kill(getpid(), SIGSTOP);
	if (supervision->terminal != NULL) {
		terminal_set_raw(supervision->terminal);
		terminal_resize(supervision->terminal);
	}
}

static void end_container(const struct supervision *supervision)
{
	signal_container(supervision, SIGKILL);
	/* What the freezer of cgroup v1 holds dies only when it thaws. */
	kill_cgroups(supervision->monitor->plan, supervision->monitor->shared);
}

static void kill_container(struct supervision *supervision, int signal)
{
	supervision->killed_for = signal;
	end_container(supervision);
}

static void handle_signal(struct supervision *supervision, int signal)
{
	if (signal == SIGWINCH && supervision->terminal != NULL) {
		terminal_resize(supervision->terminal);
		return;
	}
	if (signal == SIGTSTP) {
		if ((supervision->flags & SUPERVISE_NEVER_STOPS) != 0)
			signal_container(supervision, SIGSTOP);
		else
			suspend(supervision);
		return;
	}
	if (signal == SIGCHLD)
		replace_janitor(supervision->monitor);
	/* Meant for us alone: a child's end, a reader's, an attempt to use the terminal from the background. */
	if (signal == SIGCHLD || signal == SIGPIPE || signal == SIGURG || signal == SIGTTIN || signal == SIGTTOU)
		return;
	if (supervision->ended) {
		supervision->interrupted |= terminates_by_default(signal);
		return;
	}
	if (signal != SIGCONT && (supervision->flags & SUPERVISE_FORWARD_SIGNALS) == 0) {
		if (terminates_by_default(signal))
			kill_container(supervision, signal);
		return;
	}
	if ((supervision->flags & SUPERVISE_DEFAULT_ACTION_KILLS) != 0 && terminates_by_default(signal) &&
	    has_default_disposition(supervision, signal)) {
		kill_container(supervision, signal);
		return;
	}
	signal_container(supervision, signal);
	if (signal == SIGTERM && supervision->stop_timeout_ms > 0 && supervision->kill_at == 0)
		supervision->kill_at = now_ms() + supervision->stop_timeout_ms;
}

static void read_signals(struct supervision *supervision, int fd)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		handle_signal(supervision, (int)info.ssi_signo);
}

static int poll_timeout(const struct supervision *supervision)
{
	if (supervision->ended)
		return terminal_is_idle(supervision->terminal) ? 0 : -1;
	if (supervision->kill_at == 0)
		return -1;
	int64_t left = supervision->kill_at - now_ms();
	return left > 0 ? (int)left : 0;
}

static bool is_finished(const struct supervision *supervision)
{
	if (!supervision->ended)
		return false;
	return supervision->terminal == NULL || supervision->terminal->drained || supervision->interrupted;
}

static void wait_for_end(struct supervision *supervision, int signals)
{
	enum { PIDFD, SIGNALS, TERMINAL, POLLED = TERMINAL + TERMINAL_POLLED };
	struct pollfd polled[POLLED] = {
		[PIDFD] = { .fd = supervision->monitor->container_pidfd, .events = POLLIN },
		[SIGNALS] = { .fd = signals, .events = POLLIN },
	};
	const nfds_t count = supervision->terminal == NULL ? TERMINAL : POLLED;

	while (!is_finished(supervision)) {
		if (supervision->terminal != NULL)
			terminal_poll(supervision->terminal, polled + TERMINAL);
		if (poll(polled, count, poll_timeout(supervision)) < 0)
			continue;
		if (polled[SIGNALS].revents != 0)
			read_signals(supervision, signals);
		if (supervision->kill_at != 0 && now_ms() >= supervision->kill_at) {
			supervision->kill_at = 0;
			end_container(supervision);
		}
		if (polled[PIDFD].revents != 0) {
			waitid(P_PIDFD, (id_t)supervision->monitor->container_pidfd, &supervision->end, WEXITED);
			supervision->ended = true;
			polled[PIDFD].fd = -1;
			if (supervision->terminal != NULL)
				supervision->terminal->draining = true;
		}
		if (supervision->terminal != NULL)
			terminal_copy(supervision->terminal, polled + TERMINAL);
	}
}

static int record_end(const struct supervision *supervision, const char *exit_file)
{
	int events = supervision->monitor->descriptors.events;
	int code = -1;
	int signal = -1;
	TEXT(contents, 32);

	if (supervision->end.si_code == CLD_EXITED)
		code = supervision->end.si_status;
	else
		signal = supervision->end.si_status;
	if (signal == SIGKILL && supervision->killed_for != 0)
		signal = supervision->killed_for;
	append(&contents, code >= 0 ? "exited " : "signaled ");
	append_number(&contents, code >= 0 ? code : signal);
	append(&contents, "\n");
	if (*exit_file != '\0' && replace_host_file(exit_file, 0644, contents.buffer, contents.length) < 0)
		event_failure(events, EVENT_CLEANUP_FAILED, SECTION_MONITOR,
			      (int32_t)supervision->monitor->shared->monitor_index, &failure);
	event_exited(events, code, signal);
	return code >= 0 ? code : 128 + signal;
}

int supervise(struct monitor *monitor, const struct op_supervise *op)
{
	struct terminal terminal;
	sigset_t all;
	struct supervision supervision = {
		.monitor = monitor,
		.flags = op->flags,
		.stop_timeout_ms = op->stop_timeout_ms,
	};

	sigfillset(&all);
	OWNED_FD signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if ((op->flags & SUPERVISE_TERMINAL) != 0 && monitor->terminal_master >= 0) {
		supervision.terminal = &terminal;
		terminal_begin(&terminal, monitor->shared, monitor->terminal_master, monitor->terminal_slave,
			       (op->flags & SUPERVISE_TERMINAL_OUTPUT_ONLY) != 0);
	}
	wait_for_end(&supervision, signals);
	if (supervision.terminal != NULL)
		terminal_restore(supervision.terminal);
	monitor->container = 0;
	return record_end(&supervision, op->exit_file);
}
