// SPDX-License-Identifier: MIT
/*
 * Interleave: the page's number decides its node, whichever VM uses it and in whatever order. As
 * numactl --interleave or a machine with interleaving in its memory map: like round robin in the
 * misses it makes, but neighbouring pages are never on one node, and a run with other timing has
 * the same layout.
 */
#include "numa/policy/policy.h"

static unsigned place(unsigned n_nodes, uint32_t page, unsigned node, uint64_t nth)
{
	(void)node, (void)nth;
	return page % n_nodes;
}

const struct policy_kind policy_interleave = {
	.name = "interleave",
	.help = "Physical page N goes to node N modulo the number of nodes, and stays.",
	.source = "set_mempolicy(2), MPOL_INTERLEAVE",
	.place = place,
};
