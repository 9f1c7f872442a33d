// SPDX-License-Identifier: MIT
#ifndef JOBS_H
#define JOBS_H

#include <stddef.h>
#include <stdint.h>

struct text;

// The small computations of which main makes a report. All are pure functions of their arguments.

// xorshift64*: *state must not be 0, and changes.
uint64_t random_next(uint64_t *state);

// Determinant of a random n x n matrix modulo a prime, and of its product with another; their
// relation det(AB) = det A det B is checked: -1 when it does not hold.
int64_t matrix_determinant(unsigned n, uint64_t seed, uint64_t prime);

// How many primes are below limit, by sieve; and whether n is one, by Miller and Rabin's test for
// 64 bits.
unsigned prime_count(unsigned limit);
int prime_test(uint64_t n);

// Bytes of data after Huffman coding, and back again into decoded (of the same size). 0 when the
// way back failed.
size_t huffman_squeeze(const unsigned char *data, size_t bytes, unsigned char *decoded);

// Insertions, deletions and replacements between two strings.
unsigned edit_distance(const char *a, const char *b);

// The longest common subsequence of two strings, added to out.
void edit_common(const char *a, const char *b, struct text *out);

// Living cells after so many generations of Conway's game on a torus of 64 x rows cells, started at
// random.
unsigned life_population(unsigned rows, unsigned generations, uint64_t seed);

#endif
