/* Host programs that the monitor runs and waits for: newuidmap(1) and newgidmap(1), and those the container half asks for. */
#ifndef PYCRI_PROGRAMS_H
#define PYCRI_PROGRAMS_H

#include <sys/types.h>

#include "channel.h"
#include "generated/operations.h"

/* Returns 0, or -1 with EPERM and the tools' stderr recorded. */
int run_id_map_tools(const struct op_run_id_map_tools *op, pid_t container);

/*
 * Runs the program of `op` as `request` asks, in the namespaces and directory that its descriptors name. Returns 0, or -1
 * with EIO and the program's stderr recorded, or with the failure of starting it. `error`: a word of the shared page.
 */
int run_requested_program(const struct op_request_program *op, const struct message *request,
			  const int fds[MESSAGE_PROGRAM_FDS], _Atomic int32_t *error);

#endif
