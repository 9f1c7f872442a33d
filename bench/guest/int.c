// SPDX-License-Identifier: MIT
/*
 * CPU-bound, integers only: random numbers (shifts and exclusive-or), quicksort (branches that
 * are hard to predict, recursion), a hash (multiplication), a sieve (stores at a stride over a
 * megabyte). About two billion instructions.
 */
#include "print.h"

enum { ROUNDS = 100, NUMBERS = 1 << 16, SIEVE = 1 << 20 };

static uint32_t number[NUMBERS];
static uint8_t is_prime[SIEVE];

static void sort(uint32_t *a, int n)
{
	while (n > 1) {
		uint32_t pivot = a[n / 2];
		int i = 0, j = n - 1;

		while (i <= j) {
			while (a[i] < pivot)
				i++;
			while (a[j] > pivot)
				j--;
			if (i <= j) {
				uint32_t t = a[i];

				a[i++] = a[j];
				a[j--] = t;
			}
		}
		sort(a, j + 1);
		a += i;
		n -= i;
	}
}

static uint64_t sort_numbers(uint64_t *state, uint64_t hash)
{
	for (int i = 0; i < NUMBERS; i++) {
		*state ^= *state << 13; /* Marsaglia, Xorshift RNGs, 2003 */
		*state ^= *state >> 7;
		*state ^= *state << 17;
		number[i] = (uint32_t)*state;
	}
	sort(number, NUMBERS);
	for (int i = 0; i < NUMBERS; i++)
		hash = hash * 31 + number[i];
	return hash;
}

static uint64_t count_primes(void)
{
	uint64_t n = 0;

	for (int i = 2; i < SIEVE; i++)
		is_prime[i] = 1;
	for (int i = 2; i * i < SIEVE; i++)
		if (is_prime[i])
			for (int j = i * i; j < SIEVE; j += i)
				is_prime[j] = 0;
	for (int i = 2; i < SIEVE; i++)
		n += is_prime[i];
	return n;
}

int main(void)
{
	uint64_t state = 88172645463325252ull, hash = 0;

	for (int round = 0; round < ROUNDS; round++)
		hash = sort_numbers(&state, hash) + count_primes();
	print_hex(hash);
	return 0;
}
