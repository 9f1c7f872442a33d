// SPDX-License-Identifier: MIT
/*
 * Loops whose memory behaviour is known line by line, for a program without an operating system
 * (bare/) and for Linux (numa.c). Lines are the caller's to name; counts are those of the machine's
 * protocol only if the compiler keeps each access, hence volatile.
 */
#ifndef MICRO_H
#define MICRO_H

#include <stdint.h>

/*
 * Make a ring of pointers, one every `stride` bytes (a power of two, as `bytes` is), in an order
 * that visits each before it repeats: a linear congruential generator of full period (Knuth, TAOCP
 * 3.2.1.2, theorem A). The caller touches every page first.
 */
static inline void chase_make(void *buffer, uint64_t bytes, uint64_t stride)
{
	uint64_t n = bytes / stride, i = 0;
	char *b = buffer;

	do {
		uint64_t next = (i * 5 + 3 * 7 * 11) & (n - 1);

		*(void **)(b + i * stride) = b + next * stride;
		i = next;
	} while (i);
}

/* Follow `steps` pointers, a multiple of 16. */
static inline void *chase(void *p, uint64_t steps)
{
	for (; steps; steps -= 16) {
		p = *(void *volatile *)p;
		p = *(void *volatile *)p;
		p = *(void *volatile *)p;
		p = *(void *volatile *)p;
		p = *(void *volatile *)p;
		p = *(void *volatile *)p;
		p = *(void *volatile *)p;
		p = *(void *volatile *)p;
		p = *(void *volatile *)p;
		p = *(void *volatile *)p;
		p = *(void *volatile *)p;
		p = *(void *volatile *)p;
		p = *(void *volatile *)p;
		p = *(void *volatile *)p;
		p = *(void *volatile *)p;
		p = *(void *volatile *)p;
	}
	return p;
}

/* Read every word in order. */
static inline uint64_t stream_read(const volatile uint64_t *buffer, uint64_t bytes)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < bytes / 8; i += 4)
		sum += buffer[i] + buffer[i + 1] + buffer[i + 2] + buffer[i + 3];
	return sum;
}

/* Read and write every word in order. */
static inline void stream_update(volatile uint64_t *buffer, uint64_t bytes)
{
	for (uint64_t i = 0; i < bytes / 8; i += 4) {
		buffer[i] += 1;
		buffer[i + 1] += 1;
		buffer[i + 2] += 1;
		buffer[i + 3] += 1;
	}
}

/* Two players, 0 and 1, hand a word to each other `rounds` times each: it counts whose turn it is.
 */
static inline void ping_pong(volatile uint64_t *word, unsigned player, uint64_t rounds)
{
	for (uint64_t turn = player; turn < 2 * rounds; turn += 2) {
		while (*word != turn)
			;
		*word = turn + 1;
	}
}

/* Count up a word; another does the same to another word of the same line. */
static inline void count_up(volatile uint64_t *word, uint64_t times)
{
	for (uint64_t i = 0; i < times; i++)
		*word += 1;
}

#endif
