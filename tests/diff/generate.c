// SPDX-License-Identifier: MIT
// Writes one program of the differential test: `generate FAMILY SEED OUT.elf`. A family is a kind
// of item, a seed chooses which; the same arguments give the same bytes on every host. With
// --step B the program ends after block B, and each item of block B is a block of its own whose
// whole state is printed. --list FILE writes a line for each item: block, item, first and last
// address. The family `fixed` takes its items from a file instead (--from, see regressions).
#include "asm.h"
#include "items.h"
#include "runtime.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct family {
	const char *name;
	void (*setup)(void);
	void (*item)(void);
	unsigned blocks, items; // at most `items` in a block, at least half of it
} families[] = {
	{"base", base_setup, base_item, 1500, 24},
	{"priv", 0, priv_item, 600, 10},
	{"paging", paging_setup, paging_item, 400, 6},
	{"pmp", paging_setup, pmp_item, 300, 6},
	{"irq", 0, irq_item, 300, 6},
};

static FILE *list;
static bool whole; // print the state after the block asked for only, do not cut it up

static void usage(void)
{
	fprintf(stderr, "usage: generate [--step|--whole BLOCK] [--list FILE] FAMILY SEED OUT.elf\n"
			"       generate [...] --from FILE fixed 0 OUT.elf\n"
			"families:");
	for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
		fprintf(stderr, " %s", families[i].name);
	fputc('\n', stderr);
	exit(2);
}

static void list_item(long block, unsigned item, uint64_t from)
{
	if (list)
		fprintf(list, "%ld %u 0x%" PRIx64 " 0x%" PRIx64 "\n", block, item, from, here());
}

#define IN_M_MODE 8

// One block of n items by emit(index), in the mode that base_enter() calls `how`; cut up if it is
// the one to step through.
static void make_block(long block, bool chosen, unsigned n, void (*emit)(unsigned), uint32_t how)
{
	bool cut = chosen && !whole;

	record_reset();
	for (unsigned i = 0; i < n; i++) {
		if (i == 0 || cut) {
			block_begin(chosen ? BLOCK_DUMP : 0);
			base_enter(how);
		}
		uint64_t from = here();
		emit(i);
		list_item(block, i, from);
		if (i == n - 1 || cut) {
			base_leave();
			block_end();
		}
	}
}

static void (*random_item)(void);

static void emit_random(unsigned index)
{
	(void)index;
	random_item();
}

static void make_random(const struct family *f, uint64_t seed, long step)
{
	rng_seed((seed << 8) + (uint64_t)(f - families) + 1);
	base_pools();
	runtime_start_blocks();
	long block = 0;

	if (f->setup) {
		random_item = f->setup;
		make_block(block++, false, 1, emit_random, IN_M_MODE);
	}
	random_item = f->item;
	for (unsigned b = 0; b < f->blocks; b++, block++) {
		unsigned n = f->items / 2 + pick(f->items / 2 + 1);

		make_block(block, block == step, n, emit_random,
			f->item == base_item ? pick(16) : IN_M_MODE);
		if (block == step)
			break;
	}
}

// A line of a file of fixed programs: NAME [xN=VALUE|fN=VALUE|fcsr=VALUE]... : HEXWORD... # comment
// where VALUE is hexadecimal or `data`, the middle of the data window.
static char *fixed_line;

static void fixed_register(const char *spec, const char *value)
{
	uint64_t v = strcmp(value, "data") ? strtoull(value, 0, 16) : DATA_BASE + DATA_BYTES / 2;
	int n = atoi(spec + 1);

	if (!strcmp(spec, "fcsr")) {
		li(T6, v);
		csrw(CSR_FCSR, T6);
	} else if (spec[0] == 'f') {
		li(T6, v);
		emit32(enc_i(0xf2000053, n, T6, 0)); // fmv.d.x
	} else {
		li(n, v);
	}
}

static void emit_fixed(unsigned index)
{
	char *save = 0, *word = strtok_r(fixed_line, " \t\n", &save); // the name
	bool code = false;

	(void)index;
	while ((word = strtok_r(0, " \t\n", &save))) {
		char *eq = strchr(word, '=');

		if (!strcmp(word, ":")) {
			code = true;
		} else if (!code && eq) {
			*eq = 0;
			fixed_register(word, eq + 1);
		} else if (code && strlen(word) == 8) {
			emit32((uint32_t)strtoul(word, 0, 16));
		} else if (code && strlen(word) == 4) {
			emit16((uint16_t)strtoul(word, 0, 16));
		} else {
			fprintf(stderr, "generate: '%s' is no register or instruction\n", word);
			exit(2);
		}
	}
}

static void make_fixed(const char *path, long step)
{
	FILE *f = fopen(path, "r");
	char line[1024];
	long block = 0;

	if (!f) {
		perror(path);
		exit(2);
	}
	runtime_start_blocks();
	while (fgets(line, sizeof line, f)) {
		line[strcspn(line, "#")] = 0;
		if (!line[strspn(line, " \t\n")])
			continue;
		fixed_line = line;
		make_block(block, block == step, 1, emit_fixed, IN_M_MODE);
		block++;
	}
	fclose(f);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"step", required_argument, 0, 's'},
		{"whole", required_argument, 0, 'w'}, {"list", required_argument, 0, 'l'},
		{"from", required_argument, 0, 'f'}, {0}};
	const char *from = 0;
	long step = -1;

	for (int c; (c = getopt_long(argc, argv, "", options, 0)) != -1;) {
		if (c == 's' || c == 'w')
			step = strtol(optarg, 0, 10), whole = c == 'w';
		else if (c == 'f')
			from = optarg;
		else if (c != 'l')
			usage();
		else if (!(list = fopen(optarg, "w"))) {
			perror(optarg);
			return 2;
		}
	}
	if (argc - optind != 3)
		usage();
	runtime_emit();
	const char *name = argv[optind];
	const struct family *family = 0;

	for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
		if (!strcmp(families[i].name, name))
			family = &families[i];
	if (family)
		make_random(family, strtoull(argv[optind + 1], 0, 10), step);
	else if (!strcmp(name, "fixed") && from)
		make_fixed(from, step);
	else
		usage();
	block_begin(BLOCK_END);
	write_elf(argv[optind + 2]);
	if (list && fclose(list)) {
		perror("list");
		return 2;
	}
	return 0;
}
