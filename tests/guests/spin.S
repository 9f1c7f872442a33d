# SPDX-License-Identifier: MIT
# Works without end: fairness is measured with it.
.include "bare.inc"
1:	addi	s1, s1, 1
	j	1b
