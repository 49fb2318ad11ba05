/* The clean-up list of a plan, run by the monitor at its end or by the janitor in its stead. */
#ifndef PYCRI_CLEAN_UP_H
#define PYCRI_CLEAN_UP_H

#include "channel.h"
#include "plan.h"

/* Runs every operation; each failure is an event. */
void clean_up(const struct plan *plan, const struct shared *shared, int events);

/* Runs the list's killCgroup operations ahead of their turn. */
void kill_cgroups(const struct plan *plan, const struct shared *shared);

#endif
