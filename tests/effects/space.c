// mount, new-namespace.

#include "effects.h"

#include <sys/mount.h>

// mount: in a mount namespace of the way's own.

static void prepared(void)
{
	must(unshare(CLONE_NEWNS), "a mount namespace");
	must(mkdir("at", 0755), "mkdir");
	must(mkdir("other", 0755), "mkdir");
}

static int is_mounted(const char *path)
{
	struct stat here, parent;
	return stat(path, &here) == 0 && stat(".", &parent) == 0 && here.st_dev != parent.st_dev;
}

static void is_there(void)
{
	came(is_mounted("at"));
}

static void is_gone(void)
{
	came(!is_mounted("at"));
}

#define MOUNTS(title, before, check, ...) \
	WAY(mount, title)                 \
	{                                 \
		prepared();               \
		before;                   \
		under_filter();           \
		call(__VA_ARGS__);        \
		check();                  \
	}
#define there must(mount("t", "at", "tmpfs", 0, NULL), "mount")

MOUNTS(mount, (void)0, is_there, SYS_mount, "t", "at", "tmpfs", 0L, NULL)
MOUNTS(mount_bind, (void)0, is_there, SYS_mount, "/proc", "at", NULL, (long)(MS_BIND | MS_REC), NULL)
MOUNTS(umount2, there, is_gone, SYS_umount2, "at", MNT_DETACH)
// The call without flags has a number of its own on 32-bit ABIs (oldumount in the kernel).
#ifdef SYS_umount
MOUNTS(umount, there, is_gone, SYS_umount, "at")
#endif

WAY(mount, mount_remount)
{
	prepared();
	there;
	under_filter();
	call(SYS_mount, NULL, "at", NULL, (long)(MS_REMOUNT | MS_BIND | MS_RDONLY), NULL);
	came(mkdir("at/x", 0700) < 0 && errno == EROFS);
}

WAY(mount, pivot_root)
{
	prepared();
	there;
	must(mkdir("at/old", 0755), "mkdir");
	under_filter();
	long ret = call(SYS_pivot_root, "at", "at/old");
	if (ret == -EINVAL)
		reaches(EINVAL); // the first file system of a machine can't be left
	else
		came(ret == 0);
}

WAY(mount, open_tree_clone)
{
	prepared();
	there;
	under_filter();
	came(call(SYS_open_tree, AT_FDCWD, "at", (unsigned)OPEN_TREE_CLONE) >= 0);
}

WAY(mount, move_mount)
{
	prepared();
	there;
	int fd = must(syscall(SYS_open_tree, AT_FDCWD, "at", OPEN_TREE_CLONE), "open_tree");
	under_filter();
	call(SYS_move_mount, fd, "", AT_FDCWD, "other", (unsigned)MOVE_MOUNT_F_EMPTY_PATH);
	came(is_mounted("other"));
}

WAY(mount, fsopen)
{
	under_filter();
	came(call(SYS_fsopen, "tmpfs", 0U) >= 0);
}

static int context(int created)
{
	int fd = must(syscall(SYS_fsopen, "tmpfs", 0), "fsopen");
	if (created)
		must(syscall(SYS_fsconfig, fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0), "fsconfig");
	return fd;
}

WAY(mount, fsconfig)
{
	int fd = context(0);
	under_filter();
	came(call(SYS_fsconfig, fd, (unsigned)FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0);
}

WAY(mount, fsmount)
{
	int fd = context(1);
	under_filter();
	came(call(SYS_fsmount, fd, 0U, 0U) >= 0);
}

WAY(mount, fspick)
{
	prepared();
	there;
	under_filter();
	came(call(SYS_fspick, AT_FDCWD, "at", 0U) >= 0);
}

WAY(mount, mount_setattr)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	prepared();
	there;
	under_filter();
	call(SYS_mount_setattr, AT_FDCWD, "at", 0U, &attr, (long)sizeof attr);
	came(mkdir("at/x", 0700) < 0 && errno == EROFS);
}

WAY(mount, open_tree_attr)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	prepared();
	there;
	under_filter();
	came(call(NEW_CALL(467), AT_FDCWD, "at", (unsigned)OPEN_TREE_CLONE, &attr, (long)sizeof attr) >= 0);
}

// new-namespace

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

static unsigned long namespace_of(const char *kind)
{
	char path[48], text[64] = "", *number;
	snprintf(path, sizeof path, "/proc/self/ns/%s", kind);
	if (readlink(path, text, sizeof text - 1) < 0 || (number = strchr(text, '[')) == NULL)
		return 0;
	return strtoul(number + 1, NULL, 10);
}

static void unshares(long flags, const char *kind)
{
	unsigned long before = namespace_of(kind);
	if (before == 0)
		lacks("namespaces of the kind");
	under_filter();
	call(SYS_unshare, flags);
	came(namespace_of(kind) != before);
}

static void clones(long flags)
{
	under_filter();
	came(call(SYS_clone, flags | SIGCHLD) > 0);
}

#define NAMESPACE(title, flag, kind)                                     \
	WAY(new_namespace, unshare_##title) { unshares(flag, kind); }    \
	WAY(new_namespace, clone_##title) { clones(flag); }

NAMESPACE(mount, CLONE_NEWNS, "mnt")
NAMESPACE(cgroup, CLONE_NEWCGROUP, "cgroup")
NAMESPACE(uts, CLONE_NEWUTS, "uts")
NAMESPACE(ipc, CLONE_NEWIPC, "ipc")
NAMESPACE(user, CLONE_NEWUSER, "user")
NAMESPACE(pid, CLONE_NEWPID, "pid_for_children")
NAMESPACE(net, CLONE_NEWNET, "net")
// In `clone` this bit belongs to the signal of the end.
WAY(new_namespace, unshare_time) { unshares(CLONE_NEWTIME, "time_for_children"); }
WAY(new_namespace, unshare_among_flags) { unshares(CLONE_NEWUTS | CLONE_FILES | CLONE_FS, "uts"); }
WAY(new_namespace, clone_among_flags) { clones(CLONE_NEWUTS | CLONE_NEWIPC | CLONE_PTRACE); }

static void clones3(uint64_t flags)
{
	uint64_t args[8] = { flags, 0, 0, 0, SIGCHLD };
	under_filter();
	came(call(SYS_clone3, args, (long)sizeof args) > 0);
}

WAY(new_namespace, clone3_uts) { clones3(CLONE_NEWUTS); }
WAY(new_namespace, clone3_time) { clones3(CLONE_NEWTIME); }

static void enters(int kind, int how)
{
	char path[40];
	pid_t child = must(fork(), "fork");
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	unsigned long before = namespace_of("uts");
	must(unshare(CLONE_NEWUTS), "unshare");
	snprintf(path, sizeof path, "/proc/%d/ns/uts", child);
	int fd = must(how ? syscall(SYS_pidfd_open, child, 0) : open(path, O_RDONLY), "a namespace");
	under_filter();
	call(SYS_setns, fd, kind);
	came(namespace_of("uts") == before);
}

WAY(new_namespace, setns) { enters(CLONE_NEWUTS, 0); }
WAY(new_namespace, setns_any) { enters(0, 0); }
WAY(new_namespace, setns_pidfd) { enters(CLONE_NEWUTS | CLONE_NEWIPC, 1); }

// Flags of Linux 7: those before do not know them.
static void newest(long ret)
{
	if (ret == -EINVAL)
		reaches(EINVAL);
	else
		came(ret >= 0);
}

WAY(new_namespace, open_tree)
{
	under_filter();
	newest(call(SYS_open_tree, AT_FDCWD, "/", 2U /* OPEN_TREE_NAMESPACE */));
}

WAY(new_namespace, open_tree_attr)
{
	struct mount_attr attr = { 0 };
	under_filter();
	newest(call(NEW_CALL(467), AT_FDCWD, "/", 2U, &attr, (long)sizeof attr));
}

WAY(new_namespace, fsmount)
{
	int fd = context(1);
	under_filter();
	newest(call(SYS_fsmount, fd, 2U /* FSMOUNT_NAMESPACE */, 0U));
}
