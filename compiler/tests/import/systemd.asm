; What systemd installs for `SystemCallFilter=read`, which libseccomp writes: the default group is added, calls by another token get
; through, and so do all of x32 but the last number.
        ld   [4]
        jeq  #0xc000003e, l2, l51
l2:     ld   [0]
        jge  #0x40000000, l4, l5
l4:     jeq  #0xffffffff, l5, l51
l5:     jeq  #0x0, l51, l6
l6:     jeq  #0x9, l51, l7
l7:     jeq  #0xa, l51, l8
l8:     jeq  #0xb, l51, l9
l9:     jeq  #0xc, l51, l10
l10:    jeq  #0xf, l51, l11
l11:    jeq  #0x18, l51, l12
l12:    jeq  #0x22, l51, l13
l13:    jeq  #0x23, l51, l14
l14:    jeq  #0x27, l51, l15
l15:    jeq  #0x3b, l51, l16
l16:    jeq  #0x3c, l51, l17
l17:    jeq  #0x60, l51, l18
l18:    jeq  #0x61, l51, l19
l19:    jeq  #0x66, l51, l20
l20:    jeq  #0x68, l51, l21
l21:    jeq  #0x6b, l51, l22
l22:    jeq  #0x6c, l51, l23
l23:    jeq  #0x6e, l51, l24
l24:    jeq  #0x6f, l51, l25
l25:    jeq  #0x73, l51, l26
l26:    jeq  #0x76, l51, l27
l27:    jeq  #0x78, l51, l28
l28:    jeq  #0x79, l51, l29
l29:    jeq  #0x7c, l51, l30
l30:    jeq  #0x9e, l51, l31
l31:    jeq  #0xba, l51, l32
l32:    jeq  #0xc9, l51, l33
l33:    jeq  #0xca, l51, l34
l34:    jeq  #0xcc, l51, l35
l35:    jeq  #0xcd, l51, l36
l36:    jeq  #0xd3, l51, l37
l37:    jeq  #0xda, l51, l38
l38:    jeq  #0xdb, l51, l39
l39:    jeq  #0xe4, l51, l40
l40:    jeq  #0xe5, l51, l41
l41:    jeq  #0xe6, l51, l42
l42:    jeq  #0xe7, l51, l43
l43:    jeq  #0x111, l51, l44
l44:    jeq  #0x112, l51, l45
l45:    jeq  #0x12e, l51, l46
l46:    jeq  #0x13e, l51, l47
l47:    jeq  #0x144, l51, l48
l48:    jeq  #0x14e, l51, l49
l49:    jeq  #0x1c1, l51, l50
l50:    ret  #0x80000000
l51:    ret  #0x7fff0000
