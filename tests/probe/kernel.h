// What the test programs have in common: the instruction by which each ABI enters the kernel, and filters as text.

#ifndef KERNEL_H
#define KERNEL_H

#include <linux/filter.h>
#include <stdint.h>
#include <stdio.h>

// Reads the number of instructions, then each as code jt jf k, in hex; false if that is not what stands there.
static int read_filter(FILE *in, struct sock_fprog *program)
{
	unsigned count;
	if (fscanf(in, "%u", &count) != 1 || count > BPF_MAXINSNS)
		return 0;
	program->len = count;
	for (unsigned i = 0; i < count; i++) {
		unsigned code, jt, jf, k;
		if (fscanf(in, "%x %x %x %x", &code, &jt, &jf, &k) != 4)
			return 0;
		program->filter[i] = (struct sock_filter){ code, jt, jf, k };
	}
	return 1;
}

#if defined(__x86_64__) // x32 too: its numbers have a bit of their own
static long enter(long nr, const uint64_t *a)
{
	register uint64_t r10 __asm__("r10") = a[3];
	register uint64_t r8 __asm__("r8") = a[4];
	register uint64_t r9 __asm__("r9") = a[5];
	int64_t ret;
	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"((int64_t)nr), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}
#elif defined(__i386__)
// Not the vDSO's `sysenter`, which a 64-bit program can't make. The sixth argument is ebp, which the compiler does not
// give away: hence a whole function.
long enter_int80(long nr, const uint32_t *args);
__asm__(".text\n"
	".globl enter_int80\n"
	"enter_int80:\n"
	"	push %ebx\n"
	"	push %esi\n"
	"	push %edi\n"
	"	push %ebp\n"
	"	mov 20(%esp), %eax\n"
	"	mov 24(%esp), %ebp\n"
	"	mov 0(%ebp), %ebx\n"
	"	mov 4(%ebp), %ecx\n"
	"	mov 8(%ebp), %edx\n"
	"	mov 12(%ebp), %esi\n"
	"	mov 16(%ebp), %edi\n"
	"	mov 20(%ebp), %ebp\n"
	"	int $0x80\n"
	"	pop %ebp\n"
	"	pop %edi\n"
	"	pop %esi\n"
	"	pop %ebx\n"
	"	ret\n");
static long enter(long nr, const uint64_t *a)
{
	uint32_t low[6];
	for (int i = 0; i < 6; i++)
		low[i] = a[i];
	return enter_int80(nr, low);
}
#elif defined(__aarch64__)
static long enter(long nr, const uint64_t *a)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a[0];
	register long x1 __asm__("x1") = a[1];
	register long x2 __asm__("x2") = a[2];
	register long x3 __asm__("x3") = a[3];
	register long x4 __asm__("x4") = a[4];
	register long x5 __asm__("x5") = a[5];
	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
}
#elif defined(__arm__)
// r7 is the frame pointer of Thumb code; the whole program is built with -marm.
static long enter(long nr, const uint64_t *a)
{
	register long r7 __asm__("r7") = nr;
	register long r0 __asm__("r0") = a[0];
	register long r1 __asm__("r1") = a[1];
	register long r2 __asm__("r2") = a[2];
	register long r3 __asm__("r3") = a[3];
	register long r4 __asm__("r4") = a[4];
	register long r5 __asm__("r5") = a[5];
	__asm__ volatile("svc #0" : "+r"(r0) : "r"(r7), "r"(r1), "r"(r2), "r"(r3), "r"(r4), "r"(r5) : "memory");
	return r0;
}
#else
#error "no way into the kernel written for this machine"
#endif

#endif
