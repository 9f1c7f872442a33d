// SPDX-License-Identifier: MIT
/*
 * The computer we run on as a machine: nodes, CPUs, memory, caches and distances from hwloc (which
 * also reads HWLOC_XMLFILE and HWLOC_SYNTHETIC, so another computer's description can be examined).
 * What no interface tells, such as what the monitor's work costs, keeps its default.
 */
#include <errno.h>
#include <hwloc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "numa/machine/private.h"
#include "numa/util.h"

enum {
	LOCAL_NS = 90,    /* an idle load from local DRAM on servers of the 2020s, about */
	LOCAL_TLB = 1536, /* second-level TLB of the same, about */
	LOCAL_TLB_WAYS = 12
};

static uint32_t floor_pow2(uint64_t v)
{
	return v ? 1u << (31 - __builtin_clz((uint32_t)MIN(v, 1ull << 31))) : 0;
}

static void get_cache(hwloc_topology_t topo, hwloc_obj_type_t type, struct machine_cache *c)
{
	hwloc_obj_t obj = hwloc_get_obj_by_type(topo, type, 0);
	uint32_t line, ways, sets;

	if (!obj || !obj->attr->cache.size)
		return;
	line = floor_pow2(obj->attr->cache.linesize ? obj->attr->cache.linesize : 64);
	ways = obj->attr->cache.associativity > 0 ? (uint32_t)obj->attr->cache.associativity : 8;
	sets = floor_pow2(obj->attr->cache.size / ((uint64_t)line * ways));
	if (sets)
		*c = (struct machine_cache){sets * line * ways, line, ways};
}

/* Nominal clock: as the CPU's model name has it ("... @ 2.50GHz"), or what cpufreq says is most. */
static uint64_t clock_hz(hwloc_topology_t topo)
{
	const char *model = NULL, *at;
	hwloc_obj_t package = hwloc_get_obj_by_type(topo, HWLOC_OBJ_PACKAGE, 0);
	unsigned long khz = 0;
	FILE *f;

	if (package)
		model = hwloc_obj_get_info_by_name(package, "CPUModel");
	at = model ? strstr(model, "@ ") : NULL;
	if (at && strstr(at, "GHz")) {
		double ghz = strtod(at + 2, NULL);

		if (ghz > 0.1 && ghz < 20)
			return (uint64_t)llround(ghz * 1000) * 1000000;
	}
	f = fopen("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", "r");
	if (f) {
		if (fscanf(f, "%lu", &khz) != 1)
			khz = 0;
		fclose(f);
	}
	return khz > 100000 && khz < 20000000 ? khz * 1000ull : 2000000000;
}

static void get_latencies(hwloc_topology_t topo, struct machine *m)
{
	struct hwloc_distances_s *d;
	unsigned nr = 1;

	for (unsigned i = 0; i < m->n_nodes; i++)
		for (unsigned j = 0; j < m->n_nodes; j++)
			m->latency_ns[i][j] = i == j ? LOCAL_NS : 2 * LOCAL_NS;
	if (hwloc_distances_get_by_type(
		    topo, HWLOC_OBJ_NUMANODE, &nr, &d, HWLOC_DISTANCES_KIND_MEANS_LATENCY, 0) ||
		nr == 0)
		return;
	/* The firmware's table is relative: a node's distance to itself (10) is a local miss. */
	for (unsigned i = 0; i < d->nbobjs; i++)
		for (unsigned j = 0; j < d->nbobjs; j++) {
			unsigned from = d->objs[i]->logical_index, to = d->objs[j]->logical_index;
			hwloc_uint64_t home = d->values[i * d->nbobjs + i],
				       there = d->values[i * d->nbobjs + j];

			if (from < m->n_nodes && to < m->n_nodes && home && there &&
				there / home < 1000)
				m->latency_ns[from][to] = (uint32_t)(LOCAL_NS * there / home);
		}
	hwloc_distances_release(topo, d);
}

/*
 * A CPU can be near several nodes: fast memory beside large memory, or memory without CPUs, which
 * is near to all. It belongs to the node that is near the fewest CPUs, and of equal ones to the
 * first.
 */
static hwloc_bitmap_t own_cpus(hwloc_topology_t topo, unsigned node, unsigned n_nodes)
{
	hwloc_obj_t me = hwloc_get_obj_by_type(topo, HWLOC_OBJ_NUMANODE, node);
	hwloc_bitmap_t own = hwloc_bitmap_dup(me->cpuset);
	int weight = hwloc_bitmap_weight(me->cpuset);

	for (unsigned i = 0; i < n_nodes; i++) {
		hwloc_obj_t other = hwloc_get_obj_by_type(topo, HWLOC_OBJ_NUMANODE, i);
		int theirs = hwloc_bitmap_weight(other->cpuset);

		if (theirs < weight || (theirs == weight && i < node))
			hwloc_bitmap_andnot(own, own, other->cpuset);
	}
	return own;
}

static int get_nodes(hwloc_topology_t topo, struct machine *m)
{
	int n_nodes = hwloc_get_nbobjs_by_type(topo, HWLOC_OBJ_NUMANODE);

	if (n_nodes < 1)
		return complain(ENODEV, "host: hwloc finds no memory node");
	if (n_nodes > MACHINE_MAX_NODES)
		return complain(E2BIG, "host: %d nodes; at most %d are supported", n_nodes,
			MACHINE_MAX_NODES);
	m->n_nodes = (unsigned)n_nodes;
	for (unsigned i = 0; i < m->n_nodes; i++) {
		struct machine_node *to = &m->node[i];
		hwloc_obj_t node = hwloc_get_obj_by_type(topo, HWLOC_OBJ_NUMANODE, i);
		hwloc_bitmap_t mine = own_cpus(topo, i, m->n_nodes);

		to->first_cpu = m->n_cpus;
		to->n_cpus = (unsigned)MAX(hwloc_bitmap_weight(mine), 0);
		to->mem_bytes = node->attr->numanode.local_memory & ~4095ull;
		if (to->n_cpus > MACHINE_MAX_CPUS - m->n_cpus) {
			hwloc_bitmap_free(mine);
			return complain(E2BIG, "host: more than %d CPUs are not supported",
				MACHINE_MAX_CPUS);
		}
		m->node_os[i] = node->os_index;
		for (int os = hwloc_bitmap_first(mine); os >= 0; os = hwloc_bitmap_next(mine, os)) {
			m->cpu_os[m->n_cpus] = (unsigned)os;
			m->cpu_node[m->n_cpus++] = (uint8_t)i;
		}
		hwloc_bitmap_free(mine);
	}
	return 0;
}

int machine_host(struct machine **out)
{
	struct machine *m = xcalloc(1, sizeof(*m));
	hwloc_topology_t topo;
	int err;

	if (hwloc_topology_init(&topo)) {
		free(m);
		return complain(ENOMEM, "host: hwloc does not start");
	}
	/* Left out unless asked for. */
	hwloc_topology_set_icache_types_filter(topo, HWLOC_TYPE_FILTER_KEEP_ALL);
	if (hwloc_topology_load(topo)) {
		err = complain(ENODEV, "host: hwloc cannot read this computer's topology");
		goto out;
	}
	err = get_nodes(topo, m);
	if (err)
		goto out;
	machine_defaults(m);
	m->monitor_text = 0; /* it is where the host put it */
	m->host = true;
	strcpy(m->name, "host");
	strcpy(m->description, "this computer, as hwloc sees it");
	m->clock_hz = clock_hz(topo);
	m->timeslice_cycles = m->clock_hz / 100;
	m->tlb_entries = LOCAL_TLB;
	m->tlb_ways = LOCAL_TLB_WAYS;
	m->tlb_pages = 1;
	m->l2_hit_ns = 5;
	m->dirty_extra_ns = 20;
	m->controller_ns = 2;
	m->link_ns = 2;
	get_cache(topo, HWLOC_OBJ_L1ICACHE, &m->l1i);
	get_cache(topo, HWLOC_OBJ_L1CACHE, &m->l1d);
	get_cache(topo, HWLOC_OBJ_L2CACHE, &m->l2);
	get_latencies(topo, m);
	*out = m;
out:
	hwloc_topology_destroy(topo);
	if (err)
		free(m);
	return err;
}
