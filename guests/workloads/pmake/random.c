// SPDX-License-Identifier: MIT
//
// The random numbers of all jobs: Vigna's xorshift64*, the same on every machine.

#include "jobs.h"

uint64_t random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1du;
}
