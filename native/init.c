/*
 * Our own PID 1 (--init): forwards every signal to the command, reaps whatever the kernel gives it, and ends with the
 * command and its status. It holds no descriptor, no part of the plan and no capability but CAP_KILL, and runs under a
 * seccomp filter of its own.
 */
#include "init.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "confinement.h"
#include "credentials.h"
#include "failure.h"
#include "syscalls.h"

/* Reaps all that have ended; ends when the command is among them. */
static void reap(pid_t command)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == command)
			_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	}
}

static void run_init(pid_t command)
{
	siginfo_t info;
	sigset_t all;

	sigfillset(&all);
	for (;;) {
		int signal = sigwaitinfo(&all, &info);
		if (signal == SIGCHLD)
			reap(command);
		else if (signal > 0)
			kill(command, signal);
	}
}

static int confine_init(const struct op_fork_init *op)
{
	/* Before it runs under its own filter init must need nothing that the filter may refuse. */
	if (sys_close_range(0, ~0U, 0) < 0)
		return fail("");
	if (set_ambient(0) < 0 || restrict_capabilities(1ULL << CAP_KILL) < 0 || set_no_new_privileges() < 0)
		return -1;
	return op->program.length == 0 ? 0 : load_seccomp(op->seccomp_flags, &op->program);
}

int fork_init(const struct op_fork_init *op, const struct plan *plan, struct shared *shared)
{
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return fail("");
	pid_t pid = fork();
	if (pid < 0)
		return fail("");
	if (pid == 0) {
		/*
		 * The terminal's signals go to the command and its process group, not to init, which would forward them
		 * a second time. Fails without a controlling terminal, rightly so.
		 */
		setpgid(0, 0);
		tcsetpgrp(STDIN_FILENO, getpid());
		return 0;
	}
	prctl(PR_SET_NAME, "pycri-init");
	if (confine_init(op) < 0) {
		shared->container_failure = failure;
		shared->init_failed = true;
		/* The exit of PID 1 ends the command; without a PID namespace nothing else would. */
		kill(pid, SIGKILL);
		_exit(125);
	}
	munmap((void *)(uintptr_t)plan->bytes, plan->length);
	munmap(shared, sizeof(*shared));
	run_init(pid);
	_exit(125);
}
