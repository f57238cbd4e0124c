// Tries ways under filters, each in a process of its own, and says what became of them.
//
//     in   filter 2                  number of instructions, then each as code jt jf k, in hex
//          6 0 0 7fff0000
//                                    none at all: the ways are under the filter that this program was started with
//          as 1000                   whose ids the ways have from here on; those of others do not change the machine
//          try connect/ clean        every way whose name begins so; `dirty`: with garbage above what is narrow
//     out  filter
//          way connect/sendto-fastopen clean
//          call 2c 4 7ffd… 1 20000000 7ffd… 10 : 1      number and arguments in hex, result; `gone` if it never came back
//          said came                 or: absent, reaches ERRNO, lacks WHAT, died SIGNAL, hung, not-installed ERRNO, nothing
//
//     effects FILE             tries what the file says, in namespaces of its own
//     effects FILE machine     the same with the ways that change the machine
//     effects FILE here        tries them where it is, as a container's program does
//     effects ran              exits with 42: the program that ways start
//
// As process 1 of a virtual machine it prepares that, starts /try-ABI with /jobs-ABI one after the other, and powers off.

#include "effects.h"
#include "../probe/kernel.h"

#include <dirent.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>

// A call that blocks would hang the run. Nothing that is measured depends on this.
#define PATIENCE_SECONDS 20
#define MAX_CALLS 16

// Written by the process under test, read by its parent.
struct record {
	volatile enum { NOTHING, NOT_INSTALLED, CAME, ABSENT, REACHES, LACKS } said;
	volatile long value;
	char text[120];
	volatile unsigned count;
	struct made {
		uint64_t nr, args[6];
		long result;
		int back;
	} made[MAX_CALLS];
};

static struct record *record;
static struct sock_filter program[BPF_MAXINSNS];
static struct sock_fprog fprog = { .filter = program };
static struct way *ways;
static int dirty, machine;
static uid_t user;
static pid_t owner;
const char *self_path = "/proc/self/exe";

void add_way(struct way *way)
{
	struct way **at = &ways;
	while (*at && strcmp((*at)->name, way->name) < 0)
		at = &(*at)->next;
	way->next = *at;
	*at = way;
}

void under_filter(void)
{
	if (fprog.len == 0)
		return;
	long ret = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &fprog);
	if (ret < 0 && errno == EACCES && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0) // not root any more
		ret = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &fprog);
	if (ret < 0) {
		record->said = NOT_INSTALLED;
		record->value = errno;
		_exit(0);
	}
}

uint64_t to_register(uint64_t value, size_t size)
{
	if (dirty && sizeof(void *) == 8 && size < 8)
		return (value & 0xffffffff) | 0xdeadbeef00000000;
	return value;
}

long make_call(long nr, const uint64_t *args)
{
	struct made *made = &record->made[record->count];
	if (record->count == MAX_CALLS)
		abort();
	made->nr = (uint32_t)nr;
	memcpy(made->args, args, sizeof made->args);
	record->count++;
	owner = getpid();
	long ret = enter(nr, args);
	if (ret == 0 && getpid() != owner)
		_exit(0);
	made->result = ret;
	made->back = 1;
	return ret;
}

static int was_refused(void)
{
	for (unsigned i = 0; i < record->count; i++)
		if (record->made[i].result == -REFUSED || record->made[i].result == -ENOSYS)
			return 1;
	return 0;
}

int patience(void)
{
	return was_refused() ? 20 : 5000;
}

void came(int yes)
{
	record->said = yes ? CAME : ABSENT;
}

void reaches(int expected)
{
	record->said = REACHES;
	record->value = expected;
}

void lacks(const char *what)
{
	record->said = LACKS;
	snprintf(record->text, sizeof record->text, "%s", what);
	_exit(0);
}

int must(long result, const char *what)
{
	if (result < 0) {
		char text[120];
		snprintf(text, sizeof text, "%s: %s", what, strerror(errno));
		lacks(text);
	}
	return result;
}

static void print_name(const char *name)
{
	for (; *name; name++)
		putchar(*name == '_' ? '-' : *name);
}

static void tell(const struct way *way, int status)
{
	printf("way ");
	print_name(way->name);
	printf(" %s\n", dirty ? "dirty" : "clean");
	for (unsigned i = 0; i < record->count; i++) {
		const struct made *made = &record->made[i];
		printf("call %llx", (unsigned long long)made->nr);
		for (int j = 0; j < 6; j++)
			printf(" %llx", (unsigned long long)made->args[j]);
		if (made->back)
			printf(" : %ld\n", made->result);
		else
			printf(" : gone\n");
	}
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		printf("said hung\n");
	else if (WIFSIGNALED(status))
		printf("said died %d\n", WTERMSIG(status));
	else
		switch (record->said) {
		case NOTHING: printf("said nothing\n"); break;
		case NOT_INSTALLED: printf("said not-installed %ld\n", record->value); break;
		case CAME: printf("said came\n"); break;
		case ABSENT: printf("said absent\n"); break;
		case REACHES: printf("said reaches %ld\n", record->value); break;
		case LACKS: printf("said lacks %s\n", record->text); break;
		}
}

static void try_way(const struct way *way)
{
	static unsigned count;
	char folder[32];
	memset(record, 0, sizeof *record);
	snprintf(folder, sizeof folder, "/tmp/%u", count++);
	fflush(stdout);
	pid_t child = fork();
	if (child < 0) {
		perror("fork");
		exit(1);
	}
	if (child == 0) {
		struct rlimit no_core = { 0, 0 };
		setsid();
		setrlimit(RLIMIT_CORE, &no_core);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(PATIENCE_SECONDS);
		umask(0);
		mkdir(folder, 0777);
		if (chdir(folder) < 0 && fprog.len != 0)
			lacks("a folder");
		if (user != 0 && (setresgid(user, user, user) < 0 || setresuid(user, user, user) < 0))
			lacks("another user");
		way->run();
		_exit(0);
	}
	int status = 0;
	while (waitpid(child, &status, 0) != child)
		;
	kill(-child, SIGKILL);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	tell(way, status);
}

static int read_jobs(FILE *in)
{
	char word[16], prefix[80], how[16];
	unsigned line = 0;
	while (fscanf(in, "%15s", word) == 1) {
		line++;
		if (strcmp(word, "filter") == 0) {
			if (!read_filter(in, &fprog))
				goto nonsense;
			printf("filter\n");
		} else if (strcmp(word, "as") == 0) {
			if (fscanf(in, "%u", &user) != 1)
				goto nonsense;
		} else if (strcmp(word, "try") == 0) {
			if (fscanf(in, "%79s %15s", prefix, how) != 2)
				goto nonsense;
			dirty = strcmp(how, "dirty") == 0;
			for (char *c = prefix; *c; c++)
				if (*c == '-')
					*c = '_';
			int whole = strchr(prefix, '/') && prefix[strlen(prefix) - 1] != '/';
			for (struct way *way = ways; way; way = way->next) {
				int meant = whole ? strcmp(way->name, prefix) == 0 :
						    strncmp(way->name, prefix, strlen(prefix)) == 0;
				if ((meant || strcmp(prefix, "all") == 0) && (machine || user != 0 || !way->needs_machine))
					try_way(way);
			}
		} else {
			goto nonsense;
		}
	}
	printf("end\n");
	fflush(stdout);
	return 0;
nonsense:
	fprintf(stderr, "effects: statement %u is not understood\n", line);
	return 2;
}

static void loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		perror("loopback");
	close(fd);
}

// Namespaces in which the ways may do as they like; everything in them ends with this process.
static void shut_in(void)
{
	if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID) < 0) {
		perror("unshare");
		exit(1);
	}
	pid_t child = fork();
	if (child != 0) {
		int status;
		if (child < 0 || waitpid(child, &status, 0) != child)
			exit(1);
		exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || mount("proc", "/proc", "proc", 0, NULL) < 0 ||
	    mount("tmp", "/tmp", "tmpfs", 0, NULL) < 0) {
		perror("mount");
		exit(1);
	}
	FILE *file = fopen("/proc/sys/net/ipv4/tcp_fastopen", "w"); // client and server
	if (file) {
		fputs("3", file);
		fclose(file);
	}
	loopback_up();
}

static void start(const char *program_path, const char *jobs)
{
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		execl(program_path, program_path, jobs, "machine", NULL);
		perror(program_path);
		_exit(1);
	}
	while (waitpid(child, NULL, 0) != child)
		;
}

// The modules lie in / with names that say in which order they are loaded.
static void load_modules(void)
{
	struct dirent **names;
	int count = scandir("/modules", &names, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		char path[300];
		snprintf(path, sizeof path, "/modules/%s", names[i]->d_name);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (strstr(path, ".ko") && syscall(SYS_finit_module, fd, "", 0) < 0)
			printf("%s: %s\n", path, strerror(errno));
		close(fd);
	}
}

static void virtual_machine(void)
{
	static const char *const abis[] = { "x86_64", "x86", "x32", "aarch64", "arm" };
	mkdir("/proc", 0755), mkdir("/sys", 0755), mkdir("/dev", 0755), mkdir("/tmp", 0777);
	if (mount("proc", "/proc", "proc", 0, NULL) < 0 || mount("sys", "/sys", "sysfs", 0, NULL) < 0 ||
	    mount("dev", "/dev", "devtmpfs", 0, NULL) < 0)
		perror("mount");
	mkdir("/dev/pts", 0755);
	if (mount("devpts", "/dev/pts", "devpts", 0, NULL) < 0)
		perror("devpts");
	load_modules();
	for (unsigned i = 0; i < sizeof abis / sizeof *abis; i++) {
		char tool[32], jobs[32];
		snprintf(tool, sizeof tool, "/try-%s", abis[i]);
		snprintf(jobs, sizeof jobs, "/jobs-%s", abis[i]);
		if (access(tool, X_OK) == 0) {
			printf("\nabi %s\n", abis[i]); // the firmware leaves a line open
			start(tool, jobs);
		}
	}
	fflush(stdout);
	sync();
	reboot(RB_POWER_OFF);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "ran") == 0)
		return RAN;
	if (strcmp(argv[0], REQUEST_KEY) == 0)
		return close(creat(REQUEST_KEY_RAN, 0600));
	if (getpid() == 1 && argc < 2)
		virtual_machine();
	/* Whoever runs the tests in the background may have these ignored, and the ways to signal others are seen by them. */
	signal(SIGHUP, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
	record = mmap(NULL, sizeof *record, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	FILE *in = argc > 1 ? fopen(argv[1], "re") : NULL;
	if (record == MAP_FAILED || in == NULL) {
		perror(argc > 1 ? argv[1] : "effects");
		return 1;
	}
	machine = argc > 2 && strcmp(argv[2], "machine") == 0;
	if (argc > 2 && strcmp(argv[2], "here") == 0)
		must(chdir("/tmp"), "/tmp");
	else
		shut_in();
	return read_jobs(in);
}
