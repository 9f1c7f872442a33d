# SPDX-License-Identifier: MIT
# Odd VMs write to all of their 32 MiB, over and over; even ones work for a while with what they have and power off.
.include "bare.inc"
	vm_number s1
	andi	s1, s1, 1
	bnez	s1, 2f
	li	t0, 2000000
1:	addi	t0, t0, -1
	bnez	t0, 1b
	exit	0
2:	li	t0, RAM + 0x10000
	li	t1, RAM + 0x1f00000
	li	t2, 0x1000
3:	sd	t1, 0(t0)
	add	t0, t0, t2
	bltu	t0, t1, 3b
	j	2b
