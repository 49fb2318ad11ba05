/*
 * What the monitor, the container half and the janitor tell each other.
 *
 *   monitor                            container half
 *      |  clone3                             |
 *      |------------------------------------>| waits in channel_receive, dies at end of file
 *      |  SLOT n + mount (for each)          |
 *      |------------------------------------>|
 *      |  GO                                 |
 *      |------------------------------------>| runs its list
 *      |                     FALLBACK i, errno, detail
 *      |<------------------------------------|
 *      |      PROGRAM i + namespaces, working directory
 *      |<------------------------------------| waits
 *      |  OUTCOME errno, detail              |
 *      |------------------------------------>|
 *      |               TERMINAL + master, slave
 *      |<------------------------------------|
 *      |         end of file: execve(2) or exit
 *      |<------------------------------------|
 *
 * Messages go over a SOCK_SEQPACKET pair, so that each is received whole. Its end in the container half is
 * close-on-exec: the successful execve(2) is the end of file. The container half's failure does not go over the socket
 * but into the shared page, since by then its seccomp filter may refuse to write; likewise `phase` tells a command that
 * runs from a container half that was killed on the way.
 *
 * Before the container half sets up anything it has received GO; so a monitor that is killed first leaves only a process
 * that reads end of file. After the monitor's death at any later moment the death signal ends the container half, and the
 * janitor does so where a credential change has cleared that.
 *
 *   monitor                            janitor
 *      |  fork                               |
 *      |------------------------------------>| waits for the monitor's pidfd only
 *      |  CONTAINER + pidfd                  |
 *      |------------------------------------>| (lies in the socket)
 *      |  SIGKILL, or its own death          |
 *      |------------------------------------>| reads the socket, cleans up
 *
 * After the monitor's death the shared page tells the janitor how far the monitor had come. A monitor that dies between
 * the clone and CONTAINER leaves a container half that waits for GO, and so ends by itself. Before its own end the
 * monitor kills the janitor.
 */
#ifndef PYCRI_CHANNEL_H
#define PYCRI_CHANNEL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <termios.h>

#include "failure.h"

enum message_kind {
	MESSAGE_SLOT,	  /* value: the slot; 1 descriptor */
	MESSAGE_GO,	  /* */
	MESSAGE_FALLBACK, /* value: index of the failed operation; failure */
	MESSAGE_PROGRAM,  /* value: index of requestProgram; uid, gid; MESSAGE_PROGRAM_FDS descriptors */
	MESSAGE_OUTCOME,  /* failure, its error 0 for success */
	MESSAGE_TERMINAL, /* 2 descriptors: master, slave */
	MESSAGE_CONTAINER, /* to the janitor: the container's pidfd */
};

/* User, mount and PID namespace, working directory. */
#define MESSAGE_PROGRAM_FDS 4
#define MESSAGE_FDS_MAX 4

struct message {
	uint32_t kind;
	uint32_t value;
	uint32_t uid;
	uint32_t gid;
	struct failure failure;
};

/* How far the container half has come. */
enum phase {
	PHASE_PREPARING,
	PHASE_EXECUTING, /* it is in execve(2), or beyond */
	PHASE_FAILED,
};

/* The page that monitor, container half and janitor share until execve(2). */
struct shared {
	/* Written by the container half: the operation at hand, and its failure. */
	_Atomic uint32_t phase;
	_Atomic uint32_t container_index;
	struct failure container_failure;
	_Atomic bool init_failed; /* PID 1 of forkInit could not confine itself */
	/* Written by the monitor, read by the janitor: the operation at hand, whether it failed, and the caller's terminal. */
	_Atomic uint32_t monitor_index;
	_Atomic bool monitor_failed;
	_Atomic bool started; /* the command runs, or ran */
	_Atomic bool terminal_saved;
	/* Written by the process that starts a requested program: why it could not, or 0. */
	_Atomic int32_t program_error;
	struct termios terminal;
};

/* Sends a message with its descriptors. -1 and errno. */
int channel_send(int socket, const struct message *message, const int *fds, unsigned int count);

/*
 * Receives a message and up to MESSAGE_FDS_MAX descriptors (close-on-exec; missing ones are -1). 1 for a message, 0 at
 * end of file, -1 and errno.
 */
int channel_receive(int socket, struct message *message, int fds[MESSAGE_FDS_MAX]);

#endif
