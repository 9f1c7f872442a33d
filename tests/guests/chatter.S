# SPDX-License-Identifier: MIT
# Writes ten thousand lines to its UART and powers off: more than any buffer on the way holds.
.include "bare.inc"
	li	t0, UART
	li	t1, 10000
1:	li	t2, 'x'
	sb	t2, 0(t0)
	li	t2, '\n'
	sb	t2, 0(t0)
	addi	t1, t1, -1
	bnez	t1, 1b
	exit	0
