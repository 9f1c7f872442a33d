# SPDX-License-Identifier: MIT
# One program for a cluster of VMs: every even VM is a healthy neighbour that works for a while and powers off; every odd one
# does, by its number, one of the things no guest should. tests/test-hostile.sh knows what is to be reported of each. Two harts;
# the second one sleeps except where it is needed.

.option norvc
.include "bare.inc"
	mv	s0, a0			# hart
	vm_number s1
	andi	t0, s1, 1
	beqz	t0, healthy
	srli	s1, s1, 1
	la	t0, table
	slli	t1, s1, 3
	add	t0, t0, t1
	ld	t0, 0(t0)
	jr	t0

.balign 8
table:	.dword	nowhere, trap_loop, garbage_rings, dma_outside, unknown_mmio, sleep, no_tables, self_modifying, ping_pong, locked_out
	.dword	console_flood, misaligned_devices

.macro only_first_hart
	beqz	s0, 1f
2:	wfi
	j	2b
1:
.endm

# ---- the neighbour
healthy:
	only_first_hart
	li	t0, 3000000
1:	addi	t0, t0, -1
	bnez	t0, 1b
	exit	0

# ---- 0: jump where there is nothing, and have the trap handler there as well
nowhere:
	csrw	mtvec, zero
	jr	zero

# ---- 1: a trap handler that traps, though not on its first instruction
trap_loop:
	la	t0, 1f
	csrw	mtvec, t0
	.balign 4
1:	nop
	nop
	.word	0

# ---- 2: rings full of rubbish, on every device, again and again
garbage_rings:
	only_first_hart
	li	s2, VIRTIO
	li	s3, 8			# slots
	li	s4, 0x9e3779b97f4a7c15	# generator
	la	t0, skip
	csrw	mtvec, t0
1:	lw	t0, 0(s2)		# "virt", and some device
	lw	t1, 8(s2)
	beqz	t1, 6f
	li	s5, 40			# times
2:	sw	zero, 0x70(s2)		# reset
	li	t0, 3
	sw	t0, 0x70(s2)		# acknowledge, driver
	li	t0, 1
	sw	t0, 0x24(s2)		# VERSION_1 and nothing else
	sw	t0, 0x20(s2)
	sw	zero, 0x24(s2)
	sw	zero, 0x20(s2)
	li	t0, 11
	sw	t0, 0x70(s2)		# features are fine
	li	s6, 0			# queue
3:	sw	s6, 0x30(s2)
	lw	t1, 0x34(s2)		# its largest size
	beqz	t1, 5f
	sw	t1, 0x38(s2)
	la	t2, scratch
	li	t3, 0x3000
	add	t3, t3, t2
4:	slli	t4, s4, 13		# xorshift
	xor	s4, s4, t4
	srli	t4, s4, 7
	xor	s4, s4, t4
	slli	t4, s4, 17
	xor	s4, s4, t4
	sd	s4, 0(t2)
	addi	t2, t2, 8
	bltu	t2, t3, 4b
	la	t2, scratch
	sw	t2, 0x80(s2)		# descriptors, available, used: in memory, but rubbish
	sw	zero, 0x84(s2)
	li	t4, 0x1000
	add	t2, t2, t4
	sw	t2, 0x90(s2)
	sw	zero, 0x94(s2)
	add	t2, t2, t4
	sw	t2, 0xa0(s2)
	sw	zero, 0xa4(s2)
	li	t4, 1
	sw	t4, 0x44(s2)
	li	t4, 15
	sw	t4, 0x70(s2)		# driver is ready
	sw	s6, 0x50(s2)		# notify
	sw	s4, 0x50(s2)		# and a queue that may not exist
	addi	s6, s6, 1
	j	3b
5:	addi	s5, s5, -1
	bnez	s5, 2b
6:	li	t0, 0x1000
	add	s2, s2, t0
	addi	s3, s3, -1
	bnez	s3, 1b
	exit	0

# ---- 3: the random source is to write outside memory: it must refuse, and say so in its status
dma_outside:
	only_first_hart
	li	s2, VIRTIO + 2 * 0x1000
	la	s3, targets
1:	ld	s4, 0(s3)
	beqz	s4, 3f
	sw	zero, 0x70(s2)
	li	t0, 3
	sw	t0, 0x70(s2)
	li	t0, 1
	sw	t0, 0x24(s2)
	sw	t0, 0x20(s2)
	li	t0, 11
	sw	t0, 0x70(s2)
	sw	zero, 0x30(s2)
	li	t0, 4
	sw	t0, 0x38(s2)
	la	t0, scratch
	sd	s4, 0(t0)		# descriptor 0: there, 64 bytes, for the device to write
	li	t1, 64 | 2 << 32
	sd	t1, 8(t0)
	li	t1, 1 << 16		# one available: number 0
	sd	t1, 64(t0)
	sd	zero, 128(t0)
	sw	t0, 0x80(s2)
	sw	zero, 0x84(s2)
	addi	t1, t0, 64
	sw	t1, 0x90(s2)
	sw	zero, 0x94(s2)
	addi	t1, t0, 128
	sw	t1, 0xa0(s2)
	sw	zero, 0xa4(s2)
	li	t1, 1
	sw	t1, 0x44(s2)
	li	t1, 15
	sw	t1, 0x70(s2)
	sw	zero, 0x50(s2)
	li	t2, 100000		# the device works at the next boundary
2:	addi	t2, t2, -1
	bnez	t2, 2b
	lw	t1, 0x70(s2)
	andi	t1, t1, 0x40		# needs reset
	beqz	t1, 4f
	addi	s3, s3, 8
	j	1b
3:	exit	0
4:	exit	1
.balign 8
targets:
	.dword	0x1000, VIRTIO, 0x7fffffffffffffff, 0xffffffffffffffe0, RAM - 32, RAM + 0x1000000 - 32, RAM + 0x1000000, 0

# ---- 4: loads and stores of all sizes where no device answers: each must be an access fault
unknown_mmio:
	only_first_hart
	la	t0, skip
	csrw	mtvec, t0
	li	s2, 0			# faults
	li	s3, 20000
	li	s4, 0x40000000
1:	ld	t0, 0(s4)
	sw	t0, 4(s4)
	lbu	t0, 1(s4)
	sh	t0, 2(s4)
	li	t1, 0x10137
	add	s4, s4, t1
	andi	s4, s4, -8
	slli	s4, s4, 2
	srli	s4, s4, 2
	li	t1, 0x6fffffff
	and	s4, s4, t1
	li	t1, 0x20000000
	or	s4, s4, t1
	addi	s3, s3, -1
	bnez	s3, 1b
	li	t0, 80000
	bne	s2, t0, 2f
	exit	0
2:	exit	2

# A handler that counts in s2 and goes on behind the instruction (all those that trap here have four bytes).
.balign 4
skip:	addi	s2, s2, 1
	csrr	t5, mepc
	addi	t5, t5, 4
	csrw	mepc, t5
	mret

# ---- 5: nothing will ever wake it
sleep:	wfi
	j	sleep

# ---- 6: S-mode with page tables, and a trap handler, that are nowhere
no_tables:
	li	t0, -1			# memory is open to S
	csrw	pmpaddr0, t0
	li	t0, 0x1f
	csrw	pmpcfg0, t0
	li	t0, 0xb3ff
	csrw	medeleg, t0
	li	t0, 8 << 60 | 0x12345
	csrw	satp, t0
	li	t0, 0x4000
	csrw	stvec, t0
	li	t0, 1 << 11
	csrw	mstatus, t0
	csrw	mepc, zero
	mret

# ---- 7: code that rewrites itself: after fence.i the new code must run
self_modifying:
	only_first_hart
	la	s2, patched
	li	s3, 2000
	li	a0, 0
	li	s4, 0			# expected
1:	andi	t1, s3, 1023
	slli	t2, t1, 20
	li	t0, 0x00050513		# addi a0, a0, 0
	or	t0, t0, t2
	sw	t0, 0(s2)
	add	s4, s4, t1
	fence.i
	jal	patched
	sw	t0, 0(s2)		# and without: either may run
	addi	s3, s3, -1
	bnez	s3, 1b
	bne	a0, s4, 2f
	exit	0
2:	exit	3
.balign 4
.option push
.option norvc
patched:
	addi	a0, a0, 0
	ret
.option pop

# ---- 8: both harts fight for one word with LR/SC and with a lock
ping_pong:
	la	s2, word
	li	s3, 20000
1:	lr.d	t0, (s2)
	addi	t0, t0, 1
	sc.d	t1, t0, (s2)
	bnez	t1, 1b
2:	addi	t2, s2, 8		# a spin lock around a plain increment
	li	t1, 1
	amoswap.w.aq t0, t1, (t2)
	bnez	t0, 2b
	ld	t0, 16(s2)
	addi	t0, t0, 1
	sd	t0, 16(s2)
	amoswap.w.rl zero, zero, (t2)
	addi	s3, s3, -1
	bnez	s3, 1b
	addi	t0, s2, 24
	li	t1, 1
	amoadd.d zero, t1, (t0)
	only_first_hart
3:	ld	t0, 24(s2)
	li	t1, 2
	bne	t0, t1, 3b
	ld	t0, 0(s2)
	ld	t1, 16(s2)
	li	t2, 40000
	bne	t0, t2, 4f
	bne	t1, t2, 4f
	exit	0
4:	exit	4

# ---- 9: M-mode locks itself out of all memory
locked_out:
	li	t0, -1
	csrw	pmpaddr0, t0
	li	t0, 0x98
	csrw	pmpcfg0, t0
	j	.

# ---- 10: talks without end
console_flood:
	li	t1, UART
	li	t0, 'x'
1:	sb	t0, 0(t1)
	j	1b

# ---- 11: device registers in every size at every offset
misaligned_devices:
	only_first_hart
	la	t0, skip
	csrw	mtvec, t0
	la	s3, device_list
1:	ld	s4, 0(s3)
	beqz	s4, 3f
	li	s5, 0x400
	add	s5, s5, s4
2:	ld	t0, 0(s4)
	lw	t0, 0(s4)
	lh	t0, 0(s4)
	lb	t0, 0(s4)
	sd	zero, 0(s4)
	sw	zero, 0(s4)
	sh	zero, 0(s4)
	sb	zero, 0(s4)
	amoadd.w zero, t0, (s4)
	lr.w	zero, (s4)
	addi	s4, s4, 1
	bltu	s4, s5, 2b
	addi	s3, s3, 8
	j	1b
3:	exit	0
.balign 8
device_list:	# all but the one that powers off
	.dword	0x101000, 0x2000000, 0x2003c00, 0x200bc00, 0x200bff8, 0xc000000, 0xc001000, 0xc002000, 0xc1ffc00, 0xc200000
	.dword	VIRTIO, VIRTIO + 0x1000, VIRTIO + 0x2000, VIRTIO + 0x3000, VIRTIO + 0x7000, 0

.balign 4096
word:	.skip 64
.balign 4096
scratch: .skip 0x3000
