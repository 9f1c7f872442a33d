// SPDX-License-Identifier: MIT
//
// The first and the last instructions: the header of a RISC-V Image, by which any boot loader knows where to put us
// (Linux Documentation/arch/riscv/boot-image-header.rst), how a hart gets from nothing to C, and what happens on a trap.
// There is no virtual memory, so nothing has to be set up for it; memory above the file is zero, as every board that this
// boots on gives it, so .bss is not cleared: the hart that uses a page first touches it first, and so places it on its node.

	.section .start, "ax"
	.option	norvc
	.globl	_start
_start:
	j	first
	nop
	.dword	0x200000		// from the start of RAM
	.dword	image_bytes		// memory taken, .bss included
	.dword	0			// little-endian
	.word	2, 0			// version 0.2
	.dword	0
	.ascii	"RISCV\0\0\0"
	.ascii	"RSC\x05"
	.word	0
	.option	rvc

// The hart that boots. a0: its id, a1: the device tree. The thread's own variables lie at the top of its stack: tp = sp.
first:
	la	sp, first_stack_end
	la	t0, tls_bytes_rounded
	sub	sp, sp, t0
	la	t1, boot
	j	enter

// The others, started by pthread_create(). a0: the id, a1: the hart's struct, whose first word is its stack pointer.
	.globl	hart_entry
hart_entry:
	ld	sp, 0(a1)
	la	t1, hart_main

enter:
	.option	push
	.option	norelax
	la	gp, __global_pointer$
	.option	pop
	mv	tp, sp
	la	t0, trap
	csrw	stvec, t0
	li	t0, 2
	csrw	sie, t0			// only IPIs end a wfi, and as sstatus.SIE stays 0, they never trap
	li	t0, 0x2000
	csrs	sstatus, t0		// floating point on
	fscsr	zero
	li	fp, 0
	li	ra, 0
	jr	t1

// A program's mistake, since nothing else traps. The first hart to come here says so and ends the machine, on a stack of
// its own, for the mistake may have been the stack; others wait for that.
	.balign	4
trap:
	la	t0, trapped
	li	t1, 1
	amoswap.w.aq t1, t1, (t0)
1:	bnez	t1, 1b
	la	sp, trap_stack_end
	csrr	a0, scause
	csrr	a1, sepc
	csrr	a2, stval
	csrr	a3, sscratch
	j	trap_report

	.bss
	.balign	4096
	.space	4096
trap_stack_end:
	.space	256 << 10
	.balign	128
first_stack_end:
trapped:
	.word	0
