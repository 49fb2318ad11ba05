/* Waiting for the container's end: signals, the terminal, the exit status. */
#ifndef PYCRI_SUPERVISE_H
#define PYCRI_SUPERVISE_H

#include "monitor.h"

/* Returns the exit status, after the container has ended and its end has been recorded. */
int supervise(struct monitor *monitor, const struct op_supervise *op);

#endif
