// SPDX-License-Identifier: MIT
//
// Conway's game of life, 64 cells a word: neighbours are counted in all columns at once by bitwise
// adders.

#include "arena.h"
#include "jobs.h"

static uint64_t left(uint64_t row)
{
	return row << 1 | row >> 63;
}

static uint64_t right(uint64_t row)
{
	return row >> 1 | row << 63;
}

// Adds one bit in every column to a counter of three bits, which sticks at four or more.
static void count(uint64_t cells, uint64_t *ones, uint64_t *twos, uint64_t *fours)
{
	uint64_t carry = *ones & cells;

	*ones ^= cells;
	*fours |= *twos & carry;
	*twos ^= carry;
}

static uint64_t next_row(uint64_t above, uint64_t row, uint64_t below)
{
	uint64_t ones = 0, twos = 0, fours = 0;

	count(left(above), &ones, &twos, &fours);
	count(above, &ones, &twos, &fours);
	count(right(above), &ones, &twos, &fours);
	count(left(row), &ones, &twos, &fours);
	count(right(row), &ones, &twos, &fours);
	count(left(below), &ones, &twos, &fours);
	count(below, &ones, &twos, &fours);
	count(right(below), &ones, &twos, &fours);
	// Three neighbours, or two and alive.
	return ~fours & twos & (ones | row);
}

static unsigned bits(uint64_t word)
{
	unsigned sum = 0;

	for (; word; word &= word - 1)
		sum++;
	return sum;
}

unsigned life_population(unsigned rows, unsigned generations, uint64_t seed)
{
	struct arena arena = {0};
	uint64_t *now = arena_get(&arena, rows * sizeof(*now)),
		 *next = arena_get(&arena, rows * sizeof(*next));
	unsigned population = 0;

	for (unsigned i = 0; i < rows; i++)
		now[i] = random_next(&seed) & random_next(&seed);
	while (generations--) {
		uint64_t *last = now;

		for (unsigned i = 0; i < rows; i++)
			next[i] = next_row(now[(i + rows - 1) % rows], now[i], now[(i + 1) % rows]);
		now = next;
		next = last;
	}
	for (unsigned i = 0; i < rows; i++)
		population += bits(now[i]);
	arena_drop(&arena);
	return population;
}
