// SPDX-License-Identifier: MIT
//
// The growing string, doubled whenever it is full.

#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void reserve(struct text *text, size_t more)
{
	size_t room = text->room ? text->room : 64;

	while (room < text->length + more + 1)
		room *= 2;
	if (room == text->room)
		return;
	text->bytes = realloc(text->bytes, room);
	if (!text->bytes) {
		fputs("tally: out of memory\n", stderr);
		exit(1);
	}
	text->room = room;
}

void text_add(struct text *text, const char *bytes, size_t length)
{
	reserve(text, length);
	memcpy(text->bytes + text->length, bytes, length);
	text->length += length;
	text->bytes[text->length] = 0;
}

void text_printf(struct text *text, const char *format, ...)
{
	va_list args, again;
	int length;

	va_start(args, format);
	va_copy(again, args);
	length = vsnprintf(NULL, 0, format, args);
	if (length > 0) {
		reserve(text, (size_t)length);
		vsnprintf(text->bytes + text->length, (size_t)length + 1, format, again);
		text->length += (size_t)length;
	}
	va_end(again);
	va_end(args);
}

void text_drop(struct text *text)
{
	free(text->bytes);
	*text = (struct text){0};
}
