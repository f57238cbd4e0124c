// kernel-code, set-clock, keyring, bpf-perf, bypass-filter, devices.

#include "net.h"

#include <linux/aio_abi.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/fscrypt.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/rtc.h>
#include <linux/seccomp.h>
#include <pty.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>

// kernel-code

// A module that nothing needs lies beside those that are loaded at the start.
static int is_loaded(void)
{
	struct stat stat;
	return lstat("/sys/module/dummy", &stat) == 0;
}

MACHINE_WAY(kernel_code, finit_module)
{
	int fd = must(open("/modules/dummy", O_RDONLY), "a module to load");
	syscall(SYS_delete_module, "dummy", O_NONBLOCK);
	under_filter();
	call(SYS_finit_module, fd, "", 0);
	came(is_loaded());
	syscall(SYS_delete_module, "dummy", O_NONBLOCK);
}

MACHINE_WAY(kernel_code, init_module)
{
	struct stat stat;
	int fd = must(open("/modules/dummy", O_RDONLY), "a module to load");
	must(fstat(fd, &stat), "fstat");
	void *image = mmap(NULL, stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	syscall(SYS_delete_module, "dummy", O_NONBLOCK);
	under_filter();
	call(SYS_init_module, image, (long)stat.st_size, "");
	came(is_loaded());
	syscall(SYS_delete_module, "dummy", O_NONBLOCK);
}

// No kernel is loaded that could be started.
MACHINE_WAY(kernel_code, reboot_kexec)
{
	under_filter();
	call(SYS_reboot, 0xfee1dead, 672274793, 0x45584543U /* LINUX_REBOOT_CMD_KEXEC */, NULL);
	reaches(EINVAL);
}

#if defined(__x86_64__) || defined(__i386__)
#define OWN_ARCH (62UL << 16) // KEXEC_ARCH_X86_64: the kernel's own, by each of its ABIs
#else
#define OWN_ARCH (183UL << 16) // KEXEC_ARCH_AARCH64
#endif

// A page that is no kernel, and is never started.
MACHINE_WAY(kernel_code, kexec_load)
{
	static char page[4096];
	// `struct kexec_segment`: what, how much, where to, and how much there.
	unsigned long segment[4] = { (unsigned long)page, sizeof page, 0x44000000, sizeof page };
#if defined(__x86_64__) || defined(__i386__)
	segment[2] = 0x4000000;
#endif
	under_filter();
	call(SYS_kexec_load, segment[2], 1L, segment, (long)OWN_ARCH);
	FILE *file = fopen("/sys/kernel/kexec_loaded", "r");
	came(file && fgetc(file) == '1');
	syscall(SYS_kexec_load, 0L, 0L, NULL, OWN_ARCH);
}

#ifdef SYS_create_module
WAY(kernel_code, create_module)
{
	under_filter();
	came(call(SYS_create_module, "kpol", 4096L) >= 0);
}
#endif

#ifdef SYS_kexec_file_load
MACHINE_WAY(kernel_code, kexec_file_load)
{
	under_filter();
	call(SYS_kexec_file_load, -1, -1, 1L, "", 0x80000000L);
	reaches(EINVAL);
}
#endif

static long load_program_of(int type, int filtered)
{
	static const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr;
	memset(&attr, 0, sizeof attr);
	attr.prog_type = type;
	attr.insns = (uintptr_t)insns;
	attr.insn_cnt = 2;
	attr.license = (uintptr_t)"GPL";
	if (filtered)
		return call(SYS_bpf, BPF_PROG_LOAD, &attr, (int)sizeof attr);
	return syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof attr);
}

static long load_program(int filtered)
{
	return load_program_of(BPF_PROG_TYPE_SOCKET_FILTER, filtered);
}

WAY(kernel_code, bpf_program)
{
	under_filter();
	came(load_program(1) >= 0);
}

// set-clock: a thousand seconds ahead.

#define AHEAD 1000
static time_t before;

static void is_set(void)
{
	came(time(NULL) - before >= AHEAD / 2);
}

MACHINE_WAY(set_clock, settimeofday)
{
	before = time(NULL);
	// The kernel's own `struct timeval`: two words of a register.
	long value[2] = { (long)before + AHEAD, 0 };
	under_filter();
	call(SYS_settimeofday, value, NULL);
	is_set();
}

MACHINE_WAY(set_clock, clock_settime)
{
	before = time(NULL);
#if defined(__x86_64__) && defined(__ILP32__)
	long long value[2] = { before + AHEAD, 0 };
#else
	long value[2] = { (long)before + AHEAD, 0 };
#endif
	under_filter();
	call(SYS_clock_settime, CLOCK_REALTIME, value);
	is_set();
}

#ifdef SYS_clock_settime64
MACHINE_WAY(set_clock, clock_settime64)
{
	before = time(NULL);
	long long value[2] = { before + AHEAD, 0 };
	under_filter();
	call(SYS_clock_settime64, CLOCK_REALTIME, value);
	is_set();
}
#endif

#ifdef SYS_stime
MACHINE_WAY(set_clock, stime)
{
	before = time(NULL);
	long value = (long)before + AHEAD;
	under_filter();
	call(SYS_stime, &value);
	is_set();
}
#endif

MACHINE_WAY(set_clock, adjtimex)
{
	struct timex timex = { .modes = ADJ_SETOFFSET, .time.tv_sec = AHEAD };
	before = time(NULL);
	under_filter();
	call(SYS_adjtimex, &timex);
	is_set();
}

MACHINE_WAY(set_clock, clock_adjtime)
{
	struct timex timex = { .modes = ADJ_SETOFFSET, .time.tv_sec = AHEAD };
	before = time(NULL);
	under_filter();
	call(SYS_clock_adjtime, CLOCK_REALTIME, &timex);
	is_set();
}

#ifdef SYS_clock_adjtime64
MACHINE_WAY(set_clock, clock_adjtime64)
{
	// struct __kernel_timex
	struct {
		uint32_t modes, pad;
		int64_t values[8], seconds, fraction, rest[13];
	} timex = { .modes = ADJ_SETOFFSET, .seconds = AHEAD };
	before = time(NULL);
	under_filter();
	call(SYS_clock_adjtime64, CLOCK_REALTIME, &timex);
	is_set();
}
#endif

// The clock of the board, which the kernel's own is set by at the next start.
MACHINE_WAY(set_clock, rtc_set_time)
{
	struct rtc_time time, now;
	int fd = must(open("/dev/rtc0", O_RDWR), "/dev/rtc0");
	must(ioctl(fd, RTC_RD_TIME, &time), "RTC_RD_TIME");
	int year = time.tm_year;
	time.tm_year += year < 190 ? 1 : -1;
	time.tm_mday = 1;
	under_filter();
	call(SYS_ioctl, fd, (int)RTC_SET_TIME, &time);
	came(ioctl(fd, RTC_RD_TIME, &now) == 0 && now.tm_year != year);
}

// keyring

#define SESSION ((int)KEY_SPEC_SESSION_KEYRING)

WAY(keyring, add_key)
{
	under_filter();
	came(call(SYS_add_key, "user", "kpol", "secret", 6L, SESSION) > 0);
}

WAY(keyring, request_key)
{
	must(syscall(SYS_add_key, "user", "kpol", "secret", 6L, SESSION), "add_key");
	under_filter();
	came(call(SYS_request_key, "user", "kpol", NULL, SESSION) > 0);
}

WAY(keyring, keyctl)
{
	under_filter();
	came(call(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) > 0);
}

// Not on a file system that encrypts.
WAY(keyring, ioctl_encryption_key)
{
	int fd = must(open(".", O_RDONLY), "open");
	char key[80] = "";
	under_filter();
	call(SYS_ioctl, fd, (unsigned)FS_IOC_ADD_ENCRYPTION_KEY, key);
	reaches(ENOTTY);
}

// Not a socket of the kernel's cryptography.
WAY(keyring, setsockopt_key_by_serial)
{
	int fd = must(socket(AF_INET, SOCK_DGRAM, 0), "socket"), key = 1;
	under_filter();
	call(SYS_setsockopt, fd, 279 /* SOL_ALG */, 7 /* ALG_SET_KEY_BY_KEY_SERIAL */, &key, (int)sizeof key);
	reaches(ENOPROTOOPT);
}

#if defined(__i386__)
WAY(keyring, socketcall_key_by_serial)
{
	int fd = must(socket(AF_INET, SOCK_DGRAM, 0), "socket"), key = 1;
	under_filter();
	socketcall(SYS_SETSOCKOPT, UL(fd), 279, 7, UL(&key), sizeof key);
	reaches(ENOPROTOOPT);
}
#endif

// bpf-perf

WAY(bpf_perf, bpf)
{
	union bpf_attr map;
	memset(&map, 0, sizeof map);
	map.map_type = BPF_MAP_TYPE_ARRAY, map.key_size = 4, map.value_size = 4, map.max_entries = 1;
	under_filter();
	came(call(SYS_bpf, BPF_MAP_CREATE, &map, (int)sizeof map) >= 0);
}

WAY(bpf_perf, perf_event_open)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE, .size = sizeof attr, .config = PERF_COUNT_SW_TASK_CLOCK };
	under_filter();
	came(call(SYS_perf_event_open, &attr, 0, -1, -1, 0L) >= 0);
}

// A program of others' is attached to a socket.
static void attaches(int option)
{
	int fd = must(socket(AF_INET, SOCK_DGRAM, 0), "socket"), on = 1, program = must(load_program(0), "bpf");
	must(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on), "SO_REUSEPORT");
	must(bind(fd, (void *)&(struct sockaddr_in){ .sin_family = AF_INET }, sizeof(struct sockaddr_in)), "bind");
	under_filter();
	came(call(SYS_setsockopt, fd, SOL_SOCKET, option, &program, (int)sizeof program) == 0);
}

WAY(bpf_perf, setsockopt_attach_bpf) { attaches(SO_ATTACH_BPF); }
WAY(bpf_perf, setsockopt_attach_reuseport) { attaches(SO_ATTACH_REUSEPORT_EBPF); }

#if defined(__i386__)
WAY(bpf_perf, socketcall_attach_bpf)
{
	int fd = must(socket(AF_INET, SOCK_DGRAM, 0), "socket"), program = must(load_program(0), "bpf");
	under_filter();
	came(socketcall(SYS_SETSOCKOPT, UL(fd), SOL_SOCKET, SO_ATTACH_BPF, UL(&program), sizeof program) == 0);
}
#endif

// The program runs when the clock has gone on for a while.
WAY(bpf_perf, ioctl_set_bpf)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE,
					.size = sizeof attr,
					.config = PERF_COUNT_SW_TASK_CLOCK,
					.sample_period = 1000000 };
	int fd = must(syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0L), "perf_event_open");
	int program = must(load_program_of(BPF_PROG_TYPE_PERF_EVENT, 0), "bpf");
	under_filter();
	came(call(SYS_ioctl, fd, (unsigned)PERF_EVENT_IOC_SET_BPF, (long)program) == 0);
}

// bypass-filter

// A write that no filter sees.
WAY(bypass_filter, io_submit)
{
	aio_context_t context = 0;
	struct iocb request = { .aio_lio_opcode = IOCB_CMD_PWRITE, .aio_buf = (uintptr_t)"x", .aio_nbytes = 1 };
	struct iocb *requests[] = { &request };
	struct stat stat;
	request.aio_fildes = must(open("file", O_WRONLY | O_CREAT, 0600), "open");
	must(syscall(SYS_io_setup, 1, &context), "io_setup");
	under_filter();
	call(SYS_io_submit, context, 1L, requests);
	came(lstat("file", &stat) == 0 && stat.st_size == 1);
}

static void nop_request(enum ring how)
{
	struct io_uring_sqe sqe = { .opcode = IORING_OP_NOP };
	came(ring_request(how, &sqe) == 0);
}
RING_WAYS(bypass_filter, nop_request)

static pid_t waiting_child(void)
{
	pid_t child = must(fork(), "fork");
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return child;
}

// Who was there before has no filter, and makes the calls of whom it obeys.
WAY(bypass_filter, ptrace)
{
	pid_t child = waiting_child();
	under_filter();
	came(call(SYS_ptrace, (long)PTRACE_ATTACH, (long)child, 0L, 0L) == 0);
}

static struct sock_filter notify[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};
static struct sock_fprog notify_program = { 4, notify };

// An agent of one's own that answers a call before the filter's `trace` or `allow` counts.
WAY(bypass_filter, seccomp_listener)
{
	under_filter();
	came(call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &notify_program) >= 0);
}

// devices

static int terminal(void)
{
	int master, slave;
	must(openpty(&master, &slave, NULL, NULL, NULL), "openpty");
	must(ioctl(slave, TIOCSCTTY, 0), "TIOCSCTTY");
	return slave;
}

WAY(devices, ioctl_tiocsti)
{
	int fd = terminal();
	FILE *file = fopen("/proc/sys/dev/tty/legacy_tiocsti", "r");
	int off = file && fgetc(file) == '0', waiting = 0;
	under_filter();
	long ret = call(SYS_ioctl, fd, TIOCSTI, "x\n");
	if (off && ret == -EIO)
		reaches(EIO);
	else
		came(ret == 0 && call(SYS_ioctl, fd, TIOCSTI, "\n") == 0 && ioctl(fd, FIONREAD, &waiting) == 0 && waiting > 0);
}

// Of a console alone.
static void tioclinux(int fd, int answered)
{
	char which[2] = { 6 /* TIOCL_GETSHIFTSTATE */ };
	under_filter();
	long ret = call(SYS_ioctl, fd, TIOCLINUX, which);
	if (answered)
		came(ret == 0 && which[0] == 0);
	else
		reaches(ENOTTY);
}

WAY(devices, ioctl_tioclinux) { tioclinux(terminal(), 0); }
MACHINE_WAY(devices, ioctl_tioclinux_console)
{
	tioclinux(must(open("/dev/tty1", O_RDWR | O_NOCTTY), "a console"), 1);
}

WAY(devices, ioctl_tiocsetd)
{
	int fd = terminal(), discipline = 0;
	under_filter();
	came(call(SYS_ioctl, fd, TIOCSETD, &discipline) == 0);
}

WAY(devices, mknodat)
{
	struct stat stat;
	under_filter();
	call(SYS_mknodat, AT_FDCWD, "null", S_IFCHR | 0600, 0x103U);
	came(lstat("null", &stat) == 0 && S_ISCHR(stat.st_mode));
}

#ifdef SYS_mknod
WAY(devices, mknod)
{
	struct stat stat;
	under_filter();
	call(SYS_mknod, "block", S_IFBLK | 0600, 0x700U);
	came(lstat("block", &stat) == 0 && S_ISBLK(stat.st_mode));
}
#endif

#ifdef SYS_ioperm
WAY(devices, ioperm)
{
	under_filter();
	came(call(SYS_ioperm, 0x80L, 1L, 1) == 0);
}

WAY(devices, iopl)
{
	under_filter();
	came(call(SYS_iopl, 3) == 0);
}
#endif

#ifdef SYS_pciconfig_read
WAY(devices, pciconfig_iobase)
{
	under_filter();
	came(call(SYS_pciconfig_iobase, 0L, 0L, 0L) >= 0);
}

WAY(devices, pciconfig_read)
{
	uint32_t value;
	under_filter();
	came(call(SYS_pciconfig_read, 0L, 0L, 0L, 4L, &value) == 0);
}

// No width of a register.
WAY(devices, pciconfig_write)
{
	under_filter();
	call(SYS_pciconfig_write, 0L, 0L, 0L, 0L, NULL);
	reaches(EINVAL);
}
#endif
