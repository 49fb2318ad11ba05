/* The janitor: outlives a monitor that was killed, ends the container and cleans up. */
#ifndef PYCRI_JANITOR_H
#define PYCRI_JANITOR_H

#include "monitor.h"

/* Forks the janitor. 0, or -1 with the failure recorded. */
int spawn_janitor(struct monitor *monitor);

/* Gives the janitor the container's pidfd, once there are both. 0, or -1 with the failure recorded. */
int entrust_container(const struct monitor *monitor);

/* While the container runs: puts another in the place of a janitor that was killed. Without one the container goes on. */
void replace_janitor(struct monitor *monitor);

/* Ends the janitor and waits for it, since its end releases the locks it shares. */
void dismiss_janitor(struct monitor *monitor);

#endif
