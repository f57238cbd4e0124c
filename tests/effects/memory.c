// executable-memory: pages that a process may run and did not have before.

#include "net.h"

#include <sys/ipc.h>
#include <sys/personality.h>
#include <sys/shm.h>

// Whether the page may be executed, as the kernel tells.
static int may_run(long at)
{
	unsigned long from, to, page = (unsigned long)at;
	char rights[8], line[512];
	int found = 0;
	FILE *maps = fopen("/proc/self/maps", "r");
	while (maps && fgets(line, sizeof line, maps))
		if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) == 3 && from <= page && page < to && rights[2] == 'x')
			found = 1;
	return found;
}

static int is_error(long ret)
{
	return ret < 0 && ret > -4096;
}

static void runs(long at)
{
	came(!is_error(at) && may_run(at));
}

static long page(void)
{
	return (long)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

#ifdef SYS_mmap2
#define MMAP SYS_mmap2
#else
#define MMAP SYS_mmap
#endif

WAY(executable_memory, mmap)
{
	under_filter();
	runs(call(MMAP, NULL, 4096L, (long)(PROT_READ | PROT_EXEC), (long)(MAP_PRIVATE | MAP_ANONYMOUS), -1L, 0L));
}

WAY(executable_memory, mmap_of_file)
{
	int fd = must(open(self_path, O_RDONLY), "open");
	under_filter();
	runs(call(MMAP, NULL, 4096L, (long)(PROT_READ | PROT_EXEC), (long)MAP_PRIVATE, (long)fd, 0L));
}

WAY(executable_memory, mmap_writable)
{
	long prot = PROT_READ | PROT_WRITE | PROT_EXEC;
	under_filter();
	runs(call(MMAP, NULL, 4096L, prot, (long)(MAP_SHARED | MAP_ANONYMOUS), -1L, 0L));
}

#if defined(__i386__)
// The old call takes its arguments from memory, so a filter sees none of them.
WAY(executable_memory, old_mmap)
{
	unsigned long args[6] = { 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1UL, 0 };
	under_filter();
	runs(call(SYS_mmap, args));
}

WAY(executable_memory, ipc_shmat)
{
	int id = must(shmget(IPC_PRIVATE, 4096, 0700), "shmget");
	unsigned long at = 0;
	under_filter();
	call(SYS_ipc, 21 /* SHMAT */, id, (long)SHM_EXEC, &at, NULL);
	came(at != 0 && may_run((long)at));
}
#endif

WAY(executable_memory, mprotect)
{
	long at = page();
	under_filter();
	call(SYS_mprotect, at, 4096L, (long)(PROT_READ | PROT_EXEC));
	runs(at);
}

// PROT_GROWSDOWN beside it: the stack.
WAY(executable_memory, mprotect_of_stack)
{
	long at = (long)&at & ~4095L;
	under_filter();
	call(SYS_mprotect, at, 4096L, (long)(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_GROWSDOWN));
	runs(at);
}

WAY(executable_memory, pkey_mprotect)
{
	long at = page();
	under_filter();
	call(SYS_pkey_mprotect, at, 4096L, (long)(PROT_READ | PROT_EXEC), -1);
	runs(at);
}

#ifdef SYS_shmat
WAY(executable_memory, shmat)
{
	int id = must(shmget(IPC_PRIVATE, 4096, 0700), "shmget");
	under_filter();
	runs(call(SYS_shmat, id, NULL, SHM_EXEC));
}
#endif

// Whatever is mapped to be read from then on may be run.
WAY(executable_memory, personality)
{
	under_filter();
	call(SYS_personality, READ_IMPLIES_EXEC);
	runs(page());
}

WAY(executable_memory, personality_among_flags)
{
	under_filter();
	call(SYS_personality, ADDR_NO_RANDOMIZE | READ_IMPLIES_EXEC);
	runs(page());
}

#ifdef SYS_uselib
// No library to map: the kernel looks for it.
WAY(executable_memory, uselib)
{
	under_filter();
	call(SYS_uselib, "/nonexistent");
	reaches(ENOENT);
}
#endif
