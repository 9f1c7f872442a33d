// SPDX-License-Identifier: MIT
//
// Dynamic programming over two strings: edit distance in one row, the longest common subsequence
// with a whole table.

#include "arena.h"
#include "jobs.h"
#include "text.h"

#include <string.h>

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	unsigned smaller = a < b ? a : b;

	return smaller < c ? smaller : c;
}

unsigned edit_distance(const char *a, const char *b)
{
	struct arena arena = {0};
	size_t rows = strlen(a), columns = strlen(b);
	unsigned *row = arena_get(&arena, (columns + 1) * sizeof(*row)), result;

	for (size_t j = 0; j <= columns; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= rows; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= columns; j++) {
			unsigned above = row[j];

			row[j] =
				least(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	result = row[columns];
	arena_drop(&arena);
	return result;
}

void edit_common(const char *a, const char *b, struct text *out)
{
	struct arena arena = {0};
	size_t rows = strlen(a), columns = strlen(b), width = columns + 1;
	// length[i * width + j]: of the longest common subsequence of a from i and b from j.
	unsigned *length = arena_get(&arena, (rows + 1) * width * sizeof(*length));

	for (size_t i = rows; i-- > 0;)
		for (size_t j = columns; j-- > 0;) {
			unsigned below = length[(i + 1) * width + j],
				 right = length[i * width + j + 1];

			if (a[i] == b[j])
				length[i * width + j] = length[(i + 1) * width + j + 1] + 1;
			else
				length[i * width + j] = below > right ? below : right;
		}
	for (size_t i = 0, j = 0; i < rows && j < columns;) {
		if (a[i] == b[j]) {
			text_add(out, a + i, 1);
			i++;
			j++;
		} else if (length[(i + 1) * width + j] >= length[i * width + j + 1]) {
			i++;
		} else {
			j++;
		}
	}
	arena_drop(&arena);
}
