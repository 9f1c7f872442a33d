// SPDX-License-Identifier: MIT
/*
 * A machine of a few nodes for unit tests, with the paper's latencies; and the usual end of a test
 * program.
 */
#ifndef TESTS_SMALL_MACHINE_H
#define TESTS_SMALL_MACHINE_H

#include <check.h>
#include <stdlib.h>

#include "numa/memory/frame.h"
#include "numa/machine/machine.h"

/* Memory of n_nodes nodes with frames[i] frames each. */
static inline struct memory *small_memory(unsigned n_nodes, const uint32_t *frames)
{
	struct machine *m = xcalloc(1, sizeof(*m));
	struct memory *mem;

	m->n_nodes = n_nodes;
	for (unsigned i = 0; i < n_nodes; i++) {
		m->node[i].mem_bytes = (uint64_t)frames[i] << PAGE_SHIFT;
		for (unsigned j = 0; j < n_nodes; j++)
			m->latency_ns[i][j] = i == j ? 300 : 900;
	}
	mem = memory_create(m);
	free(m); /* memory keeps nothing of it */
	return mem;
}

#define SMALL_MEMORY(...)                                                                          \
	small_memory(sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t),                         \
		(const uint32_t[]){__VA_ARGS__})

static inline int run_suite(Suite *s)
{
	SRunner *r = srunner_create(s);
	int failed;

	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}

#endif
