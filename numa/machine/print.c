// SPDX-License-Identifier: MIT
/*
 * What `disco topology` shows. Equal neighbouring nodes share a line, and a matrix too wide for
 * numbers becomes one character a pair with a legend, so that 64 nodes fit a terminal as 8 do.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "numa/machine/machine.h"
#include "numa/util.h"

enum { MATRIX_NUMBERS = 16 }; /* up to this many nodes, latencies are printed as numbers */

static const char *scaled(
	char *buf, size_t n, double v, double base, const char *const *unit, unsigned n_units)
{
	unsigned u = 0;

	while (v >= base && u + 1 < n_units) {
		v /= base;
		u++;
	}
	snprintf(buf, n, "%.4g %s", v, unit[u]);
	return buf;
}

static const char *human_bytes(char *buf, size_t n, uint64_t v)
{
	static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB"};

	return scaled(buf, n, (double)v, 1024, unit, ARRAY_SIZE(unit));
}

static const char *human_hz(char *buf, size_t n, uint64_t v)
{
	static const char *const unit[] = {"Hz", "kHz", "MHz", "GHz"};

	return scaled(buf, n, (double)v, 1000, unit, ARRAY_SIZE(unit));
}

static const char *human_cycles(char *buf, size_t n, const struct machine *m, uint64_t cycles)
{
	static const char *const unit[] = {"ns", "us", "ms", "s"};

	return scaled(
		buf, n, (double)cycles * 1e9 / (double)m->clock_hz, 1000, unit, ARRAY_SIZE(unit));
}

static void range(char *buf, size_t n, unsigned first, unsigned count)
{
	if (count == 0)
		snprintf(buf, n, "-");
	else if (count == 1)
		snprintf(buf, n, "%u", first);
	else
		snprintf(buf, n, "%u-%u", first, first + count - 1);
}

static void print_nodes(const struct machine *m, FILE *out)
{
	char nodes[32], cpus[32], mem[32], all[32];

	fprintf(out, "%-10s %-10s %10s %12s %12s\n", "nodes", "CPUs", "CPUs each", "memory each",
		"memory");
	for (unsigned i = 0, n, c; i < m->n_nodes; i += n) {
		const struct machine_node *a = &m->node[i];

		for (n = c = 0; i + n < m->n_nodes && m->node[i + n].n_cpus == a->n_cpus &&
				m->node[i + n].mem_bytes == a->mem_bytes;
			n++)
			c += a->n_cpus;
		range(nodes, sizeof(nodes), i, n);
		range(cpus, sizeof(cpus), a->first_cpu, c);
		fprintf(out, "%-10s %-10s %10u %12s %12s\n", nodes, cpus, a->n_cpus,
			human_bytes(mem, sizeof(mem), a->mem_bytes),
			human_bytes(all, sizeof(all), n * a->mem_bytes));
	}
}

static void print_cache(FILE *out, const char *name, const struct machine_cache *c)
{
	char size[32];

	fprintf(out, "  %-4s %9s, %u-way, %u-byte lines\n", name,
		human_bytes(size, sizeof(size), c->size_bytes), c->ways, c->line_bytes);
}

static void print_numbers(const struct machine *m, FILE *out)
{
	fprintf(out, "%6s", "");
	for (unsigned j = 0; j < m->n_nodes; j++)
		fprintf(out, " %5u", j);
	fputc('\n', out);
	for (unsigned i = 0; i < m->n_nodes; i++) {
		fprintf(out, "%6u", i);
		for (unsigned j = 0; j < m->n_nodes; j++)
			fprintf(out, " %5u", m->latency_ns[i][j]);
		fputc('\n', out);
	}
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void print_picture(const struct machine *m, FILE *out)
{
	static const char glyph[] = ".123456789abcdefghijklmnopqrstuvwxyz";
	enum { GLYPHS = sizeof(glyph) - 1 };
	unsigned n = 0, all = m->n_nodes * m->n_nodes;
	uint32_t *value = xcalloc(all, sizeof(*value));

	for (unsigned i = 0; i < m->n_nodes; i++)
		for (unsigned j = 0; j < m->n_nodes; j++)
			value[n++] = m->latency_ns[i][j];
	qsort(value, all, sizeof(*value), by_value);
	n = 0;
	for (unsigned i = 0; i < all; i++)
		if (!i || value[i] != value[n - 1])
			value[n++] = value[i];

	/* With more values than characters, neighbours share one. */
	for (unsigned i = 0; i < m->n_nodes; i++) {
		fprintf(out, "%6u ", i);
		for (unsigned j = 0; j < m->n_nodes; j++) {
			uint32_t *v =
				bsearch(&m->latency_ns[i][j], value, n, sizeof(*value), by_value);
			unsigned k = (unsigned)(v - value);

			fputc(glyph[n <= GLYPHS ? k : k * GLYPHS / n], out);
		}
		fputc('\n', out);
	}
	fprintf(out, "%6s", "");
	for (unsigned g = 0, k = 0; g < GLYPHS && k < n; g++) {
		unsigned first = k;

		while (k < n && (n <= GLYPHS ? k : k * GLYPHS / n) == g)
			k++;
		fprintf(out, " %c %u", glyph[g], value[first]);
		if (k - first > 1)
			fprintf(out, "-%u", value[k - 1]);
		fputs(k < n ? "," : " ns\n", out);
	}
	free(value);
}

void machine_print(const struct machine *m, FILE *out)
{
	char a[32], b[32];
	uint64_t total = 0;
	const struct {
		const char *name;
		uint64_t cycles;
	} row[] = {
		{"trap", m->cost.trap},
		{"monitor call", m->cost.monitor_call},
		{"page fault", m->cost.page_fault},
		{"page zero", m->cost.page_zero},
		{"page share", m->cost.page_share},
		{"page scan", m->cost.page_scan},
		{"page copy", m->cost.page_copy},
		{"shootdown", m->cost.shootdown},
		{"interrupted", m->cost.shootdown_interrupted},
		{"vCPU switch", m->cost.vcpu_switch},
		{"device access", m->cost.mmio},
		{"TLB refill", m->cost.tlb_refill},
	};

	for (unsigned i = 0; i < m->n_nodes; i++)
		total += m->node[i].mem_bytes;
	fprintf(out, "%s%s%s\n", m->name, *m->description ? ": " : "", m->description);
	fprintf(out, "%u node%s, %u CPU%s, %s\n\n", m->n_nodes, m->n_nodes == 1 ? "" : "s",
		m->n_cpus, m->n_cpus == 1 ? "" : "s", human_bytes(a, sizeof(a), total));
	print_nodes(m, out);
	if (m->monitor_text)
		fprintf(out, "  of each node's memory the monitor's code takes %s\n",
			human_bytes(a, sizeof(a), m->monitor_text));

	fprintf(out, "\neach CPU\n");
	fprintf(out, "  %-4s %9s, timebase %s\n", "clock", human_hz(a, sizeof(a), m->clock_hz),
		human_hz(b, sizeof(b), m->timebase_hz));
	print_cache(out, "L1i", &m->l1i);
	print_cache(out, "L1d", &m->l1d);
	print_cache(out, "L2", &m->l2);
	fprintf(out, "  %-4s %9u entries", "TLB", m->tlb_entries);
	if (m->tlb_ways)
		fprintf(out, ", %u-way", m->tlb_ways);
	fputs(m->tlb_pages > 1 ? ", each a pair of pages" : "", out);
	fprintf(out, "; monitor's L2TLB (mode trap) %" PRIu32 "\n", m->l2tlb_entries);
	fprintf(out, "  L2 hit %" PRIu32 " ns; another CPU's cache answers: +%" PRIu32 " ns\n",
		m->l2_hit_ns, m->dirty_extra_ns);
	fprintf(out,
		"  contention, where modelled: controller %" PRIu32 " ns, link %" PRIu32
		" ns a request\n",
		m->controller_ns, m->link_ns);

	fprintf(out, "\nmemory latency, ns (from node, down; to node, across)\n");
	if (m->n_nodes <= MATRIX_NUMBERS)
		print_numbers(m, out);
	else
		print_picture(m, out);

	fprintf(out, "\nscheduling            cycles       time\n");
	fprintf(out, "  %-14s %11" PRIu64 " %10s\n", "quantum", m->quantum_cycles,
		human_cycles(a, sizeof(a), m, m->quantum_cycles));
	fprintf(out, "  %-14s %11" PRIu64 " %10s\n", "slice", m->slice_cycles,
		human_cycles(a, sizeof(a), m, m->slice_cycles));
	fprintf(out, "  %-14s %11" PRIu64 " %10s\n", "timeslice", m->timeslice_cycles,
		human_cycles(a, sizeof(a), m, m->timeslice_cycles));
	fprintf(out, "monitor's work\n");
	for (unsigned i = 0; i < ARRAY_SIZE(row); i++)
		fprintf(out, "  %-14s %11" PRIu64 " %10s\n", row[i].name, row[i].cycles,
			human_cycles(a, sizeof(a), m, row[i].cycles));
	fprintf(out,
		"  in mode trap: emulate %" PRIu64 ", reflect %" PRIu64 ", L2TLB hit %" PRIu64
		", TLB fill %" PRIu64 "; native: uncached %" PRIu64 "\n",
		m->cost.emulate, m->cost.reflect, m->cost.l2tlb_hit, m->cost.tlb_fill,
		m->cost.uncached);
}
