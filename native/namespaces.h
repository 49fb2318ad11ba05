/* Namespaces the container half enters or fills. Every function returns 0, or -1 with the failure recorded. */
#ifndef PYCRI_NAMESPACES_H
#define PYCRI_NAMESPACES_H

#include "generated/operations.h"

int unshare_namespaces(const struct op_unshare *op);
int join_namespace(const struct op_join_namespace *op);
int set_time_offset(const struct op_set_time_offset *op);
int enter_time_namespace(void);
int set_hostname(const char *name);
int set_domainname(const char *name);
int raise_loopback(void);
int set_sysctl(const struct op_set_sysctl *op);

/*
 * Writes `contents` in one write(2) to `path`, relative to the directory `base`, after checking that it is a file of
 * procfs: in a root filesystem of unknown make /proc may be anything (CVE-2019-16884).
 */
int write_proc(const char *base, const char *path, const char *contents);

#endif
