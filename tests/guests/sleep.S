# SPDX-License-Identifier: MIT
# Sleeps, with nothing that could wake it.
.include "bare.inc"
1:	wfi
	j	1b
