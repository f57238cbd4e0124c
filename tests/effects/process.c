// run-program, signal-others, trace-others: what a process does to itself and to others.

#include "effects.h"

#include <linux/bpf.h>
#include <linux/kcmp.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <pty.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <termios.h>

// run-program: the calls are made in a child, whose exit status tells what it is then.

static int ran(pid_t child)
{
	int status = 0;
	waitpid(child, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == RAN;
}

static char *const argv[] = { "effects", "ran", NULL };

#define RUNS(title, ...)                              \
	WAY(run_program, title)                       \
	{                                           \
		int fd = open(self_path, O_PATH);   \
		pid_t child = must(fork(), "fork"); \
		if (child == 0) {                   \
			under_filter();             \
			call(__VA_ARGS__);          \
			_exit(1);                   \
		}                                   \
		close(fd);                          \
		came(ran(child));                   \
	}

RUNS(execve, SYS_execve, self_path, argv, environ)
RUNS(execveat, SYS_execveat, AT_FDCWD, self_path, argv, environ, 0)
RUNS(execveat_of_descriptor, SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH)

// The kernel starts /sbin/request-key, which is not there, for a key that is not there either.
WAY(run_program, request_key)
{
	under_filter();
	call(SYS_request_key, "user", "kpol:nowhere", "callout", KEY_SPEC_SESSION_KEYRING);
	reaches(access(REQUEST_KEY, X_OK) == 0 ? ENOKEY : ENOENT);
}

// There it is this program.
MACHINE_WAY(run_program, request_key_helper)
{
	char self[64] = "";
	must(readlink(self_path, self, sizeof self - 1), self_path);
	mkdir("/sbin", 0755);
	unlink(REQUEST_KEY), unlink(REQUEST_KEY_RAN);
	must(symlink(self, REQUEST_KEY), REQUEST_KEY);
	under_filter();
	call(SYS_request_key, "user", "kpol:helped", "callout", KEY_SPEC_SESSION_KEYRING);
	came(access(REQUEST_KEY_RAN, F_OK) == 0);
	unlink(REQUEST_KEY), unlink(REQUEST_KEY_RAN);
}

#ifdef SYS_uselib
// No library to load: the kernel looks for it.
WAY(run_program, uselib)
{
	under_filter();
	call(SYS_uselib, "/nonexistent");
	reaches(ENOENT);
}
#endif

// signal-others

// A process of the same user that waits, and what ended it.
struct victim {
	pid_t pid;
	int pidfd;
};

static struct victim victim(void)
{
	struct victim victim;
	victim.pid = must(fork(), "fork");
	if (victim.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	victim.pidfd = must(syscall(SYS_pidfd_open, victim.pid, 0), "pidfd_open");
	return victim;
}

static int ended(const struct victim *victim)
{
	struct pollfd poll_fd = { .fd = victim->pidfd, .events = POLLIN };
	return poll(&poll_fd, 1, patience()) == 1;
}

#define SIGNALS(title, ...)                   \
	WAY(signal_others, title)             \
	{                                   \
		struct victim v = victim(); \
		under_filter();             \
		call(__VA_ARGS__);          \
		came(ended(&v));            \
	}

SIGNALS(kill, SYS_kill, v.pid, SIGTERM)
SIGNALS(tkill, SYS_tkill, v.pid, SIGTERM)
SIGNALS(tgkill, SYS_tgkill, v.pid, v.pid, SIGTERM)
SIGNALS(rt_sigqueueinfo, SYS_rt_sigqueueinfo, v.pid, SIGTERM, &(siginfo_t){ .si_code = SI_QUEUE })
SIGNALS(rt_tgsigqueueinfo, SYS_rt_tgsigqueueinfo, v.pid, v.pid, SIGTERM, &(siginfo_t){ .si_code = SI_QUEUE })
SIGNALS(pidfd_send_signal, SYS_pidfd_send_signal, v.pidfd, SIGTERM, NULL, 0U)

WAY(signal_others, kill_group)
{
	struct victim v = victim();
	must(setpgid(v.pid, v.pid), "setpgid");
	under_filter();
	call(SYS_kill, -v.pid, SIGTERM);
	came(ended(&v));
}

// The owner of a descriptor gets a signal of choice when something arrives there.
static int owned[2];
static void owned_pair(void)
{
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, owned), "socketpair");
	must(fcntl(owned[0], F_SETFL, O_ASYNC), "O_ASYNC");
}

static void owner_is_signalled(const struct victim *v)
{
	if (write(owned[1], "x", 1) == 1)
		came(ended(v));
}

#define OWNS(title, ...)                      \
	WAY(signal_others, title)             \
	{                                   \
		struct victim v = victim(); \
		owned_pair();               \
		under_filter();             \
		call(__VA_ARGS__);          \
		owner_is_signalled(&v);     \
	}

struct owner_ex {
	int type;
	pid_t pid;
};

OWNS(fcntl_setown, SYS_fcntl, owned[0], F_SETOWN, (long)v.pid)
OWNS(fcntl_setown_ex, SYS_fcntl, owned[0], F_SETOWN_EX, (&(struct owner_ex){ F_OWNER_PID, v.pid }))
// The owner is there already, and the signal is chosen: one that does end it.
WAY(signal_others, fcntl_setsig)
{
	struct victim v = victim();
	owned_pair();
	must(fcntl(owned[0], F_SETOWN, v.pid), "F_SETOWN");
	must(fcntl(owned[0], F_SETSIG, SIGURG), "F_SETSIG"); // passed over by default
	under_filter();
	call(SYS_fcntl, owned[0], F_SETSIG, (long)SIGKILL);
	owner_is_signalled(&v);
}

#ifdef SYS_fcntl64
OWNS(fcntl64_setown, SYS_fcntl64, owned[0], F_SETOWN, (long)v.pid)
OWNS(fcntl64_setown_ex, SYS_fcntl64, owned[0], F_SETOWN_EX, (&(struct owner_ex){ F_OWNER_PID, v.pid }))
#endif
OWNS(ioctl_fiosetown, SYS_ioctl, owned[0], FIOSETOWN, &v.pid)
OWNS(ioctl_siocspgrp, SYS_ioctl, owned[0], SIOCSPGRP, &v.pid)

// Where the way itself is the one to be signalled, a child makes the call.
static volatile int signalled;
static void on_signal(int signal)
{
	signalled = signal;
}

#define in_child(...)                                       \
	do {                                                \
		pid_t child = must(fork(), "fork");         \
		if (child == 0) {                           \
			under_filter();                     \
			call(__VA_ARGS__);                  \
			_exit(0);                           \
		}                                           \
		while (waitpid(child, NULL, 0) != child)    \
			;                                   \
	} while (0)

// The foreground of a terminal whose other end one has.
static struct victim on_terminal(int *master, int *slave)
{
	int gate[2];
	char byte;
	struct victim v;
	must(openpty(master, slave, NULL, NULL, NULL), "openpty");
	must(pipe(gate), "pipe");
	v.pid = must(fork(), "fork");
	if (v.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setsid();
		if (ioctl(*slave, TIOCSCTTY, 0) == 0 && write(gate[1], "x", 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	close(gate[1]);
	if (read(gate[0], &byte, 1) != 1)
		lacks("a terminal");
	v.pidfd = must(syscall(SYS_pidfd_open, v.pid, 0), "pidfd_open");
	return v;
}

WAY(signal_others, ioctl_tiocsig)
{
	int master, slave;
	struct victim v = on_terminal(&master, &slave);
	under_filter();
	call(SYS_ioctl, master, 0x40045436 /* TIOCSIG */, (long)SIGINT);
	came(ended(&v));
}

// Whoever is in front learns of a new size; the default is to pass over it, so the victim asks for its end.
WAY(signal_others, ioctl_tiocswinsz)
{
	int master, slave;
	struct winsize size = { 50, 50, 0, 0 };
	must(openpty(&master, &slave, NULL, NULL, NULL), "openpty");
	must(ioctl(slave, TIOCSCTTY, 0), "TIOCSCTTY");
	signal(SIGWINCH, on_signal);
	in_child(SYS_ioctl, master, TIOCSWINSZ, &size);
	came(signalled == SIGWINCH);
}

WAY(signal_others, ioctl_tiocvhangup)
{
	int master, slave;
	must(openpty(&master, &slave, NULL, NULL, NULL), "openpty");
	must(ioctl(slave, TIOCSCTTY, 0), "TIOCSCTTY");
	signal(SIGHUP, on_signal);
	in_child(SYS_ioctl, slave, 0x5437 /* TIOCVHANGUP */);
	came(signalled == SIGHUP);
}

// A session's leader gives up its terminal: those in front are hung up.
WAY(signal_others, ioctl_tiocnotty)
{
	int master, slave;
	must(openpty(&master, &slave, NULL, NULL, NULL), "openpty");
	must(ioctl(slave, TIOCSCTTY, 0), "TIOCSCTTY");
	struct victim v = victim(); // of the same process group
	signal(SIGHUP, SIG_IGN);
	under_filter();
	call(SYS_ioctl, slave, TIOCNOTTY);
	came(ended(&v));
}

// A pretended interrupt key.
WAY(signal_others, ioctl_tiocsti)
{
	int master, slave;
	struct victim v = on_terminal(&master, &slave);
	char key = 3;
	FILE *file = fopen("/proc/sys/dev/tty/legacy_tiocsti", "r");
	if (file && fgetc(file) == '0')
		lacks("TIOCSTI (dev.tty.legacy_tiocsti is 0)");
	under_filter();
	call(SYS_ioctl, slave, TIOCSTI, &key);
	came(ended(&v));
}

// The session's leader is told that its terminal is gone.
WAY(signal_others, vhangup)
{
	int master, slave;
	must(openpty(&master, &slave, NULL, NULL, NULL), "openpty");
	must(ioctl(slave, TIOCSCTTY, 0), "TIOCSCTTY");
	signal(SIGHUP, on_signal);
	in_child(SYS_vhangup);
	came(signalled == SIGHUP);
}

// A tracer ends or stops whom it traces.
static void traced_victim(struct victim *v)
{
	*v = victim();
	must(ptrace(PTRACE_ATTACH, v->pid, 0, 0), "ptrace");
	waitpid(v->pid, NULL, __WALL);
}

WAY(signal_others, ptrace_cont)
{
	struct victim v;
	traced_victim(&v);
	under_filter();
	call(SYS_ptrace, (long)PTRACE_CONT, (long)v.pid, 0L, (long)SIGKILL);
	came(ended(&v));
}

// A limit of CPU time ends whoever passes it.
WAY(signal_others, prlimit64)
{
	struct victim v = victim();
	uint64_t limit[2] = { 1, 1 };
	struct rlimit now;
	under_filter();
	call(SYS_prlimit64, v.pid, RLIMIT_CPU, limit, NULL);
	came(prlimit(v.pid, RLIMIT_CPU, NULL, &now) == 0 && now.rlim_cur == 1);
}

// An event of the victim's sends it SIGTRAP: whoever opens it chooses which.
WAY(signal_others, perf_event_open)
{
	struct victim v = victim();
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE,
					.size = sizeof attr,
					.config = PERF_COUNT_SW_CONTEXT_SWITCHES,
					.sample_period = 1,
					.remove_on_exec = 1,
					.sigtrap = 1 };
	under_filter();
	came(call(SYS_perf_event_open, &attr, v.pid, -1, -1, (long)PERF_FLAG_FD_CLOEXEC) >= 0);
}

// A program in the kernel that signals whom it watches begins like any other.
static long make_map(void)
{
	union bpf_attr map;
	memset(&map, 0, sizeof map);
	map.map_type = BPF_MAP_TYPE_ARRAY, map.key_size = 4, map.value_size = 4, map.max_entries = 1;
	return call(SYS_bpf, BPF_MAP_CREATE, &map, (int)sizeof map);
}

WAY(signal_others, bpf)
{
	under_filter();
	came(make_map() >= 0);
}

WAY(trace_others, bpf)
{
	under_filter();
	came(make_map() >= 0);
}

// In a process namespace that is not the first one, a power-off is a signal to its process 1
// (reboot_pid_ns in kernel/pid_namespace.c).
WAY(signal_others, reboot_of_namespace)
{
	char outer[64] = "", inner[64] = "";
	if (readlink("/proc/self/ns/pid", outer, sizeof outer - 1) < 0)
		lacks("/proc");
	must(unshare(CLONE_NEWPID), "a process namespace");
	struct victim v = victim();
	if (readlink("/proc/self/ns/pid_for_children", inner, sizeof inner - 1) < 0 || strcmp(outer, inner) == 0)
		lacks("a process namespace");
	int gate[2];
	char byte;
	must(pipe(gate), "pipe");
	pid_t child = must(fork(), "fork");
	if (child == 0) {
		if (getpid() != 2) // process 1 there is the victim
			_exit(1);
		under_filter();
		call(SYS_reboot, 0xfee1dead, 672274793, 0x4321fedcU /* LINUX_REBOOT_CMD_POWER_OFF */, NULL);
		_exit(0);
	}
	close(gate[1]);
	if (read(gate[0], &byte, 1) != 0)
		return;
	waitpid(child, NULL, 0); // process 1 ends after all others of its namespace
	came(ended(&v));
}

// trace-others

WAY(trace_others, ptrace_attach)
{
	struct victim v = victim();
	under_filter();
	came(call(SYS_ptrace, (long)PTRACE_ATTACH, (long)v.pid, 0L, 0L) == 0);
}

WAY(trace_others, ptrace_seize)
{
	struct victim v = victim();
	under_filter();
	came(call(SYS_ptrace, 0x4206L /* PTRACE_SEIZE */, (long)v.pid, 0L, 0L) == 0);
}

// The victim's memory is a copy of ours, at the same addresses.
static char secret[8] = "before";

WAY(trace_others, process_vm_readv)
{
	struct victim v = victim();
	char got[8] = "";
	struct iovec local = { got, sizeof got }, remote = { secret, sizeof secret };
	strcpy(secret, "after");
	under_filter();
	call(SYS_process_vm_readv, v.pid, &local, 1L, &remote, 1L, 0L);
	came(strcmp(got, "before") == 0);
}

WAY(trace_others, process_vm_writev)
{
	struct victim v = victim();
	struct iovec local = { "poked", 6 }, remote = { secret, sizeof secret };
	under_filter();
	came(call(SYS_process_vm_writev, v.pid, &local, 1L, &remote, 1L, 0L) == 6);
}

WAY(trace_others, pidfd_getfd)
{
	struct victim v = victim();
	under_filter();
	came(call(SYS_pidfd_getfd, v.pidfd, 0, 0) >= 0);
}

WAY(trace_others, kcmp)
{
	struct victim v = victim();
	under_filter();
	came(call(SYS_kcmp, getpid(), v.pid, KCMP_FILE, 1L, 1L) == 0);
}

WAY(trace_others, perf_event_open)
{
	struct victim v = victim();
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE, .size = sizeof attr, .config = PERF_COUNT_SW_TASK_CLOCK };
	under_filter();
	came(call(SYS_perf_event_open, &attr, v.pid, -1, -1, 0L) >= 0);
}

WAY(trace_others, process_madvise)
{
	struct victim v = victim();
	void *page = (void *)((uintptr_t)secret & ~4095UL);
	struct iovec remote = { page, 4096 };
	under_filter();
	came(call(SYS_process_madvise, v.pidfd, &remote, 1L, MADV_COLD, 0U) == 4096);
}

WAY(trace_others, move_pages)
{
	struct victim v = victim();
	void *page = (void *)((uintptr_t)secret & ~4095UL);
	int status = -1000;
	under_filter();
	long ret = call(SYS_move_pages, v.pid, 1L, &page, NULL, &status, 0);
	if (ret == -ENOSYS)
		reaches(ENOSYS); // without CONFIG_NUMA
	else
		came(ret == 0 && status != -1000);
}

WAY(trace_others, migrate_pages)
{
	struct victim v = victim();
	unsigned long nodes = 1;
	under_filter();
	long ret = call(SYS_migrate_pages, v.pid, 2L, &nodes, &nodes);
	if (ret == -ENOSYS)
		reaches(ENOSYS);
	else
		came(ret == 0);
}

WAY(trace_others, get_robust_list)
{
	struct victim v = victim();
	void *head = (void *)1;
	size_t size = 0;
	under_filter();
	came(call(SYS_get_robust_list, v.pid, &head, &size) == 0);
}

// Without CONFIG_SCHED_CORE, or on one thread a core, there is nothing to share.
WAY(trace_others, prctl_sched_core)
{
	struct victim v = victim();
	uint64_t cookie = 0;
	under_filter();
	long ret = call(SYS_prctl, 62 /* PR_SCHED_CORE */, 0L /* PR_SCHED_CORE_GET */, (long)v.pid, 0L, &cookie);
	if (ret == 0)
		came(1);
	else
		reaches(ret == -ENODEV ? ENODEV : EINVAL);
}

WAY(trace_others, process_mrelease)
{
	struct victim v = victim();
	under_filter();
	call(NEW_CALL(448), v.pidfd, 0U);
	reaches(EINVAL); // not dying
}
