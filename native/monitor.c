/* The monitor: runs its list of the plan, starts the container half and answers for its end. */
#include "monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroups.h"
#include "clean_up.h"
#include "cleanup.h"
#include "container.h"
#include "events.h"
#include "failure.h"
#include "host_files.h"
#include "janitor.h"
#include "programs.h"
#include "supervise.h"
#include "syscalls.h"
#include "text.h"

static int end_with_caller(const struct monitor *monitor)
{
	struct pollfd reader = { .fd = monitor->descriptors.events };

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return fail("");
	/* After prctl(2), which says nothing of a caller that has died before; its end of the events has closed. */
	if (poll(&reader, 1, 0) > 0 && (reader.revents & (POLLERR | POLLHUP)) != 0)
		return fail_with(ESRCH, "");
	return 0;
}

static int clone_container(struct monitor *monitor, const struct op_clone *op)
{
	int sockets[2];
	OWNED_FD cgroup = -1;

	if (*op->cgroup != '\0') {
		cgroup = open(op->cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (cgroup < 0)
			return fail(op->cgroup);
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return fail("");
	OWNED_FD ours = sockets[0];
	OWNED_FD theirs = sockets[1];
	struct clone_args args = {
		.flags = op->flags | CLONE_PIDFD | (cgroup < 0 ? 0 : CLONE_INTO_CGROUP),
		.pidfd = (uint64_t)(uintptr_t)&monitor->container_pidfd,
		.exit_signal = SIGCHLD,
		.cgroup = cgroup < 0 ? 0 : (uint64_t)cgroup,
	};
	long pid = sys_clone3(&args, sizeof(args));
	if (pid < 0)
		return fail(op->cgroup);
	if (pid == 0)
		container_main(monitor->plan, monitor->shared, theirs);
	monitor->container = (pid_t)pid;
	monitor->socket = take_fd(&ours);
	return entrust_container(monitor);
}

/* /proc/<container>/`name` */
static void append_container_path(struct text *path, const struct monitor *monitor, const char *name)
{
	append(path, "/proc/");
	append_number(path, monitor->container);
	append(path, "/");
	append(path, name);
}

static int write_child_proc(const struct monitor *monitor, const struct op_write_child_proc *op)
{
	TEXT(path, 64);

	append_container_path(&path, monitor, op->name);
	return path.truncated ? fail_with(ENAMETOOLONG, op->name) : write_kernel_file(path.buffer, op->contents);
}

static int open_tree_idmapped(struct monitor *monitor, const struct op_open_tree_idmapped *op)
{
	unsigned int recursive = op->recursive ? AT_RECURSIVE : 0;
	TEXT(path, 64);

	append_container_path(&path, monitor, "ns/user");
	OWNED_FD user_namespace = open(path.buffer, O_RDONLY | O_CLOEXEC);
	if (user_namespace < 0)
		return fail(path.buffer);
	OWNED_FD tree = sys_open_tree(AT_FDCWD, op->path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive);
	struct mount_attr attributes = {
		.attr_set = MOUNT_ATTR_IDMAP,
		.userns_fd = (uint64_t)user_namespace,
	};
	if (tree < 0 || sys_mount_setattr(tree, "", AT_EMPTY_PATH | recursive, &attributes) < 0)
		return fail(op->path);
	close_owned_fd(&monitor->slots[op->slot]);
	monitor->slots[op->slot] = take_fd(&tree);
	return 0;
}

static int send_slots(struct monitor *monitor)
{
	for (uint32_t slot = 0; slot < SLOT_LIMIT; slot++) {
		int *fd = &monitor->slots[slot];
		struct message message = { .kind = MESSAGE_SLOT, .value = slot };

		if (*fd < 0)
			continue;
		if (channel_send(monitor->socket, &message, fd, 1) < 0)
			return fail("");
		close(*fd);
		*fd = -1;
	}
	return 0;
}

/* Runs the program that the container half asks for, and answers. */
static int serve_program(struct monitor *monitor, const struct message *request, const int fds[MESSAGE_FDS_MAX])
{
	struct message answer = { .kind = MESSAGE_OUTCOME };
	struct operation operation;

	if (!plan_operation(monitor->plan, SECTION_CONTAINER, request->value, &operation) ||
	    operation.code != OP_REQUEST_PROGRAM)
		return fail_with(EPROTO, "");
	if (run_requested_program(&operation.request_program, request, fds, &monitor->shared->program_error) < 0)
		answer.failure = failure;
	/* A container half that has died is found at end of file. */
	channel_send(monitor->socket, &answer, NULL, 0);
	return 0;
}

static int serve(struct monitor *monitor, const struct message *message, int fds[MESSAGE_FDS_MAX])
{
	int result = 0;

	switch (message->kind) {
	case MESSAGE_FALLBACK:
		event_failure(monitor->descriptors.events, EVENT_FALLBACK, SECTION_CONTAINER, (int32_t)message->value,
			      &message->failure);
		break;
	case MESSAGE_PROGRAM:
		result = serve_program(monitor, message, fds);
		break;
	case MESSAGE_TERMINAL:
		monitor->terminal_master = take_fd(&fds[0]);
		monitor->terminal_slave = take_fd(&fds[1]);
		break;
	default:
		result = fail_with(EPROTO, "");
		break;
	}
	for (int index = 0; index < MESSAGE_FDS_MAX; index++)
		close_owned_fd(&fds[index]);
	return result;
}

/* Lets the container half run and waits until its command runs, or it has ended. */
static int release(struct monitor *monitor)
{
	struct message message = { .kind = MESSAGE_GO };
	int fds[MESSAGE_FDS_MAX];
	int received;

	if (send_slots(monitor) < 0)
		return -1;
	if (channel_send(monitor->socket, &message, NULL, 0) < 0 && errno != EPIPE)
		return fail("");
	while ((received = channel_receive(monitor->socket, &message, fds)) > 0) {
		if (serve(monitor, &message, fds) < 0)
			return -1;
	}
	if (received < 0 && errno != ECONNRESET)
		return fail("");
	close(monitor->socket);
	monitor->socket = -1;
	if (monitor->shared->phase != PHASE_EXECUTING || monitor->shared->init_failed)
		return fail_with(ECHILD, "");
	/* Before anybody is told: what stays of a container that ran shall stay from here on. */
	monitor->shared->started = true;
	event_started(monitor->descriptors.events, monitor->container);
	return 0;
}

static int run_operation(struct monitor *monitor, const struct operation *operation)
{
	switch (operation->code) {
	case OP_END_WITH_CALLER:
		return end_with_caller(monitor);
	case OP_CLONE:
		return clone_container(monitor, &operation->clone);
	case OP_SPAWN_JANITOR:
		return spawn_janitor(monitor) < 0 ? -1 : entrust_container(monitor);
	case OP_WRITE_CHILD_PROC:
		return write_child_proc(monitor, &operation->write_child_proc);
	case OP_RUN_ID_MAP_TOOLS:
		return run_id_map_tools(&operation->run_id_map_tools, monitor->container);
	case OP_OPEN_TREE_IDMAPPED:
		return open_tree_idmapped(monitor, &operation->open_tree_idmapped);
	case OP_MAKE_HOST_DIRECTORY:
		return make_host_directory(&operation->make_host_directory);
	case OP_WRITE_HOST_FILE:
		return write_host_file(&operation->write_host_file);
	case OP_MAKE_HOST_SYMLINK:
		return make_host_symlink(&operation->make_host_symlink);
	case OP_WRITE_KERNEL_FILE:
		return write_kernel_file(operation->write_kernel_file.path, operation->write_kernel_file.contents);
	case OP_WRITE_CHILD_PID:
		return write_pid_file(&operation->write_child_pid, monitor->container);
	case OP_HOLD_LOCK: {
		struct descriptors *descriptors = &monitor->descriptors;

		if (descriptors->held_count == HELD_LIMIT)
			return fail_with(EMFILE, operation->hold_lock.path);
		int lock = hold_lock(operation->hold_lock.path);
		if (lock < 0)
			return -1;
		descriptors->held[descriptors->held_count++] = lock;
		return 0;
	}
	case OP_RELEASE:
		return release(monitor);
	case OP_REMOVE_HOST_FILE:
		return remove_host_file(operation->remove_host_file.path);
	case OP_REMOVE_HOST_TREE:
		return remove_host_tree(operation->remove_host_tree.path);
	case OP_REMOVE_CGROUP:
		return remove_cgroup(&operation->remove_cgroup);
	case OP_KILL_CGROUP:
		return kill_cgroup(&operation->kill_cgroup);
	case OP_REPORT_COUNTER: {
		uint64_t value;
		int result = report_counter(&operation->report_counter, &value);

		if (value > 0)
			event_counter(monitor->descriptors.events, monitor->shared->monitor_index, value);
		return result;
	}
	default:
		return fail_with(ENOSYS, "");
	}
}

/* Ends the container half if there is one. Returns its wait status, or -1. */
static int end_container(struct monitor *monitor)
{
	int status;

	if (monitor->container == 0)
		return -1;
	sys_pidfd_send_signal(monitor->container_pidfd, SIGKILL, NULL);
	/* Before we wait: what the freezer of cgroup v1 holds does not even die. */
	kill_cgroups(monitor->plan, monitor->shared);
	pid_t waited = waitpid(monitor->container, &status, 0);
	monitor->container = 0;
	return waited < 0 ? -1 : status;
}

/* Undoes a launch that failed at operation `index` of the monitor's list, and reports it. */
static void abandon(struct monitor *monitor, uint32_t index)
{
	int section = SECTION_MONITOR;
	struct failure cause = failure;
	const struct shared *shared = monitor->shared;

	monitor->shared->monitor_failed = true;
	int status = end_container(monitor);
	if (cause.error == ECHILD && (shared->phase == PHASE_FAILED || shared->init_failed)) {
		section = SECTION_CONTAINER;
		index = shared->container_index;
		cause = shared->container_failure;
	} else if (cause.error == ECHILD && status >= 0 && WIFSIGNALED(status)) {
		struct text detail = { .buffer = cause.detail, .capacity = sizeof(cause.detail) };

		section = SECTION_CONTAINER;
		index = shared->container_index;
		append(&detail, "killed by signal ");
		append_number(&detail, WTERMSIG(status));
	}
	clean_up(monitor->plan, shared, monitor->descriptors.events);
	event_failure(monitor->descriptors.events, EVENT_FAILED, section, (int32_t)index, &cause);
	dismiss_janitor(monitor);
}

int monitor_run(const struct plan *plan, const struct descriptors *descriptors)
{
	struct operation operation;
	struct monitor monitor = {
		.plan = plan,
		.descriptors = *descriptors,
		.container_pidfd = -1,
		.socket = -1,
		.terminal_master = -1,
		.terminal_slave = -1,
	};

	memset(monitor.slots, 0xff, sizeof(monitor.slots));
	prctl(PR_SET_NAME, "pycri-monitor");
	monitor.shared = mmap(NULL, sizeof(*monitor.shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (monitor.shared == MAP_FAILED) {
		fail("");
		event_failure(descriptors->events, EVENT_FAILED, SECTION_MONITOR, 0, &failure);
		return LAUNCH_FAILED;
	}
	struct plan_cursor cursor = plan_begin(plan, SECTION_MONITOR);
	int status = LAUNCH_FAILED;
	while (plan_next(&cursor, &operation)) {
		monitor.shared->monitor_index = cursor.index - 1;
		if (operation.code == OP_SUPERVISE) {
			status = supervise(&monitor, &operation.supervise);
		} else if (run_operation(&monitor, &operation) == 0) {
			continue;
		} else if (status == LAUNCH_FAILED) {
			abandon(&monitor, cursor.index - 1);
			return LAUNCH_FAILED;
		} else {
			/* After the container's end nothing is left to abandon. */
			event_failure(descriptors->events, EVENT_CLEANUP_FAILED, SECTION_MONITOR,
				      (int32_t)cursor.index - 1, &failure);
		}
	}
	clean_up(plan, monitor.shared, descriptors->events);
	dismiss_janitor(&monitor);
	return status;
}
