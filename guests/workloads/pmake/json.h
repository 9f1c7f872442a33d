// SPDX-License-Identifier: MIT
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text;

// Writes one JSON value to a text, indented, member by member. key is NULL inside an array.
struct json {
	struct text *out;
	unsigned depth;
	bool has_sibling;
};

void json_open(struct json *json, const char *key, char bracket); // '{' or '['
void json_close(struct json *json, char bracket);                 // '}' or ']'
void json_number(struct json *json, const char *key, int64_t value);
void json_string(struct json *json, const char *key, const char *value, size_t length);

#endif
