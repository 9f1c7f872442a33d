// SPDX-License-Identifier: MIT
//
// A JSON printer that keeps no tree: commas and indentation follow from the calls' order.

#include "json.h"

#include "text.h"

#include <inttypes.h>
#include <string.h>

static void quoted(struct text *out, const char *value, size_t length)
{
	text_add(out, "\"", 1);
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)value[i];

		switch (c) {
		case '"':
			text_add(out, "\\\"", 2);
			break;
		case '\\':
			text_add(out, "\\\\", 2);
			break;
		case '\n':
			text_add(out, "\\n", 2);
			break;
		case '\t':
			text_add(out, "\\t", 2);
			break;
		default:
			if (c < 0x20 || c >= 0x7f)
				text_printf(out, "\\u%04x", c);
			else
				text_add(out, (const char *)&c, 1);
		}
	}
	text_add(out, "\"", 1);
}

static void new_line(struct json *json)
{
	text_add(json->out, "\n", 1);
	for (unsigned i = 0; i < json->depth; i++)
		text_add(json->out, "  ", 2);
}

static void begin(struct json *json, const char *key)
{
	if (json->has_sibling)
		text_add(json->out, ",", 1);
	if (json->depth)
		new_line(json);
	if (key) {
		quoted(json->out, key, strlen(key));
		text_add(json->out, ": ", 2);
	}
	json->has_sibling = true;
}

void json_open(struct json *json, const char *key, char bracket)
{
	begin(json, key);
	text_add(json->out, &bracket, 1);
	json->depth++;
	json->has_sibling = false;
}

void json_close(struct json *json, char bracket)
{
	json->depth--;
	if (json->has_sibling)
		new_line(json);
	text_add(json->out, &bracket, 1);
	json->has_sibling = true;
	if (!json->depth)
		text_add(json->out, "\n", 1);
}

void json_number(struct json *json, const char *key, int64_t value)
{
	begin(json, key);
	text_printf(json->out, "%" PRId64, value);
}

void json_string(struct json *json, const char *key, const char *value, size_t length)
{
	begin(json, key);
	quoted(json->out, value, length);
}
