# SPDX-License-Identifier: MIT
# Four harts: the first one writes a table of 512 KiB, then each works eight times on a quarter of its own, load, add and store, and
# counts itself in with an atomic at the end of each round; then all read the whole table. What each page's only user, its readers
# and the counter's line do to caches is what placement is about. The first hart checks the sum and ends by `tohost`.
.include "bare.inc"
.equ TABLE, RAM + 0x100000
.equ QUARTER, 128 * 1024
.equ ROUNDS, 8
	la	s1, count
	li	s2, TABLE
	li	s3, QUARTER
	bnez	a0, 2f
	slli	t0, s3, 2
	add	t0, t0, s2
	mv	t1, s2
1:	sd	zero, 0(t1)		# first touched by hart 0: all pages are at its node
	addi	t1, t1, 8
	bltu	t1, t0, 1b
	li	t0, 1
	fence	rw, rw
	sd	t0, 64(s1)		# go
2:	ld	t0, 64(s1)
	beqz	t0, 2b
	mul	s4, s3, a0
	add	s4, s4, s2		# own quarter: s4 .. s5
	add	s5, s4, s3
	li	s6, ROUNDS
	li	s7, 4			# harts that will have come when all are through a round
3:	mv	t1, s4
4:	ld	t0, 0(t1)
	addi	t0, t0, 1
	sd	t0, 0(t1)
	addi	t1, t1, 8
	bltu	t1, s5, 4b
	li	t0, 1
	amoadd.d zero, t0, (s1)
5:	ld	t0, 0(s1)
	bltu	t0, s7, 5b
	addi	s7, s7, 4
	addi	s6, s6, -1
	bnez	s6, 3b
	li	t2, 0			# all of it, by everyone
	slli	t0, s3, 2
	add	t0, t0, s2
	mv	t1, s2
6:	ld	t3, 0(t1)
	add	t2, t2, t3
	addi	t1, t1, 8
	bltu	t1, t0, 6b
	li	t0, 1
	amoadd.d zero, t0, (s1)
	beqz	a0, 8f
7:	wfi
	j	7b
8:	ld	t0, 0(s1)
	bltu	t0, s7, 8b
	li	t1, QUARTER * 4 / 8 * ROUNDS
	li	t0, 1			# success
	beq	t1, t2, 9f
	li	t0, 3			# exit code 1
9:	la	t1, tohost
	sd	t0, 0(t1)
	j	.
.balign 4096
count:	.zero 128			# the go is on another line
.globl tohost
tohost:	.dword 0
