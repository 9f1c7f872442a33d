// SPDX-License-Identifier: MIT
// Every hart starts here, in M-mode. It gets a stack page of its own and never returns from C.
	.section .start, "ax"
	.globl start
start:
	csrr	a0, mhartid
	la	sp, stacks
	addi	t0, a0, 1
	slli	t0, t0, 12
	add	sp, sp, t0
	j	hart_main

	.bss
	.balign	4096
stacks:	.zero	4096 * HARTS

// The monitor looks here when CPUs meet: 1 ends the run well.
	.data
	.balign	4096
	.globl	tohost
tohost:	.dword	0
