/* Users, groups and capabilities of the command. Every function returns 0, or -1 with the failure recorded. */
#ifndef PYCRI_CREDENTIALS_H
#define PYCRI_CREDENTIALS_H

#include "generated/operations.h"

int set_securebits(uint32_t value);
int keep_capabilities(uint32_t value);
int limit_bounding(uint64_t keep);
int set_groups(const struct u32s *gids);
int set_user(const struct op_set_user *op);
int set_capabilities(uint64_t effective, uint64_t permitted, uint64_t inheritable);
int set_ambient(uint64_t mask);

/* Gives up every capability that is not in the mask; what is not held stays so. */
int restrict_capabilities(uint64_t mask);

#endif
