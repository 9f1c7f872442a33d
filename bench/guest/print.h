// SPDX-License-Identifier: MIT
/*
 * The output of a bare-metal program: one number, which every right CPU prints alike, so that a
 * comparison of speed is one of equal work.
 */
#ifndef BENCH_GUEST_PRINT_H
#define BENCH_GUEST_PRINT_H

#include <stdint.h>

static inline void put(char c)
{
	*(volatile char *)0x10000000 = c; /* NS16550, transmit register */
}

static inline void print_hex(uint64_t v)
{
	for (int shift = 60; shift >= 0; shift -= 4)
		put("0123456789abcdef"[v >> shift & 15]);
	put('\n');
}

#endif
