// SPDX-License-Identifier: MIT
/*
 * The tables of misses, stalls and moves after a run in numa fidelity: a row for each VM, then one
 * for each node's CPUs, then the sum; and which VM missed on which node. Columns about moves appear
 * when the policy moves pages; a node's are the moves to it.
 */
#include "monitor/vm/moves.h"
#include "monitor/report/report.h"
#include "monitor/report/stats.h"
#include "numa/util.h"

enum {
	ROWS_MAX = 16, /* of each sort: more are not read, and are in the statistics */
	COLUMNS_MAX = 8,
};

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100 * (double)part / (double)whole : 0;
}

static void print_header(bool moves)
{
	printf("\n%-8s %9s %6s %7s   %-55s%s\n", "", "L2 misses", "local", "remote",
		"stalls, % of CPU time", moves ? "  pages" : "");
	printf("%-8s %9s %6s %7s  ", "misses", "millions", "%", "%");
	for (int k = 0; k < MEMSYS_STALLS; k++)
		printf(" %7s", memsys_stall_name[k]);
	printf(" %7s", "all");
	if (moves)
		printf("  %8s %8s %8s %7s %6s", "migrated", "replic.", "collaps.", "held MB",
			"cost %");
	printf("\n");
}

static void print_tally(const char *name, const struct tally *t)
{
	uint64_t local = counts_local(&t->n), remote = counts_remote(&t->n);

	printf("%-8s %9.3f", name, (double)(local + remote) / 1e6);
	if (local + remote)
		printf(" %6.1f %7.1f  ", percent(local, local + remote),
			percent(remote, local + remote));
	else
		printf(" %6s %7s  ", "-", "-");
	for (int k = 0; k < MEMSYS_STALLS; k++)
		printf(" %7.1f", percent(t->n.stall[k], t->cpu_cycles));
	printf(" %7.1f", percent(counts_stall(&t->n), t->cpu_cycles));
}

static double mib(uint64_t pages)
{
	return (double)pages * PAGE_SIZE / (1 << 20);
}

/* replicas: pages of copies held */
static void print_moves(const struct move_counts *m, uint64_t replicas, const struct tally *t)
{
	printf("  %8llu %8llu %8llu %7.1f %6.2f", (unsigned long long)m->migrations,
		(unsigned long long)m->replications, (unsigned long long)m->collapses,
		mib(replicas), percent(m->cycles, t->cpu_cycles));
}

static uint64_t sum(const struct cluster *c, const uint64_t pages[MACHINE_MAX_NODES])
{
	uint64_t n = 0;

	for (unsigned i = 0; i < c->machine->n_nodes; i++)
		n += pages[i];
	return n;
}

static void print_vms(const struct cluster *c, bool moves)
{
	for (unsigned i = 0; i < c->n_vms && i < ROWS_MAX; i++) {
		struct tally t = numa_vm(c->vm[i]);

		print_tally(c->vm[i]->name, &t);
		if (moves) {
			struct move_counts m = moves_of_vm(c->vm[i]);
			uint64_t replicas[MACHINE_MAX_NODES];

			moves_vm_replica_pages(c->vm[i], replicas);
			print_moves(&m, sum(c, replicas), &t);
		}
		printf("\n");
	}
	if (c->n_vms > ROWS_MAX)
		printf("(%u more VMs: --stats)\n", c->n_vms - ROWS_MAX);
}

static void print_nodes(const struct cluster *c, bool moves, const uint64_t *replicas)
{
	for (unsigned i = 0; i < c->machine->n_nodes && i < ROWS_MAX; i++) {
		struct move_counts m = moves_to_node(c, i);
		struct tally t = numa_node(c, i);
		char name[16];

		if (!t.cpu_cycles && !counts_local(&t.n) && !counts_remote(&t.n) && !replicas[i])
			continue; /* idle */
		snprintf(name, sizeof(name), "node %u", i);
		print_tally(name, &t);
		if (moves)
			print_moves(&m, replicas[i], &t);
		printf("\n");
	}
	if (c->machine->n_nodes > ROWS_MAX)
		printf("(%u more nodes: --stats)\n", c->machine->n_nodes - ROWS_MAX);
}

/* Misses of each VM by the node its vCPUs were on. One VM's are the nodes' rows. */
static void print_matrix(const struct cluster *c)
{
	unsigned nodes = MIN(c->machine->n_nodes, (unsigned)COLUMNS_MAX);

	if (c->n_vms < 2)
		return;
	printf("\n%-8s", "");
	for (unsigned i = 0; i < nodes; i++)
		printf(" %6s %-6u", "node", i);
	printf("\n%-8s", "misses");
	for (unsigned i = 0; i < nodes; i++)
		printf(" %8s %4s", "millions", "loc%");
	printf("\n");
	for (unsigned v = 0; v < c->n_vms && v < ROWS_MAX; v++) {
		printf("%-8s", c->vm[v]->name);
		for (unsigned i = 0; i < nodes; i++) {
			const struct memsys_counts *n = &c->vm[v]->on_node[i].n;
			uint64_t local = counts_local(n), all = local + counts_remote(n);

			if (all)
				printf(" %8.3f %4.0f", (double)all / 1e6, percent(local, all));
			else
				printf(" %8s %4s", "-", "-");
		}
		printf("\n");
	}
	if (c->machine->n_nodes > COLUMNS_MAX)
		printf("(%u more nodes: --stats)\n", c->machine->n_nodes - COLUMNS_MAX);
}

static void print_region(
	const struct cluster *c, const struct region *r, const char *name, bool moves)
{
	uint64_t local = counts_local(&r->t.n), all = local + counts_remote(&r->t.n);

	printf("%s: %.6f s, %.1f%% of misses local, %.1f%% of CPU time stalled", name,
		(double)r->cycles / (double)c->machine->clock_hz, percent(local, all),
		percent(counts_stall(&r->t.n), r->t.cpu_cycles));
	if (moves)
		printf("; %llu migrations, %llu replications, %llu collapses took %.2f%%",
			(unsigned long long)r->moves.migrations,
			(unsigned long long)r->moves.replications,
			(unsigned long long)r->moves.collapses,
			percent(r->moves.cycles, r->t.cpu_cycles));
	printf(".\n");
}

static void print_regions(const struct cluster *c, bool moves)
{
	char name[40];

	if (!c->n_regions)
		return;
	printf("\n");
	for (unsigned i = 0; i < c->n_regions && i < ROWS_MAX && c->n_regions > 1; i++) {
		snprintf(name, sizeof(name), "Region %u", i + 1);
		print_region(c, &c->region_list[i], name, moves);
	}
	print_region(c, &c->region, c->n_regions > 1 ? "All regions" : "Region of interest", moves);
}

void report_numa(const struct run *r)
{
	const struct cluster *c = &r->cluster;
	bool moves = moves_happen(c);
	uint64_t replicas[MACHINE_MAX_NODES];
	struct tally total;

	if (!c->memsys)
		return;
	moves_replica_pages(c, replicas);
	total = numa_total(c);
	print_header(moves);
	print_vms(c, moves);
	print_nodes(c, moves, replicas);
	print_tally("all", &total);
	if (moves) {
		struct move_counts m = moves_total(c);

		print_moves(&m, sum(c, replicas), &total);
		printf("\nMoves cost %.2f%% of CPU time; %llu were refused, %llu copies given back "
		       "(policy %s).\n",
			percent(m.cycles, total.cpu_cycles), (unsigned long long)m.refused,
			(unsigned long long)m.given_back, c->policy);
	} else {
		printf("\n");
	}
	print_matrix(c);
	print_regions(c, moves);
}
