// SPDX-License-Identifier: MIT
/*
 * The "numa" object of the statistics: what the memory system counted, by CPU, node, VM and region
 * of interest, what page placement did, the time series, and where each page of each VM is. The
 * schema is in STATS.md.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/base/json.h"
#include "monitor/vm/counts.h"
#include "monitor/vm/moves.h"
#include "monitor/report/stats.h"
#include "numa/util.h"

static void set_share(json_t *object, const char *key, uint64_t part, uint64_t whole)
{
	json_object_set_new(
		object, key, whole ? json_real((double)part / (double)whole) : json_null());
}

json_t *tally_json(const struct tally *t)
{
	uint64_t local = counts_local(&t->n), remote = counts_remote(&t->n);
	json_t *o = json_object(), *stall = json_object();

	set_count(o, "cpu_cycles", t->cpu_cycles);
	set_count(o, "misses", local + remote);
	set_share(o, "local_share", local, local + remote);
	set_share(o, "stall_share", counts_stall(&t->n), t->cpu_cycles);
	for (int i = 0; i < COUNT_FIELDS; i++)
		set_count(o, count_field[i].name,
			*(const uint64_t *)((const char *)&t->n + count_field[i].offset));
	for (int k = 0; k < MEMSYS_STALLS; k++)
		set_count(stall, memsys_stall_name[k], t->n.stall[k]);
	json_object_set_new(o, "stall", stall);
	return o;
}

/* --- sums --- */

struct tally numa_cpu(const struct cluster *c, unsigned cpu)
{
	return (struct tally){c->cpu_cycles[cpu], *memsys_counts(c->memsys, cpu)};
}

struct tally numa_node(const struct cluster *c, unsigned node)
{
	struct tally sum = {0};

	for (unsigned i = 0; i < c->machine->node[node].n_cpus; i++) {
		struct tally t = numa_cpu(c, c->machine->node[node].first_cpu + i);

		tally_add(&sum, &t);
	}
	return sum;
}

struct tally numa_vm(const struct vm *vm)
{
	struct tally sum = {0};

	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		struct tally t = {vm->vcpu[i].model_cycles, vm->vcpu[i].counts};

		tally_add(&sum, &t);
	}
	return sum;
}

struct tally numa_total(const struct cluster *c)
{
	struct tally sum = {0};

	for (unsigned i = 0; i < c->machine->n_nodes; i++) {
		struct tally t = numa_node(c, i);

		tally_add(&sum, &t);
	}
	return sum;
}

/* --- JSON --- */

static json_t *region_json(const struct cluster *c, const struct region *r)
{
	json_t *o = tally_json(&r->t);

	set_count(o, "cycles", r->cycles);
	json_object_set_new(o, "time", account_time_json(&r->account));
	json_object_set_new(o, "traps", account_traps_json(&r->account));
	json_object_set_new(
		o, "moves", moves_happen(c) ? move_counts_json(&r->moves) : json_null());
	return o;
}

static json_t *regions_json(const struct cluster *c)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < c->n_regions && i < REGIONS_MAX; i++)
		json_array_append_new(list, region_json(c, &c->region_list[i]));
	return list;
}

static json_t *cpus_json(const struct cluster *c)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < c->machine->n_cpus; i++) {
		struct tally t = numa_cpu(c, i);
		json_t *o = tally_json(&t);

		set_count(o, "node", c->machine->cpu_node[i]);
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *nodes_json(const struct cluster *c)
{
	json_t *list = json_array();
	uint64_t replicas[MACHINE_MAX_NODES];

	moves_replica_pages(c, replicas);
	for (unsigned i = 0; i < c->machine->n_nodes; i++) {
		struct memsys_home home = memsys_home(c->memsys, i);
		struct move_counts m = moves_to_node(c, i);
		struct tally t = numa_node(c, i);
		json_t *o = tally_json(&t);

		json_object_set_new(
			o, "moves", moves_happen(c) ? move_counts_json(&m) : json_null());
		json_object_set_new(o, "home",
			json_pack("{s:I, s:I, s:I, s:I}", "requests", (json_int_t)home.requests,
				"remote_requests", (json_int_t)home.remote_requests,
				"controller_wait", (json_int_t)home.controller_wait, "link_wait",
				(json_int_t)home.link_wait));
		set_count(o, "replica_bytes", replicas[i] * PAGE_SIZE);
		json_array_append_new(list, o);
	}
	return list;
}

/* Which pages are equal for the page map: their place, and whether they have copies. */
static int64_t page_place(const struct vm *vm, uint32_t ppn)
{
	uint32_t mpn = pmap_entry(vm->pmap, ppn)->mpn;

	if (mpn == MPN_NONE)
		return -1;
	return 2 * (int64_t)frame_node(vm->cluster->mem, mpn) + moves_replicated(vm->cluster, mpn);
}

/* Runs of pages, in order: "-" or a node, "+" if replicated, "*" and their number if not one. */
char *numa_page_map(const struct vm *vm)
{
	uint32_t pages = pmap_pages(vm->pmap), next;
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	if (!out)
		die("out of memory");
	for (uint32_t ppn = 0; ppn < pages; ppn = next) {
		int64_t place = page_place(vm, ppn);

		for (next = ppn + 1; next < pages && page_place(vm, next) == place;)
			next++;
		fputs(ppn ? " " : "", out);
		if (place < 0)
			fputc('-', out);
		else
			fprintf(out, "%d%s", (int)(place / 2), place % 2 ? "+" : "");
		if (next - ppn > 1)
			fprintf(out, "*%u", next - ppn);
	}
	if (fclose(out))
		die("out of memory");
	return text;
}

static json_t *marks_json(const struct vm *vm)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < vm->n_marks && i < VM_MAX_MARKS; i++)
		json_array_append_new(
			list, json_pack("{s:i, s:i, s:I}", "value", (int)vm->mark[i].value, "vcpu",
				      (int)vm->mark[i].vcpu, "cycles", (json_int_t)vm->mark[i].at));
	return list;
}

/* A VM's vCPUs on the CPUs of each node, and copies of its pages there. */
static json_t *vm_nodes_json(const struct vm *vm)
{
	json_t *list = json_array();
	uint64_t replicas[MACHINE_MAX_NODES];

	moves_vm_replica_pages(vm, replicas);
	for (unsigned i = 0; i < vm->cluster->machine->n_nodes; i++) {
		const struct tally *t = &vm->on_node[i];
		uint64_t local = counts_local(&t->n), remote = counts_remote(&t->n);
		json_t *o = json_object();

		set_count(o, "cpu_cycles", t->cpu_cycles);
		set_count(o, "misses", local + remote);
		set_count(o, "local", local);
		set_count(o, "remote", remote);
		set_count(o, "stall", counts_stall(&t->n));
		set_count(o, "replica_bytes", replicas[i] * PAGE_SIZE);
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *vms_json(const struct cluster *c)
{
	json_t *list = json_array();

	for (unsigned v = 0; v < c->n_vms; v++) {
		const struct vm *vm = c->vm[v];
		struct tally t = numa_vm(vm);
		json_t *o = c->memsys ? tally_json(&t) : json_object();

		json_object_set_new(o, "name", json_string(vm->name));
		json_object_set_new(o, "marks", marks_json(vm));
		set_count(o, "n_marks", vm->n_marks);
		json_object_set_new(o, "region_time", account_time_json(&vm->region));
		json_object_set_new(o, "region_traps", account_traps_json(&vm->region));
		json_object_set_new(o, "region_services", services_json(&vm->services_region));
		set_count(o, "marks_refused", vm->marks_refused);
		if (c->memsys) {
			struct move_counts m = moves_of_vm(vm);
			char *pages = numa_page_map(vm);

			json_object_set_new(o, "moves", move_counts_json(&m));
			json_object_set_new(o, "nodes", vm_nodes_json(vm));
			json_object_set_new(o, "pages", json_string(pages));
			free(pages);
		}
		json_array_append_new(list, o);
	}
	return list;
}

/* One array for each column, which is a third of the size of an object for each sample. */
static void add_column(json_t *o, const char *key, const struct series *s, size_t offset)
{
	json_t *column = json_array();

	for (unsigned i = 0; i < s->n; i++)
		json_array_append_new(column,
			json_integer((json_int_t) *
				     (const uint64_t *)((const char *)&s->sample[i] + offset)));
	json_object_set_new(o, key, column);
}

json_t *series_json(const struct series *s, unsigned n_nodes)
{
	static const struct {
		const char *key;
		size_t offset;
	} columns[] = {
		{"cycles", offsetof(struct sample, cycles)},
		{"local", offsetof(struct sample, local)},
		{"remote", offsetof(struct sample, remote)},
		{"migrations", offsetof(struct sample, migrations)},
		{"replications", offsetof(struct sample, replications)},
		{"collapses", offsetof(struct sample, collapses)},
	};
	json_t *o = json_object(), *stall = json_object(), *free_pages = json_array();

	set_count(o, "interval", s->interval);
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		add_column(o, columns[i].key, s, columns[i].offset);
	for (size_t k = 0; k < MEMSYS_STALLS; k++)
		add_column(stall, memsys_stall_name[k], s,
			offsetof(struct sample, stall) + k * sizeof(uint64_t));
	json_object_set_new(o, "stall", stall);
	for (size_t i = 0; i < n_nodes; i++) {
		json_t *node = json_object();

		add_column(node, "pages", s,
			offsetof(struct sample, free_pages) + i * sizeof(uint64_t));
		json_array_append(free_pages, json_object_get(node, "pages"));
		json_decref(node);
	}
	json_object_set_new(o, "free_pages", free_pages);
	return o;
}

json_t *numa_json(const struct run *r)
{
	const struct cluster *c = &r->cluster;
	json_t *o = json_object();

	json_object_set_new(o, "policy", json_string(c->policy));
	json_object_set_new(o, "modelled", json_boolean(c->memsys != NULL));
	json_object_set_new(o, "region", region_json(c, &c->region));
	json_object_set_new(o, "regions", regions_json(c));
	json_object_set_new(o, "vms", vms_json(c));
	json_object_set_new(o, "moves", moves_happen(c) ? moves_json(c) : json_null());
	if (!c->memsys)
		return o;
	struct tally total = numa_total(c);

	json_object_set_new(o, "total", tally_json(&total));
	json_object_set_new(o, "cpus", cpus_json(c));
	json_object_set_new(o, "nodes", nodes_json(c));
	json_object_set_new(o, "series", series_json(r->series, c->machine->n_nodes));
	return o;
}
