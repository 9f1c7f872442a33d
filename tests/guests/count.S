# SPDX-License-Identifier: MIT
# Counts to a hundred thousand and powers off: the shortest run that has something to count.
.include "bare.inc"
	li	t0, 100000
1:	addi	t0, t0, -1
	bnez	t0, 1b
	exit	0
