/*
 * Files and directories in the caller's view of the host, made and removed by the monitor (and removed by the janitor).
 * Every function returns 0, or -1 with the failure recorded.
 */
#ifndef PYCRI_HOST_FILES_H
#define PYCRI_HOST_FILES_H

#include <sys/types.h>

#include "generated/operations.h"

int make_host_directory(const struct op_make_host_directory *op);
int write_host_file(const struct op_write_host_file *op);
int make_host_symlink(const struct op_make_host_symlink *op);
int write_kernel_file(const char *path, const char *contents);
int write_pid_file(const struct op_write_child_pid *op, pid_t pid);

/* Replaces `path` (mode 0644) with `contents` through a temporary sibling and rename(2). */
int replace_host_file(const char *path, mode_t mode, const void *contents, size_t length);

/* Returns the descriptor: the lock lasts until every copy of it is closed. */
int hold_lock(const char *path);

int remove_host_file(const char *path);
int remove_host_tree(const char *path);

#endif
