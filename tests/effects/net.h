// Addresses on the loopback and in the file system, and who waits there.

#ifndef NET_H
#define NET_H

#include "effects.h"

#include <netinet/in.h>
#include <sys/un.h>

// Somebody who can be reached.
struct target {
	int fd;
	struct sockaddr_storage at;
	socklen_t size;
};

// What is bound, and listens unless its kind is SOCK_DGRAM. For AF_INET, AF_INET6 and AF_UNIX.
struct target target(int family, int kind, int protocol);
// Whether a connection or a datagram is there.
int arrived(const struct target *at);

// A message of one byte to the target.
struct message {
	struct iovec data;
	struct msghdr header;
};
void message(struct message *message, const struct target *to);

#if defined(__i386__)
#include <linux/net.h>
// socketcall's arguments lie in memory, so a filter sees the first one alone.
#define socketcall(which, ...) call(SYS_socketcall, which, ((unsigned long[]){ __VA_ARGS__ }))
#define UL(x) ((unsigned long)(x))
#endif

#endif
