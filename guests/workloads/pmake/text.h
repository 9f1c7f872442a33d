// SPDX-License-Identifier: MIT
#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>

// A string that grows at its end. Zero-initialised is empty; bytes is zero-terminated once anything
// was added.
struct text {
	char *bytes;
	size_t length, room;
};

void text_add(struct text *text, const char *bytes, size_t length);
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_drop(struct text *text);

#endif
