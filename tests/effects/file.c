// create-file, write-file: a name that was not there before; a file opened for writing, or cut short.

#include "net.h"

#include <linux/bpf.h>
#include <linux/fs.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <mqueue.h>
#include <sys/fanotify.h>
#include <sys/mount.h>
#include <sys/quota.h>

static int exists(const char *path)
{
	struct stat stat;
	return lstat(path, &stat) == 0;
}

static void write_old(const char *text)
{
	FILE *file = fopen("old", "w");
	if (file == NULL)
		lacks("a file");
	fputs(text, file);
	fclose(file);
}

// create-file

#define CREATES(title, ...)       \
	WAY(create_file, title)   \
	{                         \
		write_old("old"); \
		under_filter();   \
		call(__VA_ARGS__); \
		came(exists("new")); \
	}

// A file without a name gets one by linkat.
static void unnamed(long fd)
{
	char path[32];
	snprintf(path, sizeof path, "/proc/self/fd/%ld", fd);
	struct stat stat;
	came(fd >= 0 && fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode));
}

#ifdef SYS_open
CREATES(open, SYS_open, "new", O_WRONLY | O_CREAT, 0600)
CREATES(open_for_reading, SYS_open, "new", O_RDONLY | O_CREAT, 0600)
CREATES(open_exclusively, SYS_open, "new", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)
CREATES(creat, SYS_creat, "new", 0600)
CREATES(mknod, SYS_mknod, "new", S_IFREG | 0600, 0U)
CREATES(mknod_without_kind, SYS_mknod, "new", 0600, 0U)
CREATES(mknod_pipe, SYS_mknod, "new", S_IFIFO | 0600, 0U)
CREATES(mkdir, SYS_mkdir, "new", 0700)
CREATES(link, SYS_link, "old", "new")
CREATES(symlink, SYS_symlink, "old", "new")
WAY(create_file, open_unnamed)
{
	under_filter();
	unnamed(call(SYS_open, ".", O_TMPFILE | O_RDWR, 0600));
}
#endif
CREATES(openat, SYS_openat, AT_FDCWD, "new", O_WRONLY | O_CREAT, 0600)
CREATES(openat_for_reading, SYS_openat, AT_FDCWD, "new", O_RDONLY | O_CREAT, 0600)
CREATES(mknodat, SYS_mknodat, AT_FDCWD, "new", S_IFREG | 0600, 0U)
CREATES(mknodat_socket, SYS_mknodat, AT_FDCWD, "new", S_IFSOCK | 0600, 0U)
CREATES(mknodat_device, SYS_mknodat, AT_FDCWD, "new", S_IFCHR | 0600, 0x103U)
CREATES(mkdirat, SYS_mkdirat, AT_FDCWD, "new", 0700)
CREATES(linkat, SYS_linkat, AT_FDCWD, "old", AT_FDCWD, "new", 0)
CREATES(symlinkat, SYS_symlinkat, "old", AT_FDCWD, "new")

WAY(create_file, openat_unnamed)
{
	under_filter();
	unnamed(call(SYS_openat, AT_FDCWD, ".", O_TMPFILE | O_RDWR, 0600));
}

// Leaves a device node where the old name was.
WAY(create_file, renameat2_whiteout)
{
	struct stat stat;
	write_old("old");
	under_filter();
	call(SYS_renameat2, AT_FDCWD, "old", AT_FDCWD, "new", 4U /* RENAME_WHITEOUT */);
	came(lstat("old", &stat) == 0 && S_ISCHR(stat.st_mode));
}

// Not a file system with subvolumes.
WAY(create_file, ioctl_subvolume)
{
	char args[4096] = "";
	int fd = must(open(".", O_RDONLY), "open");
	under_filter();
	call(SYS_ioctl, fd, 0x5000940eU /* BTRFS_IOC_SUBVOL_CREATE */, args);
	reaches(ENOTTY);
}

WAY(create_file, openat2)
{
	struct open_how open_how = { .flags = O_WRONLY | O_CREAT, .mode = 0600 };
	under_filter();
	call(SYS_openat2, AT_FDCWD, "new", &open_how, (long)sizeof open_how);
	came(exists("new"));
}

WAY(create_file, bind_unix)
{
	struct sockaddr_un at = { AF_UNIX, "new" };
	int fd = must(socket(AF_UNIX, SOCK_DGRAM, 0), "socket");
	under_filter();
	call(SYS_bind, fd, &at, (int)sizeof at);
	came(exists("new"));
}

#if defined(__i386__)
WAY(create_file, socketcall_bind_unix)
{
	struct sockaddr_un at = { AF_UNIX, "new" };
	int fd = must(socket(AF_UNIX, SOCK_DGRAM, 0), "socket");
	under_filter();
	socketcall(SYS_BIND, UL(fd), UL(&at), sizeof at);
	came(exists("new"));
}
#endif

WAY(create_file, mq_open)
{
	under_filter();
	came(call(SYS_mq_open, "new", O_RDWR | O_CREAT | O_EXCL, 0600, NULL) >= 0);
	syscall(SYS_mq_unlink, "new");
}

// A map that is pinned has a name in the file system of BPF.
WAY(create_file, bpf_pin)
{
	union bpf_attr map = { .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1 }, pin;
	must(mkdir("bpf", 0700), "mkdir");
	must(mount("bpf", "bpf", "bpf", 0, NULL), "the file system of BPF");
	int fd = must(syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map), "bpf");
	memset(&pin, 0, sizeof pin);
	pin.pathname = (uintptr_t)"bpf/new";
	pin.bpf_fd = fd;
	under_filter();
	call(SYS_bpf, BPF_OBJ_PIN, &pin, (int)sizeof pin);
	came(exists("bpf/new"));
}

static void openat_request(enum ring how)
{
	struct io_uring_sqe sqe = { .opcode = IORING_OP_OPENAT,
				    .fd = AT_FDCWD,
				    .addr = (uintptr_t)"new",
				    .open_flags = O_WRONLY | O_CREAT,
				    .len = 0600 };
	ring_request(how, &sqe);
	came(exists("new"));
}
RING_WAYS(create_file, openat_request)

static void mkdirat_request(enum ring how)
{
	struct io_uring_sqe sqe = { .opcode = 37 /* IORING_OP_MKDIRAT */, .fd = AT_FDCWD, .addr = (uintptr_t)"new", .len = 0700 };
	ring_request(how, &sqe);
	came(exists("new"));
}
RING_WAYS(create_file, mkdirat_request)

// write-file

static void is_writable(long fd)
{
	came(fd >= 0 && write(fd, "x", 1) == 1);
}

static void is_cut(void)
{
	struct stat stat;
	came(lstat("old", &stat) == 0 && stat.st_size == 0);
}

#define WRITES(title, check, ...)      \
	WAY(write_file, title)         \
	{                              \
		write_old("old");      \
		under_filter();        \
		check(call(__VA_ARGS__)); \
	}
#define cut(ret) ((void)(ret), is_cut())

#ifdef SYS_open
WRITES(open_to_write, is_writable, SYS_open, "old", O_WRONLY)
WRITES(open_to_read_and_write, is_writable, SYS_open, "old", O_RDWR)
WRITES(open_to_cut, cut, SYS_open, "old", O_RDONLY | O_TRUNC)
WRITES(open_to_append, is_writable, SYS_open, "old", O_WRONLY | O_APPEND)
WRITES(open_new, is_writable, SYS_open, "new", O_WRONLY | O_CREAT, 0600)
WRITES(creat, is_writable, SYS_creat, "old", 0600)
// Neither reading nor writing but `ioctl`: the file has to be writable, and O_TRUNC cuts it.
WRITES(open_to_cut_by_mode_3, cut, SYS_open, "old", O_ACCMODE | O_TRUNC)
#endif
WRITES(openat_to_write, is_writable, SYS_openat, AT_FDCWD, "old", O_WRONLY)
WRITES(openat_to_read_and_write, is_writable, SYS_openat, AT_FDCWD, "old", O_RDWR | O_CLOEXEC)
WRITES(openat_to_cut, cut, SYS_openat, AT_FDCWD, "old", O_RDONLY | O_TRUNC)
WRITES(openat_unnamed, is_writable, SYS_openat, AT_FDCWD, ".", O_TMPFILE | O_WRONLY, 0600)
WRITES(truncate, cut, SYS_truncate, "old", 0L)
#ifdef SYS_truncate64
WRITES(truncate64, cut, SYS_truncate64, "old", 0L, 0L, 0L)
#endif

WAY(write_file, openat2)
{
	struct open_how open_how = { .flags = O_WRONLY };
	write_old("old");
	under_filter();
	is_writable(call(SYS_openat2, AT_FDCWD, "old", &open_how, (long)sizeof open_how));
}

struct handle {
	struct file_handle head;
	char space[128];
};

static struct handle handle_of(const char *path)
{
	struct handle handle = { .head.handle_bytes = sizeof handle.space };
	int mount_id;
	must(name_to_handle_at(AT_FDCWD, path, &handle.head, &mount_id, 0), "name_to_handle_at");
	return handle;
}

WAY(write_file, open_by_handle_at)
{
	write_old("old");
	struct handle handle = handle_of("old");
	int mount_fd = must(open(".", O_RDONLY), "open");
	under_filter();
	is_writable(call(SYS_open_by_handle_at, mount_fd, &handle, O_WRONLY));
}

WAY(create_file, open_by_handle_at)
{
	struct handle handle = handle_of(".");
	int mount_fd = must(open(".", O_RDONLY), "open");
	under_filter();
	unnamed(call(SYS_open_by_handle_at, mount_fd, &handle, O_TMPFILE | O_RDWR));
}

// Every event brings a descriptor that was opened like this.
WAY(write_file, fanotify)
{
	write_old("old");
	under_filter();
	long fd = call(SYS_fanotify_init, FAN_CLASS_NOTIF, O_RDWR | O_LARGEFILE);
	struct fanotify_event_metadata event = { .fd = -1 };
	char byte;
	if (fd < 0 || fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "old") < 0)
		return came(0);
	int reader = open("old", O_RDONLY);
	if (read(reader, &byte, 1) == 1 && read(fd, &event, sizeof event) == sizeof event)
		is_writable(event.fd);
}

WAY(write_file, quotactl)
{
	under_filter();
	call(SYS_quotactl, QCMD(Q_QUOTAON, USRQUOTA), "/nowhere", 0, "quotas");
	reaches(ENOENT);
}

WAY(write_file, mq_open)
{
	must(syscall(SYS_mq_open, "queue", O_RDWR | O_CREAT, 0600, NULL), "mq_open");
	under_filter();
	long fd = call(SYS_mq_open, "queue", O_WRONLY, 0, NULL);
	came(fd >= 0);
	syscall(SYS_mq_unlink, "queue");
}

// The kernel writes a line there whenever a process of the namespace ends.
WAY(write_file, acct)
{
	struct stat stat;
	write_old("");
	under_filter();
	long ret = call(SYS_acct, "old");
	if (ret == 0) {
		pid_t child = fork();
		if (child == 0)
			_exit(0);
		waitpid(child, NULL, 0);
		syscall(SYS_acct, NULL);
	}
	came(lstat("old", &stat) == 0 && stat.st_size > 0);
}

static void write_request(enum ring how)
{
	write_old("old");
	struct io_uring_sqe sqe = { .opcode = IORING_OP_OPENAT, .fd = AT_FDCWD, .addr = (uintptr_t)"old", .open_flags = O_WRONLY };
	is_writable(ring_request(how, &sqe));
}
RING_WAYS(write_file, write_request)

// No swap in it: the kernel opens it for writing and finds no header.
MACHINE_WAY(write_file, swapon)
{
	write_old("old");
	under_filter();
	call(SYS_swapon, "old", 0);
	reaches(EINVAL);
}
