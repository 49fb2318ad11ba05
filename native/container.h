/* The container half: becomes the container and then the command. */
#ifndef PYCRI_CONTAINER_H
#define PYCRI_CONTAINER_H

#include "channel.h"
#include "plan.h"

/* Waits for GO on `socket`, runs the container's list and does not return. */
void container_main(const struct plan *plan, struct shared *shared, int socket) __attribute__((noreturn));

#endif
