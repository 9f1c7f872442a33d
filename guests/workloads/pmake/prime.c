// SPDX-License-Identifier: MIT
//
// Primes: the sieve of Eratosthenes over odd numbers, and a primality test that is exact below
// 2^64.

#include "jobs.h"

#include <stdio.h>
#include <stdlib.h>

unsigned prime_count(unsigned limit)
{
	unsigned odd = limit / 2, count = limit > 2;
	unsigned char *composite = calloc(odd + 1, 1); // entry i stands for 2i + 1

	if (!composite) {
		fputs("tally: out of memory\n", stderr);
		exit(1);
	}
	for (unsigned i = 1; i < odd; i++) {
		if (composite[i])
			continue;
		count++;
		for (unsigned long j = 2ul * i * (i + 1); j < odd; j += 2 * i + 1)
			composite[j] = 1;
	}
	free(composite);
	return count;
}

// Without 128-bit arithmetic, so that it compiles anywhere: doubling and adding.
static uint64_t multiply(uint64_t a, uint64_t b, uint64_t modulus)
{
	uint64_t result = 0;

	for (a %= modulus; b; b >>= 1) {
		if (b & 1)
			result = result >= modulus - a ? result - (modulus - a) : result + a;
		a = a >= modulus - a ? a - (modulus - a) : a + a;
	}
	return result;
}

static uint64_t power(uint64_t base, uint64_t exponent, uint64_t modulus)
{
	uint64_t result = 1;

	for (; exponent; exponent >>= 1) {
		if (exponent & 1)
			result = multiply(result, base, modulus);
		base = multiply(base, base, modulus);
	}
	return result;
}

int prime_test(uint64_t n)
{
	// These bases are enough for all 64-bit numbers (Sorenson and Webster, 2015).
	static const uint64_t bases[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37};
	uint64_t odd = n - 1;
	unsigned twos = 0;

	if (n < 2)
		return 0;
	for (unsigned i = 0; i < sizeof(bases) / sizeof(bases[0]); i++)
		if (n % bases[i] == 0)
			return n == bases[i];
	for (; !(odd & 1); odd >>= 1)
		twos++;
	for (unsigned i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
		uint64_t x = power(bases[i], odd, n);
		unsigned squared = 0;

		if (x == 1)
			continue;
		while (x != n - 1 && ++squared < twos)
			x = multiply(x, x, n);
		if (x != n - 1)
			return 0;
	}
	return 1;
}
