// SPDX-License-Identifier: MIT
/*
 * First touch: a page goes to the node of the CPU that first uses it, and stays. Right for data
 * that the thread which initializes it goes on using, and for one VM on one node; wrong when a page
 * is read by all, or when vCPUs move.
 */
#include "numa/policy/policy.h"

const struct policy_kind policy_first_touch = {
	.name = "first-touch",
	.help = "A page stays on the node that first uses it.",
	.source = "Disco, section 4.2.3, without its dynamic part",
};
