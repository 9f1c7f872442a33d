// SPDX-License-Identifier: MIT
//
// Huffman coding with canonical codes: lengths from the tree, codes from the lengths, and decoding
// by them alone.

#include "arena.h"
#include "jobs.h"

#include <string.h>

enum { SYMBOLS = 256, LONGEST = 64 };

struct codes {
	unsigned char length[SYMBOLS]; // 0: does not occur
	uint64_t code[SYMBOLS];
	unsigned char sorted[SYMBOLS]; // symbols by length, then value
	unsigned count_of[LONGEST + 1];
};

static void find_lengths(const unsigned char *data, size_t bytes, struct codes *codes)
{
	uint64_t weight[2 * SYMBOLS] = {0};
	int parent[2 * SYMBOLS] = {0}, nodes = SYMBOLS;

	for (size_t i = 0; i < bytes; i++)
		weight[data[i]]++;
	for (;; nodes++) {
		int least[2] = {-1, -1};

		for (int i = 0; i < nodes; i++) {
			if (!weight[i] || parent[i])
				continue;
			if (least[0] < 0 || weight[i] < weight[least[0]]) {
				least[1] = least[0];
				least[0] = i;
			} else if (least[1] < 0 || weight[i] < weight[least[1]]) {
				least[1] = i;
			}
		}
		if (least[1] < 0)
			break;
		weight[nodes] = weight[least[0]] + weight[least[1]];
		parent[least[0]] = parent[least[1]] = nodes;
	}
	for (int i = 0; i < SYMBOLS; i++)
		for (int at = i; weight[i] && parent[at]; at = parent[at])
			codes->length[i]++;
}

static void assign_codes(struct codes *codes)
{
	unsigned sorted = 0;
	uint64_t next = 0;

	for (unsigned length = 1; length <= LONGEST; length++, next <<= 1)
		for (unsigned i = 0; i < SYMBOLS; i++)
			if (codes->length[i] == length) {
				codes->code[i] = next++;
				codes->sorted[sorted++] = (unsigned char)i;
				codes->count_of[length]++;
			}
}

static size_t encode(
	const struct codes *codes, const unsigned char *data, size_t bytes, unsigned char *bits)
{
	size_t at = 0;

	for (size_t i = 0; i < bytes; i++)
		for (unsigned bit = codes->length[data[i]]; bit-- > 0; at++)
			if (codes->code[data[i]] >> bit & 1)
				bits[at / 8] |= (unsigned char)(0x80 >> at % 8);
	return at;
}

static void decode(
	const struct codes *codes, const unsigned char *bits, size_t bytes, unsigned char *data)
{
	size_t at = 0;

	for (size_t i = 0; i < bytes; i++) {
		uint64_t code = 0, first = 0;
		unsigned before = 0;

		for (unsigned length = 1; length <= LONGEST; length++, at++) {
			code = code << 1 | (bits[at / 8] >> (7 - at % 8) & 1);
			first <<= 1;
			if (code < first + codes->count_of[length]) {
				data[i] = codes->sorted[before + (code - first)];
				at++;
				break;
			}
			first += codes->count_of[length];
			before += codes->count_of[length];
		}
	}
}

size_t huffman_squeeze(const unsigned char *data, size_t bytes, unsigned char *decoded)
{
	struct arena arena = {0};
	struct codes codes = {0};
	unsigned char *bits = arena_get(&arena,
		bytes * 2 + 16); // no code is longer on average than the eight bits it is for
	size_t used;

	find_lengths(data, bytes, &codes);
	assign_codes(&codes);
	used = (encode(&codes, data, bytes, bits) + 7) / 8;
	decode(&codes, bits, bytes, decoded);
	arena_drop(&arena);
	return memcmp(data, decoded, bytes) ? 0 : used;
}
