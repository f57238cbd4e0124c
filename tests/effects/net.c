// connect, send-to-address, accept: TCP, UDP and local sockets. `sctp.c` has the protocols that come as modules.

#include "net.h"

#include <linux/io_uring.h>
#include <netinet/tcp.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

struct target target(int family, int kind, int protocol)
{
	struct target target = { .size = sizeof(struct sockaddr_storage) };
	memset(&target.at, 0, sizeof target.at);
	target.at.ss_family = family;
	target.fd = must(socket(family, kind, protocol), "socket");
	if (family == AF_UNIX) {
		struct sockaddr_un *un = (void *)&target.at;
		strcpy(un->sun_path, "target");
		target.size = sizeof *un;
	} else if (family == AF_INET) {
		((struct sockaddr_in *)&target.at)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		target.size = sizeof(struct sockaddr_in);
	} else {
		((struct sockaddr_in6 *)&target.at)->sin6_addr = in6addr_loopback;
		target.size = sizeof(struct sockaddr_in6);
	}
	must(bind(target.fd, (struct sockaddr *)&target.at, target.size), "bind");
	if (kind != SOCK_DGRAM)
		must(listen(target.fd, 1), "listen");
	must(getsockname(target.fd, (struct sockaddr *)&target.at, &target.size), "getsockname");
	return target;
}

int arrived(const struct target *at)
{
	struct pollfd poll_fd = { .fd = at->fd, .events = POLLIN };
	return poll(&poll_fd, 1, patience()) == 1;
}

void message(struct message *message, const struct target *to)
{
	memset(message, 0, sizeof *message);
	message->data.iov_base = "x";
	message->data.iov_len = 1;
	message->header.msg_iov = &message->data;
	message->header.msg_iovlen = 1;
	message->header.msg_name = (void *)&to->at;
	message->header.msg_namelen = to->size;
}

static int from(int family, int kind, int protocol)
{
	return must(socket(family, kind, protocol), "socket");
}

// connect

static void connect_plain(int family, int kind, int protocol)
{
	struct target to = target(family, kind, protocol);
	int fd = from(family, kind, protocol);
	under_filter();
	call(SYS_connect, fd, &to.at, to.size);
	came(arrived(&to));
}

WAY(connect, connect_tcp) { connect_plain(AF_INET, SOCK_STREAM, 0); }
WAY(connect, connect_tcp6) { connect_plain(AF_INET6, SOCK_STREAM, 0); }
WAY(connect, connect_mptcp) { connect_plain(AF_INET, SOCK_STREAM, IPPROTO_MPTCP); }
WAY(connect, connect_unix) { connect_plain(AF_UNIX, SOCK_STREAM, 0); }
WAY(connect, connect_unix_seqpacket) { connect_plain(AF_UNIX, SOCK_SEQPACKET, 0); }

// A datagram socket's peer: what it writes goes there from then on.
WAY(connect, connect_udp)
{
	struct target to = target(AF_INET, SOCK_DGRAM, 0);
	int fd = from(AF_INET, SOCK_DGRAM, 0);
	under_filter();
	if (call(SYS_connect, fd, &to.at, to.size) == 0 && write(fd, "x", 1) < 0)
		return;
	came(arrived(&to));
}

// The connection is put off until the first write, and still asked for by `connect`.
WAY(connect, connect_deferred)
{
	struct target to = target(AF_INET, SOCK_STREAM, 0);
	int fd = from(AF_INET, SOCK_STREAM, 0), on = 1;
	must(setsockopt(fd, IPPROTO_TCP, 30 /* TCP_FASTOPEN_CONNECT */, &on, sizeof on), "TCP_FASTOPEN_CONNECT");
	under_filter();
	if (call(SYS_connect, fd, &to.at, to.size) == 0 && write(fd, "x", 1) < 0)
		return;
	came(arrived(&to));
}

static void sendto_fastopen(int family, int protocol)
{
	struct target to = target(family, SOCK_STREAM, protocol);
	int fd = from(family, SOCK_STREAM, protocol);
	under_filter();
	if (call(SYS_sendto, fd, "x", 1L, MSG_FASTOPEN, &to.at, to.size) == -EOPNOTSUPP)
		reaches(EOPNOTSUPP); // MPTCP before Linux 6.2
	else
		came(arrived(&to));
}

WAY(connect, sendto_fastopen) { sendto_fastopen(AF_INET, 0); }
WAY(connect, sendto_fastopen6) { sendto_fastopen(AF_INET6, 0); }
WAY(connect, sendto_fastopen_mptcp) { sendto_fastopen(AF_INET, IPPROTO_MPTCP); }

// Other flags beside it.
WAY(connect, sendto_fastopen_among_flags)
{
	struct target to = target(AF_INET, SOCK_STREAM, 0);
	int fd = from(AF_INET, SOCK_STREAM, 0);
	under_filter();
	call(SYS_sendto, fd, "x", 1L, MSG_NOSIGNAL | MSG_FASTOPEN | MSG_DONTWAIT, &to.at, to.size);
	came(arrived(&to));
}

WAY(connect, sendmsg_fastopen)
{
	struct target to = target(AF_INET, SOCK_STREAM, 0);
	int fd = from(AF_INET, SOCK_STREAM, 0);
	struct message m;
	message(&m, &to);
	under_filter();
	call(SYS_sendmsg, fd, &m.header, MSG_FASTOPEN);
	came(arrived(&to));
}

WAY(connect, sendmmsg_fastopen)
{
	struct target to = target(AF_INET, SOCK_STREAM, 0);
	int fd = from(AF_INET, SOCK_STREAM, 0);
	struct message m;
	message(&m, &to);
	struct mmsghdr many = { .msg_hdr = m.header };
	under_filter();
	call(SYS_sendmmsg, fd, &many, 1U, MSG_FASTOPEN);
	came(arrived(&to));
}

static void connect_request(enum ring how)
{
	struct target to = target(AF_INET, SOCK_STREAM, 0);
	struct io_uring_sqe sqe = { .opcode = IORING_OP_CONNECT,
				    .fd = from(AF_INET, SOCK_STREAM, 0),
				    .addr = (uintptr_t)&to.at,
				    .off = to.size };
	ring_request(how, &sqe);
	came(arrived(&to));
}
RING_WAYS(connect, connect_request)

static void fastopen_request(enum ring how)
{
	struct target to = target(AF_INET, SOCK_STREAM, 0);
	struct message m;
	message(&m, &to);
	struct io_uring_sqe sqe = { .opcode = IORING_OP_SENDMSG,
				    .fd = from(AF_INET, SOCK_STREAM, 0),
				    .addr = (uintptr_t)&m.header,
				    .len = 1,
				    .msg_flags = MSG_FASTOPEN };
	ring_request(how, &sqe);
	came(arrived(&to));
}
RING_WAYS(connect, fastopen_request)

// send-to-address

static void sendto_plain(int family)
{
	struct target to = target(family, SOCK_DGRAM, 0);
	int fd = from(family, SOCK_DGRAM, 0);
	under_filter();
	call(SYS_sendto, fd, "x", 1L, 0, &to.at, to.size);
	came(arrived(&to));
}

WAY(send_to_address, sendto_udp) { sendto_plain(AF_INET); }
WAY(send_to_address, sendto_udp6) { sendto_plain(AF_INET6); }
WAY(send_to_address, sendto_unix) { sendto_plain(AF_UNIX); }

static void sendmsg_plain(int family)
{
	struct target to = target(family, SOCK_DGRAM, 0);
	int fd = from(family, SOCK_DGRAM, 0);
	struct message m;
	message(&m, &to);
	under_filter();
	call(SYS_sendmsg, fd, &m.header, 0);
	came(arrived(&to));
}

WAY(send_to_address, sendmsg_udp) { sendmsg_plain(AF_INET); }
WAY(send_to_address, sendmsg_unix) { sendmsg_plain(AF_UNIX); }

static void sendmmsg_plain(int family)
{
	struct target to = target(family, SOCK_DGRAM, 0);
	int fd = from(family, SOCK_DGRAM, 0);
	struct message m;
	message(&m, &to);
	struct mmsghdr many = { .msg_hdr = m.header };
	under_filter();
	call(SYS_sendmmsg, fd, &many, 1U, 0);
	came(arrived(&to));
}

WAY(send_to_address, sendmmsg_udp) { sendmmsg_plain(AF_INET); }
WAY(send_to_address, sendmmsg_unix) { sendmmsg_plain(AF_UNIX); }

// A fresh destination for a socket that has a peer: the peer is passed over.
WAY(send_to_address, sendto_from_connected)
{
	struct target to = target(AF_INET, SOCK_DGRAM, 0), peer = target(AF_INET, SOCK_DGRAM, 0);
	int fd = from(AF_INET, SOCK_DGRAM, 0);
	must(connect(fd, (void *)&peer.at, peer.size), "connect");
	under_filter();
	call(SYS_sendto, fd, "x", 1L, MSG_DONTWAIT, &to.at, to.size);
	came(arrived(&to));
}

WAY(send_to_address, sendto_raw)
{
	struct target to = target(AF_INET, SOCK_DGRAM, 0);
	int fd = from(AF_INET, SOCK_RAW, IPPROTO_UDP);
	struct sockaddr_in *in = (void *)&to.at;
	struct { uint16_t source, dest, length, check; char data; } __attribute__((packed)) packet = {
		in->sin_port, in->sin_port, htons(sizeof packet), 0, 'x'
	};
	under_filter();
	call(SYS_sendto, fd, &packet, (long)sizeof packet, 0, &to.at, to.size);
	came(arrived(&to));
}

static void send_request(enum ring how)
{
	struct target to = target(AF_INET, SOCK_DGRAM, 0);
	struct message m;
	message(&m, &to);
	struct io_uring_sqe sqe = { .opcode = IORING_OP_SENDMSG,
				    .fd = from(AF_INET, SOCK_DGRAM, 0),
				    .addr = (uintptr_t)&m.header,
				    .len = 1 };
	ring_request(how, &sqe);
	came(arrived(&to));
}
RING_WAYS(send_to_address, send_request)

// accept

static int client;

static struct target with_client(void)
{
	struct target at = target(AF_INET, SOCK_STREAM, 0);
	client = from(AF_INET, SOCK_STREAM, 0);
	must(connect(client, (void *)&at.at, at.size), "connect");
	return at;
}

// The client is written to through the descriptor that was got.
static int served(long fd)
{
	struct target got = { .fd = client };
	return fd >= 0 && write(fd, "x", 1) == 1 && arrived(&got);
}

#ifdef SYS_accept
WAY(accept, accept)
{
	struct target at = with_client();
	under_filter();
	came(served(call(SYS_accept, at.fd, NULL, NULL)));
}
#endif

WAY(accept, accept4)
{
	struct target at = with_client();
	under_filter();
	came(served(call(SYS_accept4, at.fd, NULL, NULL, SOCK_CLOEXEC)));
}

static void accept_request(enum ring how)
{
	struct target at = with_client();
	struct io_uring_sqe sqe = { .opcode = IORING_OP_ACCEPT, .fd = at.fd };
	came(served(ring_request(how, &sqe)));
}
RING_WAYS(accept, accept_request)

#if defined(__i386__)

WAY(connect, socketcall_connect)
{
	struct target to = target(AF_INET, SOCK_STREAM, 0);
	int fd = from(AF_INET, SOCK_STREAM, 0);
	under_filter();
	socketcall(SYS_CONNECT, UL(fd), UL(&to.at), to.size);
	came(arrived(&to));
}

WAY(connect, socketcall_sendto)
{
	struct target to = target(AF_INET, SOCK_STREAM, 0);
	int fd = from(AF_INET, SOCK_STREAM, 0);
	under_filter();
	socketcall(SYS_SENDTO, UL(fd), UL("x"), 1, MSG_FASTOPEN, UL(&to.at), to.size);
	came(arrived(&to));
}

static void socketcall_sendmsg(int kind, int flags)
{
	struct target to = target(AF_INET, kind, 0);
	int fd = from(AF_INET, kind, 0);
	struct message m;
	message(&m, &to);
	under_filter();
	socketcall(SYS_SENDMSG, UL(fd), UL(&m.header), flags);
	came(arrived(&to));
}

WAY(connect, socketcall_sendmsg) { socketcall_sendmsg(SOCK_STREAM, MSG_FASTOPEN); }
WAY(send_to_address, socketcall_sendmsg) { socketcall_sendmsg(SOCK_DGRAM, 0); }

static void socketcall_sendmmsg(int kind, int flags)
{
	struct target to = target(AF_INET, kind, 0);
	int fd = from(AF_INET, kind, 0);
	struct message m;
	message(&m, &to);
	struct mmsghdr many = { .msg_hdr = m.header };
	under_filter();
	socketcall(SYS_SENDMMSG, UL(fd), UL(&many), 1, flags);
	came(arrived(&to));
}

WAY(connect, socketcall_sendmmsg) { socketcall_sendmmsg(SOCK_STREAM, MSG_FASTOPEN); }
WAY(send_to_address, socketcall_sendmmsg) { socketcall_sendmmsg(SOCK_DGRAM, 0); }

WAY(send_to_address, socketcall_sendto)
{
	struct target to = target(AF_INET, SOCK_DGRAM, 0);
	int fd = from(AF_INET, SOCK_DGRAM, 0);
	under_filter();
	socketcall(SYS_SENDTO, UL(fd), UL("x"), 1, 0, UL(&to.at), to.size);
	came(arrived(&to));
}

WAY(accept, socketcall_accept)
{
	struct target at = with_client();
	under_filter();
	came(served(socketcall(SYS_ACCEPT, UL(at.fd), 0, 0)));
}

WAY(accept, socketcall_accept4)
{
	struct target at = with_client();
	under_filter();
	came(served(socketcall(SYS_ACCEPT4, UL(at.fd), 0, 0, 0)));
}

#endif
