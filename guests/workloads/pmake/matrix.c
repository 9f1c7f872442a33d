// SPDX-License-Identifier: MIT
//
// Matrices over a prime field: product, and determinant by elimination with inverses from Fermat's
// little theorem.

#include "arena.h"
#include "jobs.h"

#include <string.h>

static uint64_t power(uint64_t base, uint64_t exponent, uint64_t prime)
{
	uint64_t result = 1;

	for (base %= prime; exponent; exponent >>= 1) {
		if (exponent & 1)
			result = result * base % prime;
		base = base * base % prime;
	}
	return result;
}

static void fill(uint64_t *matrix, unsigned n, uint64_t *seed, uint64_t prime)
{
	for (unsigned i = 0; i < n * n; i++)
		matrix[i] = random_next(seed) % prime;
}

static void multiply(
	const uint64_t *a, const uint64_t *b, uint64_t *product, unsigned n, uint64_t prime)
{
	for (unsigned i = 0; i < n; i++) {
		memset(product + i * n, 0, n * sizeof(*product));
		for (unsigned k = 0; k < n; k++)
			for (unsigned j = 0; j < n; j++)
				product[i * n + j] =
					(product[i * n + j] + a[i * n + k] * b[k * n + j]) % prime;
	}
}

static void swap_rows(uint64_t *matrix, unsigned n, unsigned i, unsigned j)
{
	for (unsigned k = 0; k < n; k++) {
		uint64_t swapped = matrix[i * n + k];

		matrix[i * n + k] = matrix[j * n + k];
		matrix[j * n + k] = swapped;
	}
}

// Changes the matrix.
static uint64_t determinant(uint64_t *matrix, unsigned n, uint64_t prime)
{
	uint64_t result = 1;

	for (unsigned column = 0; column < n; column++) {
		unsigned pivot = column;
		uint64_t inverse;

		while (pivot < n && !matrix[pivot * n + column])
			pivot++;
		if (pivot == n)
			return 0;
		if (pivot != column) {
			swap_rows(matrix, n, pivot, column);
			result = prime - result;
		}
		result = result * matrix[column * n + column] % prime;
		inverse = power(matrix[column * n + column], prime - 2, prime);
		for (unsigned row = column + 1; row < n; row++) {
			uint64_t factor = matrix[row * n + column] * inverse % prime;

			for (unsigned k = column; factor && k < n; k++)
				matrix[row * n + k] =
					(matrix[row * n + k] +
						(prime - factor) * matrix[column * n + k]) %
					prime;
		}
	}
	return result;
}

int64_t matrix_determinant(unsigned n, uint64_t seed, uint64_t prime)
{
	struct arena arena = {0};
	uint64_t *a = arena_get(&arena, n * n * sizeof(*a)),
		 *b = arena_get(&arena, n * n * sizeof(*b));
	uint64_t *product = arena_get(&arena, n * n * sizeof(*product));
	uint64_t of_a, of_b, of_product;

	fill(a, n, &seed, prime);
	fill(b, n, &seed, prime);
	multiply(a, b, product, n, prime);
	of_a = determinant(a, n, prime);
	of_b = determinant(b, n, prime);
	of_product = determinant(product, n, prime);
	arena_drop(&arena);
	return of_product == of_a * of_b % prime ? (int64_t)of_product : -1;
}
