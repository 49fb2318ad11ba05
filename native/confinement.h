/* Seccomp, Landlock and AppArmor. Every function returns 0, or -1 with the failure recorded. */
#ifndef PYCRI_CONFINEMENT_H
#define PYCRI_CONFINEMENT_H

#include "generated/operations.h"

int set_no_new_privileges(void);
int apparmor_on_exec(const char *label);
int landlock_begin(uint64_t handled);
int landlock_allow(const struct op_landlock_allow *op);
int landlock_enforce(void);

/* `program`: an array of struct sock_filter. */
int load_seccomp(uint32_t flags, const struct bytes *program);

#endif
