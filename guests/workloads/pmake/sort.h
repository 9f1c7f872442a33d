// SPDX-License-Identifier: MIT
#ifndef SORT_H
#define SORT_H

#include <stddef.h>
#include <stdint.h>

// Stable merge sort of count elements of the given size.
void sort_stable(void *base, size_t count, size_t size, int (*compare)(const void *, const void *));

// In-place heap sort of integers, ascending.
void sort_heap(int64_t *values, size_t count);

// The value that would be at position k after sorting; reorders values. k < count.
int64_t sort_select(int64_t *values, size_t count, size_t k);

#endif
