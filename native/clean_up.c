/*
 * The clean-up list of a plan.
 *
 * A file or directory that the monitor's list was to create, and did not, is not ours: it may be another container's. So
 * the list skips a path whose creation failed or was never tried. An operation that was under way when the monitor was
 * killed counts as done. What is to stay once the command ran is skipped then.
 */
#include "clean_up.h"

#include <errno.h>
#include <string.h>

#include "cgroups.h"
#include "events.h"
#include "host_files.h"

/* The path that an operation makes this container's own, or NULL. */
static const char *own_path(const struct operation *operation)
{
	switch (operation->code) {
	case OP_MAKE_HOST_DIRECTORY:
		return operation->make_host_directory.may_exist ? NULL : operation->make_host_directory.path;
	case OP_WRITE_HOST_FILE:
		return operation->write_host_file.replace ? NULL : operation->write_host_file.path;
	case OP_MAKE_HOST_SYMLINK:
		return operation->make_host_symlink.path;
	case OP_WRITE_CHILD_PID:
		return operation->write_child_pid.style == 0 ? NULL : operation->write_child_pid.path;
	default:
		return NULL;
	}
}

static bool is_beneath(const char *path, const char *parent)
{
	size_t length = strlen(parent);

	return strncmp(path, parent, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

static bool is_ours(const struct plan *plan, const struct shared *shared, const char *path)
{
	struct operation operation;
	uint32_t done = shared->monitor_index + (shared->monitor_failed ? 0 : 1);

	struct plan_cursor cursor = plan_begin(plan, SECTION_MONITOR);
	while (plan_next(&cursor, &operation)) {
		const char *created = own_path(&operation);
		if (cursor.index > done && created != NULL && is_beneath(path, created))
			return false;
	}
	return true;
}

/* Whether a path that this container made is to go. */
static bool must_go(const struct plan *plan, const struct shared *shared, const char *path, bool unless_started)
{
	return !(unless_started && shared->started) && is_ours(plan, shared, path);
}

static int run_operation(const struct plan *plan, const struct shared *shared, const struct operation *operation)
{
	switch (operation->code) {
	case OP_REMOVE_HOST_FILE: {
		const struct op_remove_host_file *op = &operation->remove_host_file;

		return must_go(plan, shared, op->path, op->unless_started) ? remove_host_file(op->path) : 0;
	}
	case OP_REMOVE_HOST_TREE: {
		const struct op_remove_host_tree *op = &operation->remove_host_tree;

		return must_go(plan, shared, op->path, op->unless_started) ? remove_host_tree(op->path) : 0;
	}
	case OP_REMOVE_CGROUP:
		return is_ours(plan, shared, operation->remove_cgroup.path) ? remove_cgroup(&operation->remove_cgroup)
									    : 0;
	case OP_KILL_CGROUP:
		return is_ours(plan, shared, operation->kill_cgroup.path) ? kill_cgroup(&operation->kill_cgroup) : 0;
	case OP_WRITE_KERNEL_FILE:
		return write_kernel_file(operation->write_kernel_file.path, operation->write_kernel_file.contents);
	case OP_WRITE_HOST_FILE:
		return write_host_file(&operation->write_host_file);
	default:
		return fail_with(ENOSYS, "");
	}
}

void kill_cgroups(const struct plan *plan, const struct shared *shared)
{
	struct operation operation;

	struct plan_cursor cursor = plan_begin(plan, SECTION_CLEANUP);
	while (plan_next(&cursor, &operation)) {
		/* The list runs it again, and reports its failure. */
		if (operation.code == OP_KILL_CGROUP)
			run_operation(plan, shared, &operation);
	}
}

void clean_up(const struct plan *plan, const struct shared *shared, int events)
{
	struct operation operation;

	struct plan_cursor cursor = plan_begin(plan, SECTION_CLEANUP);
	while (plan_next(&cursor, &operation)) {
		if (run_operation(plan, shared, &operation) < 0)
			event_failure(events, EVENT_CLEANUP_FAILED, SECTION_CLEANUP, (int32_t)cursor.index - 1,
				      &failure);
	}
}
