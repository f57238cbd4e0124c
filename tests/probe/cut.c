/* What the kernel drops of an argument under some commands: each call made three times.
 *
 *     name    result by the value    by the same with bits above    by another value
 *     semctl  5                      5                              6
 *
 * A result is what the call brought about, where that can be read back, else what it returned, or minus its errno. The values
 * are in tests/tests/kernel.rs, beside the condition that stands for the first two of them.
 */

#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/prctl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/ptrace.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static long result(long returned)
{
    return returned == -1 ? -errno : returned;
}

/* The protocol that the socket has. */
static long packet_protocol(unsigned long protocol)
{
    int fd = syscall(SYS_socket, AF_PACKET, SOCK_RAW, protocol);
    struct sockaddr_ll at;
    socklen_t size = sizeof at;
    if (fd < 0)
        return result(-1);
    memset(&at, 0, sizeof at);
    long of = getsockname(fd, (struct sockaddr *)&at, &size) ? result(-1) : at.sll_protocol;
    close(fd);
    return of;
}

/* The value that the semaphore has. */
static long semaphore(unsigned long value)
{
    int set = semget(IPC_PRIVATE, 1, 0600);
    if (set < 0)
        return result(-1);
    long of = result(syscall(SYS_semctl, set, 0, SETVAL, value));
    if (of == 0)
        of = syscall(SYS_semctl, set, 0, GETVAL, 0);
    semctl(set, 0, IPC_RMID);
    return of;
}

/* A program cannot change its own file while it runs: EBUSY if the descriptor was understood, EBADF if not. */
static long exe_file(unsigned long fd)
{
    return result(syscall(SYS_prctl, PR_SET_MM, PR_SET_MM_EXE_FILE, fd, 0L, 0L));
}

static pid_t traced(void)
{
    pid_t child = fork();
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    return child;
}

static void gone(pid_t child)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* How many bytes of registers come back. */
static long register_set(unsigned long type)
{
    static char space[4096];
    struct iovec to = { space, sizeof space };
    pid_t child = traced();
    long of = result(syscall(SYS_ptrace, PTRACE_GETREGSET, (long)child, type, &to));
    gone(child);
    return of ? of : (long)to.iov_len;
}

/* How the child ends after it was let go: by this signal. */
static long detach(unsigned long signal)
{
    int status = 0;
    pid_t child = traced();
    long of = result(syscall(SYS_ptrace, PTRACE_DETACH, (long)child, 0L, signal));
    if (of) {
        gone(child);
        return of;
    }
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

#if defined(__x86_64__)
/* What `ds` is afterwards. */
static long segment(unsigned long value)
{
    pid_t child = traced();
    long of = result(syscall(SYS_ptrace, PTRACE_POKEUSER, (long)child, 184L, value));
    if (of == 0)
        of = ptrace(PTRACE_PEEKUSER, child, (void *)184L, NULL);
    gone(child);
    return of;
}
#endif

/* A request of a driver that takes a process id, as an int: what it is in the namespace of the asker. */
static long namespace_request(unsigned long pid)
{
    int fd = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
    long of = result(syscall(SYS_ioctl, fd, _IOR(0xb7, 0x6, int), pid));
    close(fd);
    return of;
}

static void print(const char *name, long (*of)(unsigned long), unsigned long value, unsigned long above, unsigned long other)
{
    printf("%s\t%ld\t%ld\t%ld\n", name, of(value), of(value | above), of(other));
    fflush(stdout);
}

int main(void)
{
    const unsigned long half = 1UL << 32;
    print("socket", packet_protocol, 3, 1 << 16, 8);
    print("semctl", semaphore, 5, half, 6);
    int fd = open("/proc/self/exe", O_RDONLY);
    dup2(fd, 9);
    print("prctl", exe_file, 9, half, 12);
    print("getregset", register_set, NT_PRSTATUS, half, NT_FPREGSET);
    print("detach", detach, SIGTERM, half, SIGUSR1);
#if defined(__x86_64__)
    print("segment", segment, 0x2b, 1 << 16, 0);
#endif
    print("ioctl", namespace_request, 1, half, 0x7ffffff0);
    return 0;
}
