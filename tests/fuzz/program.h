// SPDX-License-Identifier: MIT
/*
 * A fuzzer's input as a program: numbers are taken from its front, and are zero when it is at its
 * end. Included by one C file of a program.
 */
#ifndef TESTS_FUZZ_PROGRAM_H
#define TESTS_FUZZ_PROGRAM_H

#include <stdint.h>
#include <string.h>

#include "numa/util.h"

struct program {
	const uint8_t *at;
	size_t left;
};

static inline uint64_t take(struct program *p, unsigned bytes)
{
	uint64_t value = 0;

	bytes = (unsigned)MIN((size_t)bytes, p->left);
	memcpy(&value, p->at, bytes);
	p->at += bytes;
	p->left -= bytes;
	return value;
}

#endif
