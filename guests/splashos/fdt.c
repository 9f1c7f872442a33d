// SPDX-License-Identifier: MIT
/*
 * One pass over the flattened device tree (Devicetree Specification 0.4, chapter 5) for the six
 * things we want to know. Names of nodes tell them apart; the tree's cells for addresses are two,
 * as on every 64-bit board of this kind.
 */
#include <string.h>

#include "os.h"

enum { BEGIN_NODE = 1, END_NODE = 2, PROPERTY = 3, NOP = 4 };

static uint32_t be32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap32(v);
}

static uint64_t be64(const char *p)
{
	return (uint64_t)be32(p) << 32 | be32(p + 4);
}

static bool is(const char *name, const char *wanted)
{
	return !strncmp(name, wanted, strlen(wanted));
}

static void property(struct board *b, const char *node, const char *name, const char *value)
{
	if (!strcmp(node, "chosen") && !strcmp(name, "bootargs"))
		b->bootargs = value;
	else if (!strcmp(node, "cpus") && !strcmp(name, "timebase-frequency"))
		b->timebase_hz = be32(value);
	else if (is(node, "cpu@") && !strcmp(name, "reg") && b->n_harts < MAX_HARTS)
		b->hart_id[b->n_harts++] = be32(value);
	else if (is(node, "memory@") && !strcmp(name, "reg"))
		b->memory_end = be64(value) + be64(value + 8);
	else if (is(node, "test@") && !strcmp(name, "reg"))
		b->test_pa = be64(value);
}

void fdt_scan(const void *fdt, struct board *b)
{
	const char *at = (const char *)fdt + be32((const char *)fdt + 8);
	const char *strings = (const char *)fdt + be32((const char *)fdt + 12), *node = "";

	for (;;) {
		uint32_t token = be32(at), bytes = 0;

		at += 4;
		if (token == BEGIN_NODE) {
			node = at;
			bytes = strlen(at) + 1;
		} else if (token == PROPERTY) { /* these come before the nodes within */
			bytes = be32(at);
			property(b, node, strings + be32(at + 4), at + 8);
			at += 8;
		} else if (token != END_NODE && token != NOP) {
			return;
		}
		at += (bytes + 3) & ~3u;
	}
}
