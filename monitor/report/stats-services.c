// SPDX-License-Identifier: MIT
/*
 * What guests' kernels did for their programs (service.h): the part of the statistics file, and the
 * table of `disco stats --services`.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "monitor/base/json.h"
#include "monitor/report/stats.h"
#include "numa/util.h"

json_t *services_json(const struct services *s)
{
	json_t *o = json_object();
	uint64_t all = 0;

	for (unsigned k = 0; k < SERVICES; k++) {
		const struct service_sum *sum = &s->of[k];
		uint64_t cycles = service_cycles(sum);
		json_t *row;

		all += cycles;
		if (!sum->count && !cycles)
			continue;
		row = json_object();
		set_count(row, "count", sum->count);
		set_count(row, "cycles", cycles);
		for (unsigned p = 0; p < SERVICE_PARTS; p++)
			set_count(row, service_part_name[p], sum->cycles[p]);
		json_object_set_new(o, service_name[k], row);
	}
	set_count(o, "cycles", all);
	set_count(o, "untraced", s->untraced);
	return o;
}

/* ---- disco stats */

/* Those of all VMs, in the regions or from the start. */
static void read_services(const json_t *root, bool region, struct services *sum)
{
	const json_t *list = json_object_get(region ? json_object_get(root, "numa") : root, "vms"),
		     *vm;
	size_t i;

	*sum = (struct services){0};
	json_array_foreach(list, i, vm)
	{
		const json_t *o = json_object_get(vm, region ? "region_services" : "services");

		for (unsigned k = 0; k < SERVICES; k++) {
			const json_t *row = json_object_get(o, service_name[k]);

			sum->of[k].count += count_at(row, "count");
			for (unsigned p = 0; p < SERVICE_PARTS; p++)
				sum->of[k].cycles[p] += count_at(row, service_part_name[p]);
		}
		sum->untraced += count_at(o, "untraced");
	}
}

static void print_row(
	FILE *out, unsigned kind, const struct service_sum *s, uint64_t all, double hz)
{
	double cycles = (double)service_cycles(s);

	fprintf(out, "%-22s %10" PRIu64 " %7.2f%% %11.2f ", service_title[kind], s->count,
		100 * cycles / (double)all, s->count ? 1e6 * cycles / (double)s->count / hz : 0.0);
	for (unsigned p = 0; p < SERVICE_PARTS; p++)
		fprintf(out, " %9.1f%%", cycles ? 100 * (double)s->cycles[p] / cycles : 0.0);
	fputc('\n', out);
}

void stats_print_services(const json_t *root, FILE *out)
{
	const json_t *machine = json_object_get(json_object_get(root, "inputs"), "machine");
	bool region = json_array_size(json_object_get(json_object_get(root, "numa"), "regions"));
	double hz = MAX((double)count_at(machine, "clock_hz"), 1.0);
	struct services s;
	uint64_t all = 0;

	read_services(root, region, &s);
	for (unsigned k = 0; k < SERVICES; k++)
		all += service_cycles(&s.of[k]);
	fprintf(out, "%-22s %10s %8s %11s ", region ? "in regions of interest" : "kernel service",
		"count", "of all", "each, us");
	for (unsigned p = 0; p < SERVICE_PARTS; p++)
		fprintf(out, " %10s", service_part_name[p]);
	fputc('\n', out);
	for (unsigned k = 0; k < SERVICES; k++)
		if (s.of[k].count || service_cycles(&s.of[k]))
			print_row(out, k, &s.of[k], MAX(all, 1u), hz);
	if (s.untraced)
		fprintf(out, "%" PRIu64 " more were not told apart\n", s.untraced);
}
