// SPDX-License-Identifier: MIT
/*
 * Comparing the fast memory-system model with the slow one: see memsys-reference.h. The first
 * difference ends the program; without a test framework, for programs that are not one test.
 */
#include "numa/memory/frame.h"
#include "tests/memsys-reference.h"

void ref_same(uint64_t fast, uint64_t slow, const char *what)
{
	if (fast != slow)
		die("%s: %llu, the reference says %llu", what, (unsigned long long)fast,
			(unsigned long long)slow);
}

static void same_hot(const struct memsys *ms, const struct ref *r, unsigned cpu)
{
	unsigned n, m;
	const struct memsys_hot *fast = memsys_hot(ms, cpu, &n), *slow = ref_hot(r, cpu, &m);

	ref_same(n, m, "hot signals");
	for (unsigned k = 0; k < n; k++) {
		ref_same(fast[k].mpn, slow[k].mpn, "hot frame");
		ref_same(fast[k].node, slow[k].node, "hot frame's node");
	}
}

void ref_same_counts(const struct memsys *ms, const struct ref *r, const struct machine *m)
{
	for (unsigned i = 0; i < m->n_cpus; i++) {
		const uint64_t *a = (const uint64_t *)memsys_counts(ms, i);
		const uint64_t *b = (const uint64_t *)ref_counts(r, i);

		for (unsigned k = 0; k < sizeof(struct memsys_counts) / sizeof(uint64_t); k++)
			if (a[k] != b[k])
				die("CPU %u, counter %u: %llu, the reference says %llu", i, k,
					(unsigned long long)a[k], (unsigned long long)b[k]);
		same_hot(ms, r, i);
	}
	for (unsigned node = 0; node < m->n_nodes; node++) {
		struct memsys_home fast = memsys_home(ms, node), slow = ref_home(r, node);

		ref_same(fast.requests, slow.requests, "requests");
		ref_same(fast.remote_requests, slow.remote_requests, "remote requests");
		ref_same(fast.controller_wait, slow.controller_wait, "wait for the controller");
		ref_same(fast.link_wait, slow.link_wait, "wait for the link");
	}
}

void ref_same_state(const struct memsys *ms, const struct ref *r, const struct machine *m)
{
	uint64_t bytes = 0;

	ref_same_counts(ms, r, m);
	for (unsigned node = 0; node < m->n_nodes; node++)
		bytes += m->node[node].mem_bytes;
	for (uint64_t ma = 0; ma < bytes; ma += m->l2.line_bytes) {
		uint64_t fast[2], slow[2];
		bool owned = memsys_sharers(ms, ma, fast);

		ref_same(owned, ref_sharers(r, ma, slow), "owned");
		ref_same(fast[0], slow[0], "sharers 0-63");
		ref_same(fast[1], slow[1], "sharers 64-127");
		for (unsigned i = 0; i < m->n_cpus; i++)
			ref_same(memsys_state(ms, i, ma), ref_state(r, i, ma), "state");
	}
	for (uint32_t mpn = 0; mpn < bytes >> PAGE_SHIFT; mpn++) {
		ref_same(memsys_frame_writes(ms, mpn), ref_frame_writes(r, mpn), "writes");
		for (unsigned node = 0; node < m->n_nodes; node++)
			ref_same(memsys_frame_misses(ms, mpn, node), ref_frame_misses(r, mpn, node),
				"misses");
	}
}
