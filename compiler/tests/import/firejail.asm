; The shape of a list of what is refused, as firejail writes it: the ABI is looked at, and left alone if it is another; x32 is refused
; by a comparison; then a test and an answer for each call, and everything else may run.
        ld   [4]
        jeq  #0xc000003e, l2, l1
l1:     ret  #0x7fff0000
l2:     ld   [0]
        jge  #0x40000000, l3, l4
l3:     ret  #0x50001
l4:     jeq  #0xa5, l5, l6
l5:     ret  #0x50001
l6:     jeq  #0xa6, l7, l8
l7:     ret  #0x50001
l8:     jeq  #0x65, l9, l10
l9:     ret  #0x50001
l10:    jeq  #0xa9, l11, l12
l11:    ret  #0x50001
l12:    ret  #0x7fff0000
