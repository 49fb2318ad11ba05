/* The container half: becomes the container and then the command. */
#include "container.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "confinement.h"
#include "credentials.h"
#include "failure.h"
#include "init.h"
#include "mounts.h"
#include "namespaces.h"
#include "process.h"
#include "root_paths.h"
#include "syscalls.h"
#include "terminal.h"
#include "text.h"

/* Where the socket to the monitor lies; everything above is closed at the start. */
#define SOCKET 3

struct container {
	const struct plan *plan;
	struct shared *shared;
};

static int warn(const char *message)
{
	TEXT(line, 2048);

	append(&line, "pycri: warning: ");
	append(&line, message);
	append(&line, "\n");
	return write(STDERR_FILENO, line.buffer, line.length) < 0 ? fail("") : 0;
}

static int death_signal(uint32_t signal)
{
	struct pollfd polled = { .fd = SOCKET };

	if (prctl(PR_SET_PDEATHSIG, signal) < 0)
		return fail("");
	/* After the request, so that no death of the monitor falls between. */
	return poll(&polled, 1, 0) > 0 && (polled.revents & POLLHUP) != 0 ? fail_with(ESRCH, "") : 0;
}

static int request_program(const struct container *container, const struct op_request_program *op)
{
	static const char *const namespaces[] = { "/proc/self/ns/user", "/proc/self/ns/mnt", "/proc/self/ns/pid" };
	int fds[MESSAGE_FDS_MAX] = { -1, -1, -1, -1 };
	struct message message = {
		.kind = MESSAGE_PROGRAM,
		.value = container->shared->container_index,
		.uid = geteuid(),
		.gid = getegid(),
	};

	/* Opened here: of a process that is not dumpable others may not open them. */
	for (int index = 0; index < MESSAGE_PROGRAM_FDS - 1; index++)
		fds[index] = open(namespaces[index], O_RDONLY | O_CLOEXEC);
	fds[MESSAGE_PROGRAM_FDS - 1] = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int result = channel_send(SOCKET, &message, fds, MESSAGE_PROGRAM_FDS);
	if (result < 0)
		fail(op->path);
	for (int index = 0; index < MESSAGE_PROGRAM_FDS; index++)
		close_owned_fd(&fds[index]);
	if (result < 0)
		return -1;
	if (channel_receive(SOCKET, &message, fds) <= 0 || message.kind != MESSAGE_OUTCOME)
		return fail_with(EPIPE, op->path);
	return message.failure.error == 0 ? 0 : fail_with(message.failure.error, message.failure.detail);
}

static int run_operation(const struct container *container, const struct operation *operation)
{
	switch (operation->code) {
	case OP_WARN:
		return warn(operation->warn.message);
	case OP_DEATH_SIGNAL:
		return death_signal(operation->death_signal.signal);
	case OP_SET_DUMPABLE:
		return prctl(PR_SET_DUMPABLE, operation->set_dumpable.value) < 0 ? fail("") : 0;
	case OP_REQUEST_PROGRAM:
		return request_program(container, &operation->request_program);
	case OP_UNSHARE:
		return unshare_namespaces(&operation->unshare);
	case OP_JOIN_NAMESPACE:
		return join_namespace(&operation->join_namespace);
	case OP_SET_TIME_OFFSET:
		return set_time_offset(&operation->set_time_offset);
	case OP_ENTER_TIME_NAMESPACE:
		return enter_time_namespace();
	case OP_SET_HOSTNAME:
		return set_hostname(operation->set_hostname.name);
	case OP_SET_DOMAINNAME:
		return set_domainname(operation->set_domainname.name);
	case OP_RAISE_LOOPBACK:
		return raise_loopback();
	case OP_SET_SYSCTL:
		return set_sysctl(&operation->set_sysctl);
	case OP_SET_PROPAGATION:
		return set_propagation(&operation->set_propagation);
	case OP_OPEN_TREE:
		return open_tree(&operation->open_tree);
	case OP_ENTER_STAGE:
		return enter_stage(&operation->enter_stage);
	case OP_PIVOT_STAGE:
		return pivot_stage();
	case OP_MAKE_DIRECTORY:
		return make_directory(&operation->make_directory);
	case OP_MAKE_DIRECTORY_LIKE:
		return make_directory_like(&operation->make_directory_like);
	case OP_MAKE_FILE:
		return make_file(&operation->make_file);
	case OP_MAKE_SYMLINK:
		return make_symlink(&operation->make_symlink);
	case OP_MOUNT:
		return mount_new(&operation->mount);
	case OP_ATTACH:
		return attach(&operation->attach);
	case OP_SET_MOUNT_ATTRIBUTES:
		return set_mount_attributes(&operation->set_mount_attributes);
	case OP_OPEN_ROOT:
		return open_root(operation->open_root.path);
	case OP_MASK_PATH:
		return mask_path(&operation->mask_path);
	case OP_READ_ONLY_PATH:
		return read_only_path(operation->read_only_path.path);
	case OP_PIVOT_ROOT:
		return pivot_root();
	case OP_NEW_SESSION:
		return setsid() < 0 ? fail("") : 0;
	case OP_OPEN_TERMINAL:
		return open_terminal(&operation->open_terminal, SOCKET);
	case OP_REDIRECT_NULL:
		return redirect_null(operation->redirect_null.descriptor);
	case OP_SET_RLIMIT:
		return set_rlimit(&operation->set_rlimit);
	case OP_SET_UMASK:
		umask((mode_t)operation->set_umask.mask);
		return 0;
	case OP_SET_OOM_SCORE_ADJ:
		return set_oom_score_adj(operation->set_oom_score_adj.value);
	case OP_SET_PERSONALITY:
		return set_personality(operation->set_personality.value);
	case OP_SET_IO_PRIORITY:
		return set_io_priority(operation->set_io_priority.value);
	case OP_SET_SCHEDULER:
		return set_scheduler(&operation->set_scheduler);
	case OP_SET_AFFINITY:
		return set_affinity(&operation->set_affinity.cpus);
	case OP_JOIN_SESSION_KEYRING:
		return join_session_keyring(operation->join_session_keyring.name);
	case OP_SET_SECUREBITS:
		return set_securebits(operation->set_securebits.value);
	case OP_KEEP_CAPABILITIES:
		return keep_capabilities(operation->keep_capabilities.value);
	case OP_LIMIT_BOUNDING:
		return limit_bounding(operation->limit_bounding.keep);
	case OP_SET_GROUPS:
		return set_groups(&operation->set_groups.gids);
	case OP_SET_USER:
		return set_user(&operation->set_user);
	case OP_SET_CAPABILITIES:
		return set_capabilities(operation->set_capabilities.effective, operation->set_capabilities.permitted,
					operation->set_capabilities.inheritable);
	case OP_SET_AMBIENT:
		return set_ambient(operation->set_ambient.mask);
	case OP_NO_NEW_PRIVILEGES:
		return set_no_new_privileges();
	case OP_APPARMOR_ON_EXEC:
		return apparmor_on_exec(operation->apparmor_on_exec.label);
	case OP_LANDLOCK_BEGIN:
		return landlock_begin(operation->landlock_begin.handled);
	case OP_LANDLOCK_ALLOW:
		return landlock_allow(&operation->landlock_allow);
	case OP_LANDLOCK_ENFORCE:
		return landlock_enforce();
	case OP_CHANGE_DIRECTORY:
		return change_directory(&operation->change_directory);
	case OP_CLOSE_DESCRIPTORS:
		return close_descriptors(operation->close_descriptors.first);
	case OP_FORK_INIT:
		return fork_init(&operation->fork_init, container->plan, container->shared);
	case OP_LOAD_SECCOMP:
		return load_seccomp(operation->load_seccomp.flags, &operation->load_seccomp.program);
	case OP_EXECUTE:
		/* Before execve(2) closes the socket, which is the monitor's sign to look here. */
		container->shared->phase = PHASE_EXECUTING;
		return execute(&operation->execute);
	default:
		return fail_with(ENOSYS, "");
	}
}

static int run_attempt(const struct container *container, struct plan_cursor *cursor, const struct op_attempt *op);

/* Runs the operations before index `end`. -1: the one at shared->container_index has failed. */
static int run_until(const struct container *container, struct plan_cursor *cursor, uint32_t end)
{
	struct operation operation;

	while (cursor->index < end && plan_next(cursor, &operation)) {
		container->shared->container_index = cursor->index - 1;
		int result = operation.code == OP_ATTEMPT ? run_attempt(container, cursor, &operation.attempt)
							  : run_operation(container, &operation);
		if (result < 0)
			return -1;
	}
	return 0;
}

static void skip_until(struct plan_cursor *cursor, uint32_t end)
{
	struct operation operation;

	while (cursor->index < end && plan_next(cursor, &operation))
		;
}

static int run_attempt(const struct container *container, struct plan_cursor *cursor, const struct op_attempt *op)
{
	uint32_t first_end = cursor->index + op->first;
	uint32_t end = first_end + op->otherwise;

	if (run_until(container, cursor, first_end) == 0) {
		skip_until(cursor, end);
		return 0;
	}
	struct message message = {
		.kind = MESSAGE_FALLBACK,
		.value = container->shared->container_index,
		.failure = failure,
	};
	if (channel_send(SOCKET, &message, NULL, 0) < 0)
		return -1;
	skip_until(cursor, first_end);
	return run_until(container, cursor, end);
}

static void await_go(void)
{
	struct message message;
	int fds[MESSAGE_FDS_MAX];

	for (;;) {
		/* End of file: the monitor is dead or has given up. */
		if (channel_receive(SOCKET, &message, fds) <= 0)
			_exit(125);
		if (message.kind == MESSAGE_GO)
			return;
		if (message.kind == MESSAGE_SLOT && message.value < SLOT_LIMIT)
			put_slot(message.value, fds[0]);
	}
}

void container_main(const struct plan *plan, struct shared *shared, int socket)
{
	struct container container = { .plan = plan, .shared = shared };
	struct plan_cursor cursor = plan_begin(plan, SECTION_CONTAINER);

	/* Before waiting: whichever way the monitor dies, this process follows. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (socket != SOCKET && dup3(socket, SOCKET, O_CLOEXEC) < 0)
		_exit(125);
	sys_close_range(SOCKET + 1, ~0U, 0);
	await_go();
	run_until(&container, &cursor, cursor.count);
	/* Only after a failure: the last operation is execute. */
	shared->container_failure = failure;
	shared->phase = PHASE_FAILED;
	_exit(125);
}
