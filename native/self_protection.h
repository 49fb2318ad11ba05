/* Protection of the helper's own executable against the container. */
#ifndef PYCRI_SELF_PROTECTION_H
#define PYCRI_SELF_PROTECTION_H

/*
 * Returns 0 when this process runs from a sealed memfd. Otherwise copies its executable into one and starts again from
 * there; returns -1 and errno if that fails.
 */
int ensure_sealed_executable(char *const argv[]);

#endif
