// SPDX-License-Identifier: MIT
//
// Checksums over bytes. The CRC goes four bits at a time: its table is sixteen words, and is made
// from the polynomial.

#include "crc.h"

enum {
	ADLER_MODULUS = 65521,
	ADLER_RUN = 5552
}; // the longest run that cannot overflow 32 bits (RFC 1950)

static const uint32_t *crc_table(void)
{
	static uint32_t table[16];

	if (!table[1]) {
		for (uint32_t i = 0; i < 16; i++) {
			uint32_t value = i;

			for (int bit = 0; bit < 4; bit++)
				value = value & 1 ? value >> 1 ^ 0xedb88320u : value >> 1;
			table[i] = value;
		}
	}
	return table;
}

uint32_t crc32_of(uint32_t crc, const void *data, size_t bytes)
{
	const uint32_t *table = crc_table();
	const unsigned char *at = data;

	crc = ~crc;
	while (bytes--) {
		crc ^= *at++;
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}

uint32_t adler32_of(uint32_t sum, const void *data, size_t bytes)
{
	uint32_t low = sum & 0xffff, high = sum >> 16;
	const unsigned char *at = data;

	while (bytes) {
		size_t run = bytes < ADLER_RUN ? bytes : ADLER_RUN;

		bytes -= run;
		while (run--) {
			low += *at++;
			high += low;
		}
		low %= ADLER_MODULUS;
		high %= ADLER_MODULUS;
	}
	return high << 16 | low;
}
