// SPDX-License-Identifier: MIT
//
// tally: does all the jobs and prints a report in JSON, then the report's checksums. Every number
// is the same on every machine.

#include "arena.h"
#include "crc.h"
#include "jobs.h"
#include "json.h"
#include "script.h"
#include "sort.h"
#include "table.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void report_scripts(struct json *json)
{
	json_open(json, "scripts", '[');
	for (size_t i = 0; i < script_count; i++) {
		struct text out = {0};
		struct script_result result = script_run(&scripts[i], &out);

		json_open(json, NULL, '{');
		json_string(json, "name", scripts[i].name, strlen(scripts[i].name));
		if (result.wrong_line) {
			json_number(json, "wrong line", result.wrong_line);
		} else {
			json_number(json, "folded", result.folded);
			json_number(json, "executed", result.executed);
			json_string(json, "printed", out.bytes ? out.bytes : "", out.length);
		}
		json_close(json, '}');
		text_drop(&out);
	}
	json_close(json, ']');
}

// The words of the scripts' sources, counted.
static void report_words(struct json *json)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz_";
	struct arena arena = {0};
	struct table table = {.arena = &arena};
	struct table_entry *words;

	for (size_t i = 0; i < script_count; i++)
		for (const char *at = scripts[i].source + strcspn(scripts[i].source, letters); *at;
			at += strcspn(at, letters)) {
			size_t length = strspn(at, letters);

			++*table_at(&table, at, length);
			at += length;
		}
	words = table_sorted(&table);
	json_open(json, "words", '{');
	for (size_t i = 0; i < table.used; i++)
		if (words[i].value >= 5)
			json_number(json, words[i].key, words[i].value);
	json_close(json, '}');
	arena_drop(&arena);
}

static void report_sorting(struct json *json)
{
	enum { COUNT = 5000 };
	static int64_t values[COUNT], copy[COUNT];
	uint64_t seed = 20;
	int64_t median, wrong = 0;

	for (size_t i = 0; i < COUNT; i++)
		values[i] = copy[i] = (int64_t)(random_next(&seed) % 100000);
	median = sort_select(copy, COUNT, COUNT / 2);
	sort_heap(values, COUNT);
	for (size_t i = 1; i < COUNT; i++)
		wrong += values[i - 1] > values[i];
	json_open(json, "sorting", '{');
	json_number(json, "median", median);
	json_number(json, "same", median == values[COUNT / 2]);
	json_number(json, "wrong", wrong);
	json_close(json, '}');
}

static void report_texts(struct json *json)
{
	static unsigned char decoded[4096];
	const char *a = scripts[1].source, *b = scripts[3].source;
	struct text common = {0};

	edit_common("simple operating system", "complex operating machinery", &common);
	json_open(json, "texts", '{');
	json_number(json, "squeezed",
		(int64_t)huffman_squeeze((const unsigned char *)b, strlen(b), decoded));
	json_number(json, "whole", (int64_t)strlen(b));
	json_number(json, "distance", edit_distance(a, b));
	json_string(json, "common", common.bytes, common.length);
	json_close(json, '}');
	text_drop(&common);
}

int main(void)
{
	struct text out = {0};
	struct json json = {.out = &out};

	json_open(&json, NULL, '{');
	report_scripts(&json);
	report_words(&json);
	report_sorting(&json);
	report_texts(&json);
	json_number(&json, "determinant", matrix_determinant(40, 7, 2147483647));
	json_number(&json, "primes", prime_count(100000));
	json_number(&json, "is prime", prime_test(18446744073709551557u));
	json_number(&json, "life", life_population(64, 200, 3));
	json_close(&json, '}');

	fwrite(out.bytes, 1, out.length, stdout);
	printf("crc32 %08" PRIx32 " adler32 %08" PRIx32 "\n", crc32_of(0, out.bytes, out.length),
		adler32_of(1, out.bytes, out.length));
	text_drop(&out);
	return fflush(stdout) ? 1 : 0;
}
