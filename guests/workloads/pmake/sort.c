// SPDX-License-Identifier: MIT
//
// Sorting: a bottom-up merge sort over any type, a heap sort and a quick select over integers.

#include "sort.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void merge(const unsigned char *from, unsigned char *to, size_t left, size_t middle,
	size_t right, size_t size, int (*compare)(const void *, const void *))
{
	size_t a = left, b = middle;

	for (size_t at = left; at < right; at++) {
		if (a < middle && (b >= right || compare(from + a * size, from + b * size) <= 0))
			memcpy(to + at * size, from + a++ * size, size);
		else
			memcpy(to + at * size, from + b++ * size, size);
	}
}

void sort_stable(void *base, size_t count, size_t size, int (*compare)(const void *, const void *))
{
	unsigned char *from = base, *to = malloc(count * size + 1), *spare = to;

	if (!to) {
		fputs("tally: out of memory\n", stderr);
		exit(1);
	}
	for (size_t width = 1; width < count; width *= 2) {
		unsigned char *last = from;

		for (size_t left = 0; left < count; left += 2 * width) {
			size_t middle = left + width < count ? left + width : count;
			size_t right = left + 2 * width < count ? left + 2 * width : count;

			merge(from, to, left, middle, right, size, compare);
		}
		from = to;
		to = last;
	}
	if (from != base)
		memcpy(base, from, count * size);
	free(spare);
}

static void sift(int64_t *values, size_t root, size_t count)
{
	int64_t moved = values[root];
	size_t child;

	while ((child = 2 * root + 1) < count) {
		if (child + 1 < count && values[child + 1] > values[child])
			child++;
		if (values[child] <= moved)
			break;
		values[root] = values[child];
		root = child;
	}
	values[root] = moved;
}

void sort_heap(int64_t *values, size_t count)
{
	for (size_t i = count / 2; i-- > 0;)
		sift(values, i, count);
	for (size_t last = count; last-- > 1;) {
		int64_t largest = values[0];

		values[0] = values[last];
		values[last] = largest;
		sift(values, 0, last);
	}
}

int64_t sort_select(int64_t *values, size_t count, size_t k)
{
	size_t low = 0, high = count - 1;

	while (low < high) {
		int64_t pivot = values[low + (high - low) / 2];
		size_t i = low, j = high;

		// Hoare's partition: afterwards low..j <= pivot <= j+1..high, and j < high.
		for (;; i++, j--) {
			int64_t swapped;

			while (values[i] < pivot)
				i++;
			while (values[j] > pivot)
				j--;
			if (i >= j)
				break;
			swapped = values[i];
			values[i] = values[j];
			values[j] = swapped;
		}
		if (k <= j)
			high = j;
		else
			low = j + 1;
	}
	return values[k];
}
