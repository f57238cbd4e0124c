// Ways to bring an effect about, written down one by one and tried under a filter.
//
//     WAY(connect, sendto_fastopen)             connect/sendto-fastopen
//     {
//         struct target to = tcp_listener();    what an attacker has already, unfiltered
//         int from = socket(…);
//         under_filter();
//         call(SYS_sendto, from, …);            written down: number, arguments, result
//         came(arrived(&to));                   the effect itself, seen from where it would come about
//     }
//
// The ways know nothing of the library's groups: which member covers a way is found out from the calls that it made.
// The program is built once for each ABI of a kernel, so every structure has the layout of the ABI that it is given to.
// `main.c` says how it is told what to do.

#ifndef EFFECTS_H
#define EFFECTS_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

// What the tests' filters refuse with: no call fails with it by itself.
#define REFUSED 4000

struct way {
	const char *name;
	void (*run)(void);
	int needs_machine;
	struct way *next;
};

void add_way(struct way *way);

#define WAY_(effect, title, machine)                                                        \
	static void effect##__##title(void);                                                \
	__attribute__((constructor)) static void add_##effect##__##title(void)              \
	{                                                                                   \
		static struct way self = { #effect "/" #title, effect##__##title, machine, 0 }; \
		add_way(&self);                                                             \
	}                                                                                   \
	static void effect##__##title(void)

// A way; what it does stays in namespaces of its own.
#define WAY(effect, title) WAY_(effect, title, 0)
// A way that changes the machine, so it is tried in a virtual one.
#define MACHINE_WAY(effect, title) WAY_(effect, title, 1)

// The filter holds for this process from here on.
void under_filter(void);

// Makes a call by the ABI's own instruction and gives what the kernel left in the register, errors as -errno. A process
// that such a call makes ends at once. What is narrower than a register gets garbage above it when that is asked for, so
// write arguments in the kernel's types: (long) for flags of `clone`.
#define call(...) CALL_(__VA_ARGS__, 0L, 0L, 0L, 0L, 0L, 0L, 0L)
#define CALL_(nr, a, b, c, d, e, f, ...) \
	make_call(nr, (uint64_t[]){ REG_(a), REG_(b), REG_(c), REG_(d), REG_(e), REG_(f) })
#if __SIZEOF_POINTER__ == 8
#define REG_(x) to_register((uint64_t)(long)((x) + 0), sizeof((x) + 0))
#else
#define REG_(x) ((uint64_t)(unsigned long)((x) + 0)) // x32: a pointer's upper half is zero
#endif
uint64_t to_register(uint64_t value, size_t size);
long make_call(long nr, const uint64_t *args);

// Says whether the effect came about.
void came(int yes);
// Says that the way stops short of harm: the kernel's own code is to answer the last call with this errno.
void reaches(int expected);
// Says what is missing here, before `under_filter`, and ends the way.
void lacks(const char *what) __attribute__((noreturn));
// How long to wait for something to arrive, in milliseconds: hardly, once a call was refused.
int patience(void);

// A descriptor, or the way ends: what is prepared must work.
int must(long result, const char *what);
// The path of this very program, which exits with RAN when it is started with "ran".
#define RAN 42
extern const char *self_path;
// What the kernel starts for a key that it does not have, and what that leaves behind if it is this program.
#define REQUEST_KEY "/sbin/request-key"
#define REQUEST_KEY_RAN "/request-key-ran"

// One request by io_uring. Which of its calls is made under the filter: all, the last one, or the one that wakes a
// ring that was filled before.
enum ring { BY_SETUP, BY_ENTER, BY_REGISTER };
struct io_uring_sqe;
// Installs the filter on the way, and gives the request's result, or the error of the call that was refused.
long ring_request(enum ring how, const struct io_uring_sqe *request);
// Takes a ring that is there already for the next request, by BY_ENTER.
struct io_uring_params;
void ring_adopt(int fd, const struct io_uring_params *params);
#define RING_WAYS(effect, request)                                             \
	WAY(effect, request##_by_io_uring_setup) { request(BY_SETUP); }       \
	WAY(effect, request##_by_io_uring_enter) { request(BY_ENTER); }       \
	WAY(effect, request##_by_io_uring_register) { request(BY_REGISTER); }

// Calls that are newer than the headers; alike on every ABI here, but for the bit of x32.
#if defined(__x86_64__) && defined(__ILP32__)
#define NEW_CALL(nr) (__X32_SYSCALL_BIT + (nr))
#else
#define NEW_CALL(nr) (nr)
#endif

#endif
