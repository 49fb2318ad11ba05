/* Our own PID 1 (--init). */
#ifndef PYCRI_INIT_H
#define PYCRI_INIT_H

#include "channel.h"
#include "plan.h"

/*
 * Forks. In the child, which becomes the command, returns 0; in the parent does not return. -1 with the failure recorded.
 */
int fork_init(const struct op_fork_init *op, const struct plan *plan, struct shared *shared);

#endif
