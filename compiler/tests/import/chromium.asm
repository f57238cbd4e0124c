; The shape that Chromium's bpf_dsl gives a filter, with a policy of our own: the ABI is checked first, then bit 30 of the
; number (x32); numbers are found by a tree of >= over ranges; an argument of 32 bits passes if its upper half is 0, or all ones
; where the lower half is negative; 64-bit masks are compared half by half; answers are traps with numbers.
        ld   [4]
        jeq  #0xc000003e, l1, foreign
l1:     ld   [0]
        jset #0x40000000, x32, l2
l2:     jge  #0x49, l8, l3
l3:     jge  #0xa, l5, l4
l4:     jge  #0x9, mmap, l41
l41:    jge  #0x4, crash, allow
l5:     jge  #0x10, l6, l51
l51:    jge  #0xb, crash, mprotect
l6:     jge  #0x11, l7, ioctl
l7:     jge  #0x48, fcntl, crash
l8:     jge  #0xe7, l9, l81
l81:    jge  #0xe6, sleep, crash
l9:     jge  #0xe8, crash, allow
; flags: only MAP_SHARED, MAP_PRIVATE, MAP_ANONYMOUS
mmap:   ld   [44]
        jset #0xffffffff, crash, m1
m1:     ld   [40]
        jset #0xffffffdc, crash, allow
; prot & (PROT_READ | PROT_WRITE | PROT_EXEC) alone
mprotect: ld [36]
        jeq  #0x0, p1, crash
p1:     ld   [32]
        jset #0xfffffff8, crash, allow
; cmd is an unsigned int
ioctl:  ld   [28]
        jeq  #0x0, i2, i1
i1:     jeq  #0xffffffff, i11, crash
i11:    ld   [24]
        jset #0x80000000, i2, crash
i2:     ld   [24]
        jeq  #0x5401, allow, i3
i3:     ld   [28]
        jeq  #0x0, i5, i4
i4:     jeq  #0xffffffff, i41, crash
i41:    ld   [24]
        jset #0x80000000, i5, crash
i5:     ld   [24]
        jeq  #0x541b, allow, eperm
; cmd by list, and for one of them the flags under a mask of 64 bits
fcntl:  ld   [28]
        jeq  #0x0, f1, crash
f1:     ld   [24]
        jge  #0x4, f3, f2
f2:     jge  #0x1, allow, crash
f3:     jeq  #0x4, f4, crash
f4:     ld   [36]
        and  #0xffffffff
        jeq  #0x0, f5, crash
f5:     ld   [32]
        and  #0xfffff3ff
        jeq  #0x0, allow, crash
; which_clock: 0 to 7
sleep:  ld   [20]
        jeq  #0x0, s1, crash
s1:     ld   [16]
        jge  #0x8, crash, allow
foreign: ret #0x3000a
x32:    ret  #0x30009
crash:  ret  #0x30001
eperm:  ret  #0x50001
allow:  ret  #0x7fff0000
