// SPDX-License-Identifier: MIT
/*
 * Where the vCPUs' time went, and what entered the monitor: the part of the statistics file, the
 * line after a run, and the tables of `disco stats`.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "monitor/vm/engine.h"
#include "monitor/base/json.h"
#include "monitor/report/report.h"
#include "monitor/report/stats.h"
#include "numa/util.h"

static const struct {
	const char *name, *title;
	size_t offset;
} times[] = {
	{"user", "user", offsetof(struct account, user)},
	{"supervisor", "kernel", offsetof(struct account, supervisor)},
	{"machine", "firmware", offsetof(struct account, machine)},
	{"pause", "pause", offsetof(struct account, pause)},
	{"monitor", "monitor", offsetof(struct account, monitor)},
	{"idle", "idle", offsetof(struct account, idle)},
	{"wait", "wait", offsetof(struct account, wait)},
};

static uint64_t time_of(const struct account *a, size_t i)
{
	return *(const uint64_t *)((const char *)a + times[i].offset);
}

/* ---- JSON */

json_t *account_time_json(const struct account *a)
{
	json_t *o = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(times); i++)
		set_count(o, times[i].name, time_of(a, i));
	set_count(o, "total", account_total(a));
	set_count(o, "user_instructions", a->instructions[0]);
	set_count(o, "supervisor_instructions", a->instructions[1]);
	set_count(o, "machine_instructions", a->instructions[2]);
	set_count(o, "user_tlb", a->tlb[0]);
	set_count(o, "supervisor_tlb", a->tlb[1]);
	set_count(o, "machine_tlb", a->tlb[2]);
	set_count(o, "user_pause", a->user_pause);
	return o;
}

json_t *account_traps_json(const struct account *a)
{
	json_t *o = json_object();

	for (unsigned e = EVENT_NONE + 1; e < EVENTS; e++) {
		json_t *row;

		if (!a->count[e] && !a->cycles[e])
			continue;
		row = json_object();
		set_count(row, "count", a->count[e]);
		if (account_event_class[e] < CLASS_TLB)
			set_count(row, "trapped", a->trapped[e]);
		set_count(row, "cycles", a->cycles[e]);
		json_object_set_new(o, account_event_name[e], row);
	}
	return o;
}

/* ---- after a run */

void report_time(const struct run *r)
{
	struct account sum = {0}, a;
	double total;

	for (unsigned i = 0; i < r->cluster.n_vms; i++) {
		a = account_of_vm(r->cluster.vm[i]);
		account_add(&sum, &a);
	}
	total = (double)account_total(&sum);
	if (!total)
		return;
	printf("vCPUs' time, %s:", mode_name[r->cluster.mode]);
	for (size_t i = 0; i < ARRAY_SIZE(times); i++)
		if (time_of(&sum, i))
			printf(" %s %.1f%%", times[i].title,
				100 * (double)time_of(&sum, i) / total);
	printf(".\n");
}

/* ---- disco stats */

/* Of a privilege's time: for memory. */
static double stall(const json_t *time, const char *all, const char *instructions, const char *tlb)
{
	return (double)count_at(time, all) - (double)count_at(time, instructions) -
	       (double)count_at(time, tlb);
}

void stats_print_time(const json_t *root, FILE *out)
{
	const json_t *vms = json_object_get(root, "vms"), *vm;
	size_t i;

	fprintf(out, "%-8s %9s", "VM", "seconds");
	for (size_t t = 0; t < ARRAY_SIZE(times); t++)
		fprintf(out, " %9s", times[t].title);
	fputs("   stall: user    kernel       tlb\n", out);
	json_array_foreach(vms, i, vm)
	{
		const json_t *time = json_object_get(vm, "time");
		double total = (double)MAX(count_at(time, "total"), 1u);
		double hz = (double)count_at(
			json_object_get(json_object_get(root, "inputs"), "machine"), "clock_hz");

		fprintf(out, "%-8s %9.3f", text_at(vm, "name"), total / MAX(hz, 1.0));
		for (size_t t = 0; t < ARRAY_SIZE(times); t++)
			fprintf(out, " %8.2f%%",
				100 * (double)count_at(time, times[t].name) / total);
		fprintf(out, "      %6.2f%%   %6.2f%%   %6.2f%%\n",
			100 * stall(time, "user", "user_instructions", "user_tlb") / total,
			100 *
				stall(time, "supervisor", "supervisor_instructions",
					"supervisor_tlb") /
				total,
			100 *
				(double)(count_at(time, "user_tlb") +
					 count_at(time, "supervisor_tlb") +
					 count_at(time, "machine_tlb")) /
				total);
	}
}

/* One event, of all VMs. */
static json_t *event_sum(const json_t *vms, const char *name, uint64_t sum[3])
{
	static const char *const key[3] = {"count", "trapped", "cycles"};
	json_t *vm, *found = NULL;
	size_t i;

	sum[0] = sum[1] = sum[2] = 0;
	json_array_foreach(vms, i, vm)
	{
		json_t *row = json_object_get(json_object_get(vm, "traps"), name);

		for (int k = 0; k < 3 && row; k++)
			sum[k] += count_at(row, key[k]);
		found = row ? row : found;
	}
	return found;
}

void stats_print_traps(const json_t *root, FILE *out)
{
	const json_t *vms = json_object_get(root, "vms"), *vm;
	uint64_t sum[3], all[ACCOUNT_CLASSES][3] = {{0}}, total = 0;
	size_t i;

	json_array_foreach(vms, i, vm) total += count_at(json_object_get(vm, "time"), "total");
	fprintf(out, "mode %s\n",
		text_at(json_object_get(json_object_get(root, "inputs"), "options"), "mode"));
	for (unsigned c = 0; c < ACCOUNT_CLASSES; c++) {
		bool traps = c < CLASS_TLB;

		fprintf(out, "\n%-24s %14s %14s %16s %9s %8s\n", account_class_name[c],
			c == CLASS_INSTRUCTION ? "executed" : "count", traps ? "trapped" : "",
			"cycles", "each", "of time");
		for (unsigned e = EVENT_NONE + 1; e < EVENTS; e++) {
			if (account_event_class[e] != c ||
				!event_sum(vms, account_event_name[e], sum))
				continue;
			fprintf(out, "  %-22s %14" PRIu64 " ", account_event_name[e], sum[0]);
			if (traps)
				fprintf(out, "%14" PRIu64, sum[1]);
			else
				fprintf(out, "%14s", "");
			fprintf(out, " %16" PRIu64 " %9.1f %7.2f%%\n", sum[2],
				sum[0] ? (double)sum[2] / (double)sum[0] : 0.0,
				100 * (double)sum[2] / (double)MAX(total, 1u));
			for (int k = 0; k < 3; k++)
				all[c][k] += sum[k];
		}
		fprintf(out, "  %-22s %14" PRIu64 " ", "all", all[c][0]);
		if (traps)
			fprintf(out, "%14" PRIu64, all[c][1]);
		else
			fprintf(out, "%14s", "");
		fprintf(out, " %16" PRIu64 " %9s %7.2f%%\n", all[c][2], "",
			100 * (double)all[c][2] / (double)MAX(total, 1u));
	}
	fprintf(out, "\n%" PRIu64 " of %" PRIu64 " sensitive instructions trapped%s\n",
		all[CLASS_INSTRUCTION][1], all[CLASS_INSTRUCTION][0],
		all[CLASS_INSTRUCTION][1] == all[CLASS_INSTRUCTION][0]
			? ": every one is privileged, as Popek and Goldberg demand."
			: "; in mode trap all do, for every one is privileged.");
}
