/*
 * The container's pseudo-terminal: opened in the container half, copied to and from the caller's terminal by the monitor.
 */
#ifndef PYCRI_TERMINAL_H
#define PYCRI_TERMINAL_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <termios.h>

#include "channel.h"
#include "generated/operations.h"

/* Container half. Opens the pair, sends it over `socket`, makes the slave the controlling terminal. */
int open_terminal(const struct op_open_terminal *op, int socket);

/* Bytes on their way in one direction. */
struct flow {
	size_t begin;
	size_t end;
	char bytes[4096];
};

/* Places that terminal_poll takes in a vector of polled descriptors. */
#define TERMINAL_POLLED 4

/* The monitor's side. */
struct terminal {
	int master; /* non-blocking */
	int slave;  /* kept open, so that the master never reports a hang-up while the container lives */
	int output; /* the caller's; a description of our own where possible, non-blocking */
	bool input_open;
	bool interactive; /* descriptor 0 is a terminal, in raw mode now */
	bool draining;	  /* the container has ended */
	bool drained;
	char last_input;
	struct shared *shared;
	struct flow inward;
	struct flow outward;
};

/* Begins copying: raw mode for the caller's terminal, its size for the container's. */
void terminal_begin(struct terminal *terminal, struct shared *shared, int master, int slave, bool output_only);

/* Fills in what to wait for. */
void terminal_poll(const struct terminal *terminal, struct pollfd polled[TERMINAL_POLLED]);

/* Copies what the wait has made possible. */
void terminal_copy(struct terminal *terminal, const struct pollfd polled[TERMINAL_POLLED]);

/* Nothing waits to be written to the caller. */
bool terminal_is_idle(const struct terminal *terminal);

/* Gives the container's terminal the size of the caller's. */
void terminal_resize(const struct terminal *terminal);

/* Raw mode, and back to what it was. */
void terminal_set_raw(struct terminal *terminal);
void terminal_restore(struct terminal *terminal);

#endif
