/* What the monitor, the container half and the janitor tell each other: sending and receiving. */
#include "channel.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

/* Room for the descriptors of one message, aligned for its header. */
union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(MESSAGE_FDS_MAX * sizeof(int))];
};

int channel_send(int socket, const struct message *message, const int *fds, unsigned int count)
{
	union control control;
	size_t detail = strlen(message->failure.detail) + 1;
	struct iovec data = {
		.iov_base = (void *)(uintptr_t)message,
		.iov_len = offsetof(struct message, failure.detail) + detail,
	};
	struct msghdr header = { .msg_iov = &data, .msg_iovlen = 1 };

	if (count > 0) {
		memset(&control, 0, sizeof(control));
		header.msg_control = control.bytes;
		header.msg_controllen = CMSG_SPACE(count * sizeof(int));
		struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(rights), fds, count * sizeof(int));
	}
	return sendmsg(socket, &header, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

int channel_receive(int socket, struct message *message, int fds[MESSAGE_FDS_MAX])
{
	union control control;
	struct iovec data = { .iov_base = message, .iov_len = sizeof(*message) };
	struct msghdr header = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control),
	};

	for (int index = 0; index < MESSAGE_FDS_MAX; index++)
		fds[index] = -1;
	ssize_t length = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
	if (length <= 0)
		return (int)length;
	if ((size_t)length <= offsetof(struct message, failure.detail)) {
		errno = EBADMSG;
		return -1;
	}
	message->failure.detail[DETAIL_LIMIT - 1] = '\0';
	for (struct cmsghdr *rights = CMSG_FIRSTHDR(&header); rights != NULL; rights = CMSG_NXTHDR(&header, rights)) {
		if (rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS)
			memcpy(fds, CMSG_DATA(rights), rights->cmsg_len - CMSG_LEN(0));
	}
	return 1;
}
