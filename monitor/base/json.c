// SPDX-License-Identifier: MIT
/*
 * JSON files and the values of objects; see json.h.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "monitor/base/json.h"
#include "numa/util.h"

json_t *load_json(const char *path)
{
	FILE *f = fopen(path, "r");
	json_error_t fault;
	json_t *root;

	if (!f) {
		complain(errno, "%s: %s", path, strerror(errno));
		return NULL;
	}
	root = json_loadf(f, JSON_REJECT_DUPLICATES, &fault);
	fclose(f);
	if (!root)
		complain(EINVAL, "%s:%d: %s", path, fault.line, fault.text);
	return root;
}

const char *text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

uint64_t count_at(const json_t *object, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(object, key));
}

void set_count(json_t *object, const char *key, uint64_t count)
{
	json_object_set_new(object, key, json_integer((json_int_t)count));
}
