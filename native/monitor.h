/* The monitor: the helper's half in the caller's namespaces. See channel.h for its dealings with the other halves. */
#ifndef PYCRI_MONITOR_H
#define PYCRI_MONITOR_H

#include <stdint.h>
#include <sys/types.h>

#include "channel.h"
#include "descriptors.h"
#include "plan.h"

struct monitor {
	const struct plan *plan;
	struct descriptors descriptors;
	struct shared *shared;
	pid_t container; /* 0 before clone and once reaped */
	int container_pidfd;
	int socket;	     /* to the container half; -1 after its execve(2) */
	pid_t janitor;	     /* 0 when there is none */
	int janitor_socket;
	int terminal_master; /* -1 when there is none */
	int terminal_slave;
	int slots[SLOT_LIMIT]; /* parked mounts, -1 when empty */
};

/*
 * Runs a checked plan: the monitor's list, and the clean-up list at the end. Returns the exit status, the command's own or
 * 128 + n for signal n; or LAUNCH_FAILED after an event has said why.
 */
#define LAUNCH_FAILED (-1)

int monitor_run(const struct plan *plan, const struct descriptors *descriptors);

#endif
