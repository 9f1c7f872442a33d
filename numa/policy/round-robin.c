// SPDX-License-Identifier: MIT
/*
 * Round robin: a VM's new pages go to all nodes in turn. What IRIX did on a machine that it took
 * for uniform, and the paper's base line for locality: on N nodes, (N - 1) / N of all misses are
 * remote, but no controller is busier than the others.
 */
#include "numa/policy/policy.h"

static unsigned place(unsigned n_nodes, uint32_t page, unsigned node, uint64_t nth)
{
	(void)page, (void)node;
	return (unsigned)(nth % n_nodes);
}

const struct policy_kind policy_round_robin = {
	.name = "round-robin",
	.help = "Each VM's new pages go to all nodes in turn, and stay.",
	.source = "Disco, section 5.4: IRIX's layout in the comparison",
	.place = place,
};
