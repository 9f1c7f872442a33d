// SPDX-License-Identifier: MIT
/*
 * Names and sums of the services of a guest's kernel: see service.h.
 */
#include <stddef.h>

#include "monitor/vm/service.h"

const char *const service_name[SERVICES] = {
#define X(id, name, title) [SERVICE_##id] = (name),
	SERVICE_KINDS(X)
#undef X
};

const char *const service_title[SERVICES] = {
#define X(id, name, title) [SERVICE_##id] = (title),
	SERVICE_KINDS(X)
#undef X
};

const char *const service_part_name[SERVICE_PARTS] = {
	[PART_KERNEL] = "kernel",
	[PART_TLB] = "tlb",
	[PART_PRIVILEGED] = "privileged",
	[PART_CALLS] = "calls",
	[PART_KERNEL_TLB] = "kernel_tlb",
};

void services_add(struct services *sum, const struct services *now, const struct services *then)
{
	uint64_t *to = (uint64_t *)sum;
	const uint64_t *a = (const uint64_t *)now, *b = (const uint64_t *)then;

	for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++)
		to[i] += a[i] - b[i];
}

uint64_t service_cycles(const struct service_sum *s)
{
	uint64_t all = 0;

	for (unsigned p = 0; p < SERVICE_PARTS; p++)
		all += s->cycles[p];
	return all;
}
