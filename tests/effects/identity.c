// become-other: another user, another group, more capabilities, a user namespace where one has all of them.

#include "effects.h"

#include <linux/capability.h>
#include <linux/io_uring.h>
#include <linux/securebits.h>

#define OTHER 1000

// Real, effective, saved and file-system id: the four numbers of a line of /proc/self/status.
static int is_other(const char *key)
{
	char line[200];
	int found = 0;
	FILE *status = fopen("/proc/self/status", "r");
	while (status && fgets(line, sizeof line, status))
		if (strncmp(line, key, strlen(key)) == 0)
			found = strstr(line, "\t1000") != NULL;
	return found;
}

static int user_is_other(void) { return is_other("Uid:"); }
static int group_is_other(void) { return is_other("Gid:"); }

static int groups_are_other(void)
{
	gid_t groups[8];
	return getgroups(8, groups) == 1 && groups[0] == OTHER;
}

#define BECOMES(title, check, ...)         \
	WAY(become_other, title)           \
	{                                \
		under_filter();          \
		call(__VA_ARGS__);       \
		came(check());           \
	}

BECOMES(setuid, user_is_other, SYS_setuid, OTHER)
BECOMES(setgid, group_is_other, SYS_setgid, OTHER)
BECOMES(setreuid, user_is_other, SYS_setreuid, OTHER, -1)
BECOMES(setreuid_effective, user_is_other, SYS_setreuid, -1, OTHER)
BECOMES(setregid, group_is_other, SYS_setregid, -1, OTHER)
BECOMES(setresuid, user_is_other, SYS_setresuid, -1, OTHER, -1)
BECOMES(setresuid_saved, user_is_other, SYS_setresuid, -1, -1, OTHER)
BECOMES(setresgid, group_is_other, SYS_setresgid, -1, -1, OTHER)
BECOMES(setfsuid, user_is_other, SYS_setfsuid, OTHER)
BECOMES(setfsgid, group_is_other, SYS_setfsgid, OTHER)

// The form with 16 bits of each id, on the ABIs that have both.
#ifdef SYS_setgroups32
#define GROUP unsigned short
#else
#define GROUP gid_t
#endif
BECOMES(setgroups, groups_are_other, SYS_setgroups, 1, &(GROUP){ OTHER })

#ifdef SYS_setuid32
BECOMES(setuid32, user_is_other, SYS_setuid32, OTHER)
BECOMES(setgid32, group_is_other, SYS_setgid32, OTHER)
BECOMES(setreuid32, user_is_other, SYS_setreuid32, -1, OTHER)
BECOMES(setregid32, group_is_other, SYS_setregid32, -1, OTHER)
BECOMES(setresuid32, user_is_other, SYS_setresuid32, -1, OTHER, -1)
BECOMES(setresgid32, group_is_other, SYS_setresgid32, -1, OTHER, -1)
BECOMES(setfsuid32, user_is_other, SYS_setfsuid32, OTHER)
BECOMES(setfsgid32, group_is_other, SYS_setfsgid32, OTHER)
BECOMES(setgroups32, groups_are_other, SYS_setgroups32, 1, &(gid_t){ OTHER })
#endif

// Up again: a process that gave up root for a while and kept it as the saved id.
WAY(become_other, setresuid_back_to_root)
{
	must(syscall(SYS_setresuid, OTHER, OTHER, 0), "setresuid");
	under_filter();
	call(SYS_setresuid, 0, 0, 0);
	came(geteuid() == 0);
}

static struct __user_cap_header_struct caps_header = { _LINUX_CAPABILITY_VERSION_3, 0 };

WAY(become_other, capset)
{
	struct __user_cap_data_struct had[2], fewer[2], has[2];
	must(syscall(SYS_capget, &caps_header, had), "capget");
	memcpy(fewer, had, sizeof had);
	fewer[0].effective &= ~(1U << CAP_CHOWN);
	must(syscall(SYS_capset, &caps_header, fewer), "capset");
	under_filter();
	call(SYS_capset, &caps_header, had);
	syscall(SYS_capget, &caps_header, has);
	came(has[0].effective & 1U << CAP_CHOWN);
}

// What a program keeps that it starts.
WAY(become_other, ambient_raise)
{
	struct __user_cap_data_struct caps[2];
	must(syscall(SYS_capget, &caps_header, caps), "capget");
	caps[0].inheritable |= 1U << CAP_CHOWN;
	must(syscall(SYS_capset, &caps_header, caps), "capset");
	under_filter();
	call(SYS_prctl, PR_CAP_AMBIENT, (long)PR_CAP_AMBIENT_RAISE, (long)CAP_CHOWN);
	came(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0) == 1);
}

WAY(become_other, keepcaps)
{
	under_filter();
	call(SYS_prctl, PR_SET_KEEPCAPS, 1L);
	came(prctl(PR_GET_KEEPCAPS) == 1);
}

WAY(become_other, securebits)
{
	under_filter();
	call(SYS_prctl, PR_SET_SECUREBITS, (long)SECBIT_NO_SETUID_FIXUP);
	came(prctl(PR_GET_SECUREBITS) == SECBIT_NO_SETUID_FIXUP);
}

// A ring that keeps the ids of its maker lets others make requests under them: here, to read what is root's alone.
static void private_file(void)
{
	must(open("private", O_WRONLY | O_CREAT, 0600), "open");
	must(chmod(".", 0777), "chmod");
}

static const struct io_uring_sqe reads = { .opcode = IORING_OP_OPENAT, .fd = AT_FDCWD, .open_flags = O_RDONLY };

WAY(become_other, ring_personality_is_used)
{
	struct io_uring_params params = { 0 };
	struct io_uring_sqe sqe = reads;
	private_file();
	sqe.addr = (uintptr_t)"private";
	int fd = must(syscall(SYS_io_uring_setup, 1, &params), "io_uring");
	sqe.personality = must(syscall(SYS_io_uring_register, fd, IORING_REGISTER_PERSONALITY, NULL, 0), "a personality");
	must(syscall(SYS_setresuid, OTHER, OTHER, OTHER), "setresuid");
	ring_adopt(fd, &params);
	came(ring_request(BY_ENTER, &sqe) >= 0);
}

WAY(become_other, ring_personality_is_kept)
{
	struct io_uring_params params = { 0 };
	int fd = must(syscall(SYS_io_uring_setup, 1, &params), "io_uring");
	under_filter();
	came(call(SYS_io_uring_register, fd, IORING_REGISTER_PERSONALITY, NULL, 0) > 0);
}

WAY(become_other, ring)
{
	struct io_uring_params params = { 0 };
	under_filter();
	came(call(SYS_io_uring_setup, 1, &params) >= 0);
}

static unsigned long user_namespace(void)
{
	char text[64] = "";
	long got = readlink("/proc/self/ns/user", text, sizeof text - 1);
	return got < 0 ? 0 : strtoul(text + strlen("user:["), NULL, 10);
}

WAY(become_other, unshare_user)
{
	unsigned long before = user_namespace();
	under_filter();
	call(SYS_unshare, (long)CLONE_NEWUSER);
	came(user_namespace() != before);
}

WAY(become_other, clone_user)
{
	under_filter();
	came(call(SYS_clone, (long)(CLONE_NEWUSER | SIGCHLD)) > 0);
}

WAY(become_other, clone3_user)
{
	uint64_t args[8] = { CLONE_NEWUSER, 0, 0, 0, SIGCHLD };
	under_filter();
	came(call(SYS_clone3, args, (long)sizeof args) > 0);
}

// A child in a user namespace of its own: its descriptors.
static pid_t stranger(void)
{
	int gate[2];
	char byte;
	must(pipe(gate), "pipe");
	pid_t child = must(fork(), "fork");
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWUSER) < 0)
			_exit(1);
		if (write(gate[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	close(gate[1]);
	if (read(gate[0], &byte, 1) != 1)
		lacks("a user namespace");
	return child;
}

static void joins(int kind, int how)
{
	char path[40];
	pid_t child = stranger();
	snprintf(path, sizeof path, "/proc/%d/ns/user", child);
	int fd = must(how ? syscall(SYS_pidfd_open, child, 0) : open(path, O_RDONLY), "a user namespace");
	unsigned long before = user_namespace();
	under_filter();
	call(SYS_setns, fd, kind);
	came(user_namespace() != before);
}

WAY(become_other, setns_user) { joins(CLONE_NEWUSER, 0); }
// Zero: whatever kind the descriptor is of.
WAY(become_other, setns_any) { joins(0, 0); }
WAY(become_other, setns_pidfd) { joins(CLONE_NEWUSER, 1); }
