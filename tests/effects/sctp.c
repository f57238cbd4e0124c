// Protocols that connect, accept and send in ways of their own: SCTP and TIPC. Both come as modules.
//
// Their sockets are made under the filter, so a policy may refuse them there; where the way is one of a socket that was
// there before, its name says so.

#include "net.h"

#include <linux/sctp.h>
#include <linux/tipc.h>

// net/sctp/socket.c, sctp_setsockopt and sctp_getsockopt.
#define CONNECTX_OLD 107
#define CONNECTX 110
#define CONNECTX3 111

static int sctp(int kind)
{
	int fd = socket(AF_INET, kind, IPPROTO_SCTP);
	return must(fd, "SCTP");
}

static struct target sctp_target(void)
{
	close(sctp(SOCK_STREAM));
	return target(AF_INET, SOCK_STREAM, IPPROTO_SCTP);
}

WAY(connect, connect_sctp)
{
	struct target to = sctp_target();
	under_filter();
	long fd = call(SYS_socket, AF_INET, SOCK_STREAM, IPPROTO_SCTP);
	if (fd >= 0)
		call(SYS_connect, (int)fd, &to.at, to.size);
	came(arrived(&to));
}

static void connectx(int option, int inherited)
{
	struct target to = sctp_target();
	long fd = inherited ? sctp(SOCK_STREAM) : -1;
	under_filter();
	if (!inherited)
		fd = call(SYS_socket, AF_INET, SOCK_STREAM, IPPROTO_SCTP);
	if (fd >= 0)
		call(SYS_setsockopt, (int)fd, IPPROTO_SCTP, option, &to.at, (int)to.size);
	came(arrived(&to));
}

WAY(connect, sctp_connectx) { connectx(CONNECTX, 0); }
WAY(connect, sctp_connectx_old) { connectx(CONNECTX_OLD, 0); }
WAY(connect, sctp_connectx_of_inherited_socket) { connectx(CONNECTX, 1); }
WAY(connect, sctp_connectx_old_of_inherited_socket) { connectx(CONNECTX_OLD, 1); }

static void connectx3(int inherited)
{
	struct target to = sctp_target();
	long fd = inherited ? sctp(SOCK_STREAM) : -1;
	struct { int32_t association; int32_t size; const void *addresses; } param = { 0, to.size, &to.at };
	int size = sizeof param;
	under_filter();
	if (!inherited)
		fd = call(SYS_socket, AF_INET, SOCK_STREAM, IPPROTO_SCTP);
	if (fd >= 0)
		call(SYS_getsockopt, (int)fd, IPPROTO_SCTP, CONNECTX3, &param, &size);
	came(arrived(&to));
}

WAY(connect, sctp_connectx3) { connectx3(0); }
WAY(connect, sctp_connectx3_of_inherited_socket) { connectx3(1); }

// A one-to-many socket connects by sending.
static void implied(int kind, int protocol, int how, int inherited)
{
	struct target to = sctp_target();
	struct message m;
	message(&m, &to);
	struct mmsghdr many = { .msg_hdr = m.header };
	long fd = inherited ? sctp(kind) : -1;
	under_filter();
	if (!inherited)
		fd = call(SYS_socket, AF_INET, kind, protocol);
	if (fd >= 0 && how == 0)
		call(SYS_sendto, (int)fd, "x", 1L, 0, &to.at, to.size);
	else if (fd >= 0 && how == 1)
		call(SYS_sendmsg, (int)fd, &m.header, 0);
	else if (fd >= 0)
		call(SYS_sendmmsg, (int)fd, &many, 1U, 0);
	came(arrived(&to));
}

WAY(connect, sctp_sendto) { implied(SOCK_SEQPACKET, IPPROTO_SCTP, 0, 0); }
WAY(connect, sctp_sendmsg) { implied(SOCK_SEQPACKET, IPPROTO_SCTP, 1, 0); }
WAY(connect, sctp_sendmmsg) { implied(SOCK_SEQPACKET, IPPROTO_SCTP, 2, 0); }
WAY(connect, sctp_sendto_one_to_one) { implied(SOCK_STREAM, IPPROTO_SCTP, 0, 0); }
// SCTP alone has sockets of this type.
WAY(connect, sctp_without_name) { implied(SOCK_SEQPACKET, 0, 1, 0); }
WAY(send_to_address, sctp_sendto) { implied(SOCK_SEQPACKET, IPPROTO_SCTP, 0, 1); }
WAY(send_to_address, sctp_sendmsg) { implied(SOCK_SEQPACKET, IPPROTO_SCTP, 1, 1); }
WAY(send_to_address, sctp_sendmmsg) { implied(SOCK_SEQPACKET, IPPROTO_SCTP, 2, 1); }

// SCTP_SOCKOPT_PEELOFF and its form with flags make a descriptor of one connection.
static void peeloff(int option, int by_socketcall)
{
	(void)by_socketcall;
	struct target at = { .size = sizeof(struct sockaddr_in) };
	struct sockaddr_in *in = (void *)&at.at;
	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	at.fd = sctp(SOCK_SEQPACKET);
	must(bind(at.fd, (void *)in, sizeof *in), "bind");
	must(listen(at.fd, 1), "listen");
	must(getsockname(at.fd, (void *)in, &at.size), "getsockname");
	int client = sctp(SOCK_STREAM);
	must(connect(client, (void *)in, sizeof *in), "connect");
	must(write(client, "x", 1), "write");
	if (!arrived(&at))
		lacks("an association");
	struct { int32_t association; int32_t fd; uint32_t flags; } param = { 0, -1, 0 };
	struct { uint32_t count; int32_t ids[8]; } list;
	socklen_t length = sizeof list;
	int size = option == SCTP_SOCKOPT_PEELOFF ? 8 : 12;
	must(getsockopt(at.fd, IPPROTO_SCTP, SCTP_GET_ASSOC_ID_LIST, &list, &length), "SCTP_GET_ASSOC_ID_LIST");
	param.association = list.ids[0];
	under_filter();
	long ret;
#if defined(__i386__)
	if (by_socketcall)
		ret = socketcall(SYS_GETSOCKOPT, UL(at.fd), IPPROTO_SCTP, UL(option), UL(&param), UL(&size));
	else
#endif
		ret = call(SYS_getsockopt, at.fd, IPPROTO_SCTP, option, &param, &size);
	came(ret >= 0 && write(param.fd, "x", 1) == 1);
}

WAY(accept, sctp_peeloff) { peeloff(SCTP_SOCKOPT_PEELOFF, 0); }
WAY(accept, sctp_peeloff_flags) { peeloff(SCTP_SOCKOPT_PEELOFF_FLAGS, 0); }
#if defined(__i386__)
WAY(accept, socketcall_sctp_peeloff) { peeloff(SCTP_SOCKOPT_PEELOFF, 1); }
#endif

// A one-to-many socket reads from connections that nobody accepted. The client is of another process, without a filter.
static void reads(int protocol)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(7777) };
	int gate[2];
	char byte;
	close(sctp(SOCK_SEQPACKET));
	must(pipe(gate), "pipe");
	pid_t child = must(fork(), "fork");
	if (child == 0) {
		close(gate[1]);
		int client = socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP);
		if (read(gate[0], &byte, 1) == 1 && connect(client, (void *)&in, sizeof in) == 0 && write(client, "x", 1) == 1)
			pause();
		_exit(1);
	}
	under_filter();
	struct target at = { .fd = call(SYS_socket, AF_INET, SOCK_SEQPACKET, protocol) };
	if (at.fd < 0)
		return came(0);
	must(bind(at.fd, (void *)&in, sizeof in), "bind");
	must(listen(at.fd, 1), "listen");
	must(write(gate[1], "x", 1), "write");
	came(arrived(&at) && read(at.fd, &byte, 1) == 1);
}

WAY(accept, sctp_read) { reads(IPPROTO_SCTP); }
WAY(accept, sctp_read_without_name) { reads(0); }

// TIPC connects a stream by sending its first message to an address (net/tipc/socket.c, __tipc_sendstream); it waits for
// `accept`, unless it is not to.
static void tipc(int how, int inherited)
{
	struct target to = { .size = sizeof(struct sockaddr_tipc) };
	struct sockaddr_tipc *name = (void *)&to.at;
	name->family = AF_TIPC;
	name->addrtype = TIPC_SERVICE_RANGE;
	name->scope = TIPC_NODE_SCOPE;
	name->addr.nameseq.type = 18888;
	name->addr.nameseq.lower = name->addr.nameseq.upper = 17;
	to.fd = must(socket(AF_TIPC, SOCK_STREAM, 0), "TIPC");
	must(bind(to.fd, (void *)name, sizeof *name), "bind");
	must(listen(to.fd, 1), "listen");
	name->addrtype = TIPC_SERVICE_ADDR;
	name->addr.name.name.type = 18888;
	name->addr.name.name.instance = 17;
	name->addr.name.domain = 0;
	struct message m;
	message(&m, &to);
	struct mmsghdr many = { .msg_hdr = m.header };
	long fd = inherited ? socket(AF_TIPC, SOCK_STREAM, 0) : -1;
	under_filter();
	if (!inherited)
		fd = call(SYS_socket, AF_TIPC, SOCK_STREAM, 0);
	if (fd >= 0 && how == 0)
		call(SYS_sendto, (int)fd, "x", 1L, MSG_DONTWAIT, name, (int)sizeof *name);
	else if (fd >= 0 && how == 1)
		call(SYS_sendmsg, (int)fd, &m.header, MSG_DONTWAIT);
	else if (fd >= 0)
		call(SYS_sendmmsg, (int)fd, &many, 1U, MSG_DONTWAIT);
	came(arrived(&to));
}

WAY(connect, tipc_sendto) { tipc(0, 0); }
WAY(connect, tipc_sendmsg) { tipc(1, 0); }
WAY(connect, tipc_sendmmsg) { tipc(2, 0); }
WAY(send_to_address, tipc_sendto) { tipc(0, 1); }

// Families whose sockets begin a way that no later call shows. A kernel without the family says so by itself.
static void begins(int family, int kind, int protocol)
{
	under_filter();
	long fd = call(SYS_socket, family, kind, protocol);
	if (fd == -EAFNOSUPPORT)
		reaches(EAFNOSUPPORT);
	else if (fd == -ESOCKTNOSUPPORT)
		reaches(ESOCKTNOSUPPORT);
	else
		came(fd >= 0);
}

WAY(accept, rds) { begins(AF_RDS, SOCK_SEQPACKET, 0); }
WAY(accept, rxrpc) { begins(AF_RXRPC, SOCK_DGRAM, AF_INET); }
WAY(connect, rds) { begins(AF_RDS, SOCK_SEQPACKET, 0); }
WAY(connect, rxrpc) { begins(AF_RXRPC, SOCK_DGRAM, AF_INET); }
WAY(connect, atm) { begins(AF_ATMPVC, SOCK_DGRAM, 0); }
WAY(connect, bluetooth) { begins(AF_BLUETOOTH, SOCK_STREAM, 3 /* BTPROTO_RFCOMM */); }
WAY(send_to_address, bluetooth) { begins(AF_BLUETOOTH, SOCK_RAW, 1 /* BTPROTO_HCI */); }
WAY(send_to_address, can) { begins(AF_CAN, SOCK_RAW, 1 /* CAN_RAW */); }
WAY(send_to_address, ieee802154) { begins(AF_IEEE802154, SOCK_RAW, 0); }
WAY(send_to_address, isdn) { begins(AF_ISDN, SOCK_DGRAM, 0); }
WAY(send_to_address, tipc_group) { begins(AF_TIPC, SOCK_RDM, 0); }
WAY(send_to_address, xdp) { begins(44 /* AF_XDP */, SOCK_RAW, 0); }

// A frame to everybody on the device that `bind` names.
static void writes_frames(int family, int kind)
{
	static const char frame[64] = { -1, -1, -1, -1, -1, -1 };
	struct target seen = { .fd = must(socket(AF_PACKET, SOCK_RAW, htons(3 /* ETH_P_ALL */)), "socket") };
	struct sockaddr_ll { unsigned short family, protocol; int index; char rest[12]; } at = { AF_PACKET, htons(3), 1, "" };
	under_filter();
	int fd = call(SYS_socket, family, kind, htons(3));
	if (fd < 0)
		return came(0);
	must(bind(fd, (void *)&at, sizeof at), "bind");
	must(write(fd, frame, sizeof frame), "write");
	came(arrived(&seen));
}

WAY(send_to_address, packet) { writes_frames(AF_PACKET, SOCK_RAW); }
WAY(send_to_address, inet_packet)
{
	under_filter();
	came(call(SYS_socket, AF_INET, 10 /* SOCK_PACKET */, htons(3)) >= 0);
}
