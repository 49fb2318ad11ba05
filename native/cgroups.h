/* Cgroups that the monitor or the janitor empties, reads and removes. Every function returns 0, or -1 with the failure recorded. */
#ifndef PYCRI_CGROUPS_H
#define PYCRI_CGROUPS_H

#include <stdint.h>

#include "generated/operations.h"

int kill_cgroup(const struct op_kill_cgroup *op);
int remove_cgroup(const struct op_remove_cgroup *op);

/* Gives in `value` what the counter says, 0 when file or key are missing; a record and a message if it is not 0. */
int report_counter(const struct op_report_counter *op, uint64_t *value);

#endif
