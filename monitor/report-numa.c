// SPDX-License-Identifier: MIT
/*
 * The table of misses, stalls and moves after a run in numa fidelity: a row for each VM, then one
 * for each node's CPUs, then the sum. Columns about moves appear when the policy moves pages.
 */
#include "monitor/moves.h"
#include "monitor/run.h"
#include "numa/util.h"

enum { ROWS_MAX = 16 }; /* of each sort: more are not read, and are in the statistics */

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
		printf("  %8s %8s %8s %7s", "migrated", "replic.", "collaps.", "held MB");
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

static void print_moves(const struct move_counts *m)
{
	printf("  %8llu %8llu %8llu", (unsigned long long)m->migrations,
		(unsigned long long)m->replications, (unsigned long long)m->collapses);
}

static double mib(uint64_t pages)
{
	return (double)pages * PAGE_SIZE / (1 << 20);
}

static void print_vms(const struct cluster *c, bool moves)
{
	for (unsigned i = 0; i < c->n_vms && i < ROWS_MAX; i++) {
		struct tally t = numa_vm(c->vm[i]);

		print_tally(c->vm[i]->name, &t);
		if (moves) {
			struct move_counts m = moves_of_vm(c->vm[i]);

			print_moves(&m);
		}
		printf("\n");
	}
	if (c->n_vms > ROWS_MAX)
		printf("(%u more VMs: --stats)\n", c->n_vms - ROWS_MAX);
}

static void print_nodes(const struct cluster *c, bool moves, const uint64_t *replicas)
{
	for (unsigned i = 0; i < c->machine->n_nodes && i < ROWS_MAX; i++) {
		struct tally t = numa_node(c, i);
		char name[16];

		if (!t.cpu_cycles && !counts_local(&t.n) && !counts_remote(&t.n) && !replicas[i])
			continue; /* idle */
		snprintf(name, sizeof(name), "node %u", i);
		print_tally(name, &t);
		if (moves)
			printf("  %8s %8s %8s %7.1f", "", "", "", mib(replicas[i]));
		printf("\n");
	}
	if (c->machine->n_nodes > ROWS_MAX)
		printf("(%u more nodes: --stats)\n", c->machine->n_nodes - ROWS_MAX);
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
		uint64_t pages = 0;

		for (unsigned i = 0; i < c->machine->n_nodes; i++)
			pages += replicas[i];
		print_moves(&m);
		printf(" %7.1f\nMoves cost %.2f%% of CPU time; %llu were refused, %llu copies "
		       "given "
		       "back (policy %s).\n",
			mib(pages), percent(m.cycles, total.cpu_cycles),
			(unsigned long long)m.refused, (unsigned long long)m.given_back, c->policy);
	} else {
		printf("\n");
	}
	if (c->region_cycles)
		printf("Region of interest: %.6f s.\n",
			(double)c->region_cycles / (double)c->machine->clock_hz);
}
