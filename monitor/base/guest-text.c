// SPDX-License-Identifier: MIT
/*
 * The filter between guests and terminals; see guest-text.h.
 */
#include <stdint.h>

#include "monitor/base/guest-text.h"

/* Bytes of the printable character at `p`, of which n bytes are there; 0: there is none. */
static size_t printable(const unsigned char *p, size_t n)
{
	size_t bytes = *p < 0x80   ? 1
		       : *p < 0xc2 ? 0
		       : *p < 0xe0 ? 2
		       : *p < 0xf0 ? 3
		       : *p < 0xf5 ? 4
				   : 0;
	uint32_t c = *p & (0xffu >> (bytes + 1));

	if (bytes == 1)
		return (*p >= 0x20 && *p < 0x7f) || *p == '\t' || *p == '\n';
	if (!bytes || bytes > n)
		return 0;
	for (size_t i = 1; i < bytes; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	/* C1 controls, and encodings longer than they need be. */
	return c < 0xa0 || (bytes == 3 && c < 0x800) || (bytes == 4 && c < 0x10000) ? 0 : bytes;
}

void guest_text_write(FILE *out, int terminal, const char *text, size_t n)
{
	const unsigned char *p = (const unsigned char *)text;

	if (!terminal) {
		fwrite(text, 1, n, out);
		return;
	}
	for (size_t i = 0, bytes; i < n; i += bytes ? bytes : 1) {
		bytes = printable(p + i, n - i);
		fwrite(p + i, 1, bytes, out);
	}
}
