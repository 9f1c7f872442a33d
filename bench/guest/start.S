# SPDX-License-Identifier: MIT
#
# Start of the bare-metal programs: in M-mode at 0x80000000, where a board without firmware begins.
# Hart 0 enables floating point, calls main and powers the board off; the others never go on.

	.section .text.start
	.globl _start
_start:
	csrr	t0, mhartid
	bnez	t0, 1f
	li	t0, 0x6000		# mstatus.FS: dirty
	csrs	mstatus, t0
	la	sp, stack_top
	call	main
	li	t0, 0x100000		# the test device
	li	t1, 0x5555		# pass
	sw	t1, 0(t0)
1:	wfi
	j	1b

	.bss
	.balign	16
	.space	65536
stack_top:
