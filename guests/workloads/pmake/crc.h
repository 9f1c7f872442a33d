// SPDX-License-Identifier: MIT
#ifndef CRC_H
#define CRC_H

#include <stddef.h>
#include <stdint.h>

// CRC-32 as zip and Ethernet have it; crc is the result so far, 0 at first.
uint32_t crc32_of(uint32_t crc, const void *data, size_t bytes);

// Adler-32 as zlib has it; sum is the result so far, 1 at first.
uint32_t adler32_of(uint32_t sum, const void *data, size_t bytes);

#endif
