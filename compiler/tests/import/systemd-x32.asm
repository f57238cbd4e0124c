; What systemd installs for `SystemCallFilter=~@mount` beside those for x86_64 and x86, if it is not told `SystemCallArchitectures=`: the
; same for x32, which has x86_64's token.
        ld   [4]
        jeq  #0xc000003e, l2, l16
l2:     ld   [0]
        jge  #0x40000000, l4, l16
l4:     jeq  #0x4000009b, l15, l5
l5:     jeq  #0x400000a1, l15, l6
l6:     jeq  #0x400000a5, l15, l7
l7:     jeq  #0x400000a6, l15, l8
l8:     jeq  #0x400001ac, l15, l9
l9:     jeq  #0x400001ad, l15, l10
l10:    jeq  #0x400001ae, l15, l11
l11:    jeq  #0x400001af, l15, l12
l12:    jeq  #0x400001b0, l15, l13
l13:    jeq  #0x400001b1, l15, l14
l14:    jeq  #0x400001ba, l15, l16
l15:    ret  #0x80000000
l16:    ret  #0x7fff0000
