/* Properties of the process that becomes the command. Every function returns 0, or -1 with the failure recorded. */
#ifndef PYCRI_PROCESS_H
#define PYCRI_PROCESS_H

#include "generated/operations.h"

int redirect_null(uint32_t descriptor);
int set_rlimit(const struct op_set_rlimit *op);
int set_oom_score_adj(int32_t value);
int set_personality(uint64_t value);
int set_io_priority(uint32_t value);
int set_scheduler(const struct op_set_scheduler *op);
int set_affinity(const struct u32s *cpus);
int join_session_keyring(const char *name);
int change_directory(const struct op_change_directory *op);
int close_descriptors(uint32_t first);

/* Replaces this process with the command; returns only on failure. */
int execute(const struct op_execute *op);

#endif
