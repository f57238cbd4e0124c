; The shape of minijail's own compiler, with a policy of our own: a chain of equality tests over the numbers, in which what has
; conditions jumps to a block behind; blocks test both halves of a register, in groups that are joined by OR.
        ld   [4]
        jeq  #0xc000003e, l1, bad
bad:    ret  #0x80000000
l1:     ld   [0]
        jeq  #0x0, a1, n1
a1:     jmp  allow
n1:     jeq  #0x1, a2, n2
a2:     jmp  allow
n2:     jeq  #0xe7, a3, n3
a3:     jmp  allow
n3:     jeq  #0x3b, a4, n4
a4:     jmp  allow
n4:     jeq  #0x9d, a5, n5
a5:     jmp  prctl
n5:     jeq  #0xa, a6, n6
a6:     jmp  mprotect
n6:     jeq  #0x65, a7, n7
a7:     ret  #0x50001
n7:     jmp  kill
; arg0 == PR_SET_NAME || arg0 == PR_GET_NAME
prctl:  ld   [20]
        jeq  #0x0, p1, q1
p1:     ld   [16]
        jeq  #0xf, p2, q1
p2:     jmp  allow
q1:     ld   [20]
        jeq  #0x0, q2, q4
q2:     ld   [16]
        jeq  #0x10, q3, q4
q3:     jmp  allow
q4:     jmp  kill
; arg2 in ~PROT_EXEC
mprotect: ld [36]
        jset #0x0, r9, r1
r1:     ld   [32]
        jset #0x4, r9, r2
r2:     jmp  allow
r9:     jmp  kill
allow:  ret  #0x7fff0000
kill:   ret  #0x80000000
