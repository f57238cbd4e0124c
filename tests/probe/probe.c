// probe: installs filters and makes calls under them, and says what became of each.
//
//     in   filter 0 none 2        flags in hex, who watches (none, listener, tracer, or one that lets
//                                calls run: lets-listener, lets-tracer), number of instructions
//          20 0 0 0               code jt jf k, in hex
//          6 0 0 7fff0000
//          call native 6e 0 0 0 0 0 0     entry, number, six arguments, in hex
//     out  returned 4242          one line a call, in order
//
// One program for every way to run it: on this machine, in a container (it is linked statically), and as
// process 1 of a virtual machine, where it reads /jobs, writes to the console and powers off.
//
// Each process has a page at 0x20000, below 4 GiB for `int 0x80`, with what socketcall(SYS_SOCKET, …) reads: three words for
// AF_ALG at its start, three for AF_UNIX at 0x20100.
//
// How a call is watched that may be answered by death, and whose filter may forbid everything else:
//   - each call has a process of its own, so that none spoils the next;
//   - in it a second thread installs the filter and makes the call: the first one, unfiltered, tells the end of
//     a thread from the end of the process;
//   - what happened is written to shared memory, and the way out is an illegal instruction: neither is a system
//     call that a filter could answer. The signal of that instruction says "the record is whole".

#define _GNU_SOURCE
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
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
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1
#endif

// A blocking call (pause, read of a terminal) would hang the run. Nothing that is measured depends on this.
#define PATIENCE_SECONDS 30

enum watch { WATCH_NONE, WATCH_LISTENER, WATCH_TRACER };
static int lets; // whether the watcher lets the call run
enum entry { ENTRY_NATIVE, ENTRY_INT80 };
enum state { BEFORE, NOT_INSTALLED, CALLED, BACK, TRAPPED, NOTIFIED, THREAD_GONE };

struct call {
	enum entry entry;
	uint32_t nr;
	uint64_t args[6];
};

// Written by the process under test, read by its parent.
struct record {
	volatile enum state state;
	volatile long value;
	volatile int listener;
};

static struct record *record;
static struct sock_filter program[BPF_MAXINSNS];
static struct sock_fprog fprog = { .filter = program };
static unsigned long flags;
static enum watch watch;
static struct call call;
static volatile int thread_id;
static int gate[2]; // holds a process back until it is traced
static char stack[64 * 1024] __attribute__((aligned(16)));

static long native(long nr, long a, long b, long c, long d, long e, long f)
{
	return enter(nr, (uint64_t[]){ a, b, c, d, e, f });
}

#if defined(__x86_64__)
// The sixth argument is ebp, which the compiler does not give away: hence a whole function.
long int80(long nr, const uint64_t *args);
__asm__(".text\n"
	".globl int80\n"
	"int80:\n"
	"	push %rbx\n"
	"	push %rbp\n"
	"	mov %rdi, %rax\n"
	"	mov %rsi, %r8\n"
	"	mov 0(%r8), %ebx\n"
	"	mov 8(%r8), %ecx\n"
	"	mov 16(%r8), %edx\n"
	"	mov 24(%r8), %esi\n"
	"	mov 32(%r8), %edi\n"
	"	mov 40(%r8), %ebp\n"
	"	int $0x80\n"
	"	movslq %eax, %rax\n"
	"	pop %rbp\n"
	"	pop %rbx\n"
	"	ret\n");
#endif

static long make_call(void)
{
	const uint64_t *a = call.args;
#if defined(__x86_64__)
	if (call.entry == ENTRY_INT80)
		return int80(call.nr, a);
#endif
	return enter(call.nr, a);
}

static void on_sigsys(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	record->value = info->si_errno;
	record->state = TRAPPED;
	__builtin_trap(); // returning would be a system call
}

static int thread(void *unused)
{
	(void)unused;
	unsigned long all = flags | (watch == WATCH_LISTENER ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0);
	long ret = native(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0);
	if (ret == 0)
		ret = native(SYS_seccomp, SECCOMP_SET_MODE_FILTER, all, (long)&fprog, 0, 0, 0);
	if (ret < 0) {
		record->value = -ret;
		record->state = NOT_INSTALLED;
		__builtin_trap();
	}
	if (watch == WATCH_LISTENER) {
		// The call waits until the other thread listens: else it might be over before.
		record->listener = ret;
		while (record->listener >= 0)
			;
	}
	record->state = CALLED;
	record->value = make_call();
	record->state = BACK;
	__builtin_trap();
	return 0;
}

// Runs in the process under test and does not return.
static void under_test(void)
{
	struct rlimit no_core = { 0, 0 };
	struct sigaction action = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO };
	setrlimit(RLIMIT_CORE, &no_core);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	unsigned *words = mmap((void *)0x20000, 4096, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (words == (void *)0x20000) {
		words[0] = 38; // AF_ALG
		words[0x40] = 1; // AF_UNIX
		words[1] = words[0x41] = 5; // SOCK_SEQPACKET
	}
	sigaction(SIGSYS, &action, NULL);
	alarm(PATIENCE_SECONDS);
	if (watch == WATCH_TRACER) {
		char byte;
		close(gate[1]);
		if (read(gate[0], &byte, 1) != 0) // end of file: the tracer is there
			_exit(1);
	}

	thread_id = 1;
	int made = clone(thread, stack + sizeof stack,
			 CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
				 CLONE_CHILD_CLEARTID | CLONE_PARENT_SETTID,
			 NULL, (pid_t *)&thread_id, NULL, (pid_t *)&thread_id);
	if (made < 0) {
		perror("clone");
		_exit(1);
	}
	if (watch == WATCH_LISTENER) {
		while (record->listener < 0 && thread_id != 0)
			;
		struct pollfd poll_fd = { .fd = record->listener, .events = POLLIN };
		record->listener = -1;
		// POLLHUP: no task has the filter any more.
		while (poll(&poll_fd, 1, -1) < 0 && errno == EINTR)
			;
		if (poll_fd.revents & POLLIN && lets) {
			struct seccomp_notif asked = { 0 };
			struct seccomp_notif_resp answer = { .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
			int fd = poll_fd.fd;
			if (native(SYS_ioctl, fd, SECCOMP_IOCTL_NOTIF_RECV, (long)&asked, 0, 0, 0) == 0) {
				answer.id = asked.id;
				native(SYS_ioctl, fd, SECCOMP_IOCTL_NOTIF_SEND, (long)&answer, 0, 0, 0);
			}
		} else if (poll_fd.revents & POLLIN) {
			record->state = NOTIFIED;
			__builtin_trap();
		}
	}
	// The kernel clears thread_id when the thread is gone, however it went. Should the filter hold here too
	// (TSYNC) and forbid futex, this spins until then.
	int id;
	while ((id = thread_id) != 0)
		native(SYS_futex, (long)&thread_id, FUTEX_WAIT, id, 0, 0, 0);
	record->state = THREAD_GONE;
	__builtin_trap();
}

static void tell(int status)
{
	if (record->state == NOT_INSTALLED)
		printf("not-installed %ld\n", record->value);
	else if (WIFEXITED(status))
		printf("exited %d\n", WEXITSTATUS(status));
	else if (WTERMSIG(status) == SIGSYS)
		printf("process-killed\n");
	else if (WTERMSIG(status) == SIGALRM)
		printf("hung\n");
	else if (WTERMSIG(status) != SIGILL && WTERMSIG(status) != SIGTRAP)
		printf("died %d\n", WTERMSIG(status));
	else if (record->state == BACK && record->value < 0 && record->value >= -4095)
		printf("errno %ld\n", -record->value);
	else if (record->state == BACK)
		printf("returned %ld\n", record->value);
	else if (record->state == TRAPPED)
		printf("trapped %ld\n", record->value);
	else if (record->state == NOTIFIED)
		printf("notified\n");
	else if (record->state == THREAD_GONE)
		printf("thread-killed\n");
	else
		printf("died %d\n", WTERMSIG(status));
}

// Follows a child that waits at the gate to its end; true when a filter asked the tracer, with what it said in *data.
static int trace(pid_t child, unsigned long *data, int *status)
{
	long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
	if (ptrace(PTRACE_SEIZE, child, 0, options) < 0) {
		perror("PTRACE_SEIZE");
		exit(1);
	}
	close(gate[0]);
	close(gate[1]);
	int asked = 0;
	for (;;) {
		int now;
		pid_t who = waitpid(-1, &now, __WALL);
		if (who < 0)
			return asked;
		if (!WIFSTOPPED(now)) {
			if (who == child)
				*status = now;
			continue;
		}
		int event = now >> 16;
		if (event == PTRACE_EVENT_SECCOMP) {
			asked = 1;
			ptrace(PTRACE_GETEVENTMSG, who, 0, data);
			if (lets)
				ptrace(PTRACE_CONT, who, 0, 0);
			else
				kill(child, SIGKILL);
			continue;
		}
		ptrace(PTRACE_CONT, who, 0, event ? 0 : WSTOPSIG(now));
	}
}

static void test(void)
{
	memset(record, 0, sizeof *record);
	record->listener = -1;
	fflush(stdout);
	if (watch == WATCH_TRACER && pipe(gate) < 0) {
		perror("pipe");
		exit(1);
	}
	pid_t child = fork();
	if (child < 0) {
		perror("fork");
		exit(1);
	}
	if (child == 0)
		under_test();
	int status = 0;
	unsigned long data = 0;
	if (watch == WATCH_TRACER) {
		if (trace(child, &data, &status) && !lets) {
			printf("traced %lu\n", data);
			return;
		}
	} else if (waitpid(child, &status, 0) != child) {
		perror("waitpid");
		exit(1);
	}
	tell(status);
}

static int run(FILE *in)
{
	char word[16];
	unsigned line = 0;
	while (fscanf(in, "%15s", word) == 1) {
		line++;
		if (strcmp(word, "filter") == 0) {
			if (fscanf(in, "%lx %15s", &flags, word) != 2 || !read_filter(in, &fprog))
				goto nonsense;
			lets = strncmp(word, "lets-", 5) == 0;
			if (lets)
				memmove(word, word + 5, strlen(word + 5) + 1);
			watch = strcmp(word, "listener") == 0 ? WATCH_LISTENER :
				strcmp(word, "tracer") == 0   ? WATCH_TRACER :
								WATCH_NONE;
		} else if (strcmp(word, "call") == 0) {
			unsigned long long a[6];
			if (fscanf(in, "%15s %x %llx %llx %llx %llx %llx %llx", word, &call.nr, a, a + 1, a + 2, a + 3, a + 4,
				   a + 5) != 8)
				goto nonsense;
			call.entry = strcmp(word, "int80") == 0 ? ENTRY_INT80 : ENTRY_NATIVE;
			for (int i = 0; i < 6; i++)
				call.args[i] = a[i];
			test();
		} else {
			goto nonsense;
		}
	}
	printf("end\n");
	fflush(stdout);
	return 0;
nonsense:
	fprintf(stderr, "probe: statement %u is not understood\n", line);
	return 2;
}

int main(int argc, char **argv)
{
	record = mmap(NULL, sizeof *record, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (record == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	const char *path = argc > 1 ? argv[1] : NULL;
	int machine = getpid() == 1 && path == NULL;
	if (machine)
		path = "/jobs";
	FILE *in = path ? fopen(path, "re") : stdin;
	if (in == NULL) {
		perror(path);
		return 1;
	}
	int result = run(in);
	if (machine) {
		sync();
		reboot(RB_POWER_OFF);
	}
	return result;
}
