# SPDX-License-Identifier: MIT
# Works for ever: what fairness is measured with.
.include "bare.inc"
1:	addi	s1, s1, 1
	j	1b
