// SPDX-License-Identifier: MIT
/*
 * What several rooms do with JSON, beyond what jansson has. Readers take a missing key, and a value
 * of another type, as "" or 0: a caller that must tell the difference asks jansson.
 */
#ifndef MONITOR_BASE_JSON_H
#define MONITOR_BASE_JSON_H

#include <jansson.h>
#include <stdint.h>

/* A JSON file: a new reference, or NULL after one line on stderr that says what is wrong where. */
json_t *load_json(const char *path);

/* The text at `key` of an object; it lives as long as the object. */
const char *text_at(const json_t *object, const char *key);
/* The integer at `key` of an object. */
uint64_t count_at(const json_t *object, const char *key);
/* Store an integer at `key` of an object. */
void set_count(json_t *object, const char *key, uint64_t count);

#endif
