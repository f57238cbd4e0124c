// One request by io_uring, in the three ways in which a filter can meet it:
//
//     io_uring_setup      everything under the filter
//     io_uring_enter      a ring that was there before, filled and submitted under the filter
//     io_uring_register   a ring whose kernel thread sleeps (IORING_SETUP_R_DISABLED and IORING_SETUP_SQPOLL): it was
//                         filled before, and IORING_REGISTER_ENABLE_RINGS wakes the thread, which submits
//
// A ring whose thread already runs takes requests from memory, without a call that a filter could see.

#include "effects.h"

#include <linux/io_uring.h>

static struct {
	int fd;
	struct io_uring_params params;
	char *sq, *cq;
	struct io_uring_sqe *sqes;
} ring;

static long setup(long fd)
{
	if (fd < 0)
		return fd;
	ring.fd = fd;
	const struct io_uring_params *p = &ring.params;
	size_t sq_size = p->sq_off.array + p->sq_entries * sizeof(uint32_t);
	size_t cq_size = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
	int prot = PROT_READ | PROT_WRITE, flags = MAP_SHARED | MAP_POPULATE;
	ring.sq = mmap(NULL, sq_size, prot, flags, ring.fd, IORING_OFF_SQ_RING);
	ring.cq = mmap(NULL, cq_size, prot, flags, ring.fd, IORING_OFF_CQ_RING);
	ring.sqes = mmap(NULL, p->sq_entries * sizeof(struct io_uring_sqe), prot, flags, ring.fd, IORING_OFF_SQES);
	if (ring.sq == MAP_FAILED || ring.cq == MAP_FAILED || ring.sqes == MAP_FAILED)
		return -errno;
	return 0;
}

void ring_adopt(int fd, const struct io_uring_params *params)
{
	ring.params = *params;
	if (setup(fd) < 0)
		lacks("io_uring");
}

static void fill(const struct io_uring_sqe *request)
{
	ring.sqes[0] = *request;
	((uint32_t *)(ring.sq + ring.params.sq_off.array))[0] = 0;
	__atomic_store_n((uint32_t *)(ring.sq + ring.params.sq_off.tail), 1, __ATOMIC_RELEASE);
}

static long result(void)
{
	const struct io_uring_cqe *cqe = (const void *)(ring.cq + ring.params.cq_off.cqes);
	const uint32_t *tail = (const uint32_t *)(ring.cq + ring.params.cq_off.tail);
	while (__atomic_load_n(tail, __ATOMIC_ACQUIRE) == 0)
		sched_yield(); // the alarm ends this
	return cqe->res;
}

long ring_request(enum ring how, const struct io_uring_sqe *request)
{
	long ret;
	if (how == BY_REGISTER)
		ring.params.flags = IORING_SETUP_R_DISABLED | IORING_SETUP_SQPOLL;
	if (how == BY_SETUP) {
		under_filter();
		ret = setup(call(SYS_io_uring_setup, 1, &ring.params));
		if (ret < 0)
			return ret;
	} else if (ring.sq == NULL) {
		ret = must(syscall(SYS_io_uring_setup, 1, &ring.params), "io_uring_setup");
		if (setup(ret) < 0)
			lacks("memory of a ring");
	}
	if (how == BY_REGISTER) {
		fill(request);
		under_filter();
		ret = call(SYS_io_uring_register, ring.fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
	} else {
		if (how == BY_ENTER)
			under_filter();
		fill(request);
		ret = call(SYS_io_uring_enter, ring.fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0L);
	}
	return ret < 0 ? ret : result();
}
