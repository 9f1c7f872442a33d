# SPDX-License-Identifier: MIT
# Every hart of a large VM adds its number, plus one, to a sum and sleeps; the first one waits for 128 of them, checks the sum and
# ends by the `tohost` convention of bare-metal tests.
.include "bare.inc"
	la	s1, sum
	addi	t0, a0, 1
	amoadd.d zero, t0, (s1)
	fence	rw, rw
	li	t0, 1
	addi	s2, s1, 8
	amoadd.d zero, t0, (s2)
	beqz	a0, 2f
1:	wfi
	j	1b
2:	ld	t0, 0(s2)
	li	t1, 128
	bne	t0, t1, 2b
	ld	t0, 0(s1)
	li	t1, 128 * 129 / 2
	li	t2, 1			# success
	beq	t0, t1, 3f
	li	t2, 3			# exit code 1
3:	la	t1, tohost
	sd	t2, 0(t1)
	j	.
.balign 8
sum:	.dword 0, 0
.globl tohost
tohost:	.dword 0
