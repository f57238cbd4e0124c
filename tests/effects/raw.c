// raw-packets: sockets and devices that hand over packets as they are on the wire.

#include "net.h"

#include <linux/bpf.h>
#include <linux/if.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <linux/io_uring.h>

static void makes(int family, int kind, int protocol)
{
	under_filter();
	came(call(SYS_socket, family, kind, protocol) >= 0);
}

WAY(raw_packets, packet_raw) { makes(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)); }
WAY(raw_packets, packet_dgram) { makes(AF_PACKET, SOCK_DGRAM, htons(ETH_P_ALL)); }
WAY(raw_packets, packet_cloexec) { makes(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL)); }
// A protocol of zero, set later by `bind`.
WAY(raw_packets, packet_without_protocol) { makes(AF_PACKET, SOCK_RAW, 0); }
// The type of Linux 2.0, which __sock_create (net/socket.c) makes a socket of AF_PACKET of.
WAY(raw_packets, inet_packet) { makes(AF_INET, SOCK_PACKET, htons(ETH_P_ALL)); }
WAY(raw_packets, packet_packet) { makes(AF_PACKET, SOCK_PACKET, htons(ETH_P_ALL)); }
WAY(raw_packets, inet_raw) { makes(AF_INET, SOCK_RAW, IPPROTO_ICMP); }
WAY(raw_packets, inet_raw_cloexec) { makes(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW); }
WAY(raw_packets, inet6_raw) { makes(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6); }
WAY(raw_packets, xdp) { makes(44 /* AF_XDP */, SOCK_RAW, 0); }

static void socket_request(enum ring how)
{
	struct io_uring_sqe sqe = { .opcode = 45 /* IORING_OP_SOCKET */, .fd = AF_PACKET, .off = SOCK_RAW };
	came(ring_request(how, &sqe) >= 0);
}
RING_WAYS(raw_packets, socket_request)

// Frames of a network device of one's own.
WAY(raw_packets, tun)
{
	int fd = must(open("/dev/net/tun", O_RDWR), "/dev/net/tun");
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	under_filter();
	came(call(SYS_ioctl, fd, TUNSETIFF, &request) == 0);
}

// A program that is run on a frame may send it on (BPF_F_TEST_XDP_LIVE_FRAMES); it is refused with the whole call.
WAY(raw_packets, bpf)
{
	union bpf_attr map;
	memset(&map, 0, sizeof map);
	map.map_type = BPF_MAP_TYPE_ARRAY, map.key_size = 4, map.value_size = 4, map.max_entries = 1;
	under_filter();
	came(call(SYS_bpf, BPF_MAP_CREATE, &map, (int)sizeof map) >= 0);
}

#if defined(__i386__)
WAY(raw_packets, socketcall_packet)
{
	under_filter();
	came(socketcall(SYS_SOCKET, AF_PACKET, SOCK_RAW, 0) >= 0);
}
WAY(raw_packets, socketcall_inet_packet)
{
	under_filter();
	came(socketcall(SYS_SOCKET, AF_INET, SOCK_PACKET, 0) >= 0);
}
#endif
