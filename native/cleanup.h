/* Variables that release what they hold when their scope ends (gcc's cleanup attribute), on every path out of it. */
#ifndef PYCRI_CLEANUP_H
#define PYCRI_CLEANUP_H

#include <errno.h>
#include <unistd.h>

static inline void close_owned_fd(const int *fd)
{
	if (*fd < 0)
		return;
	int saved = errno;
	close(*fd);
	errno = saved;
}

/* A descriptor that is closed at the end of the scope, unless it is taken. */
#define OWNED_FD __attribute__((cleanup(close_owned_fd))) int

/* Passes the descriptor on: its variable no longer closes it. */
static inline int take_fd(int *fd)
{
	int taken = *fd;
	*fd = -1;
	return taken;
}

#endif
