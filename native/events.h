/* Event records to the caller: see LaunchEvent in src/plan/launch-plan.ts, layout in src/plan/encode.ts. */
#ifndef PYCRI_EVENTS_H
#define PYCRI_EVENTS_H

#include <stdint.h>
#include <sys/types.h>

#include "failure.h"

/* Where records go: a memfd, pipe or socket, or -1 for nowhere. A reader that has gone is no failure. */
void event_started(int events, pid_t pid);

/* `code` is the exit code, or -1; `signal` the signal's number, or -1. */
void event_exited(int events, int code, int signal);

/* `index`: of reportCounter in the monitor's list. */
void event_counter(int events, uint32_t index, uint64_t value);

/* `kind`: EVENT_FALLBACK, EVENT_FAILED or EVENT_CLEANUP_FAILED. `section`: SECTION_*. */
void event_failure(int events, uint32_t kind, int section, int32_t index, const struct failure *cause);

#endif
