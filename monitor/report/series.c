// SPDX-License-Identifier: MIT
/*
 * The time series; see series.h.
 */
#include <string.h>

#include "monitor/vm/counts.h"
#include "monitor/vm/moves.h"
#include "monitor/report/series.h"

void series_init(struct series *s)
{
	memset(s, 0, sizeof(*s));
	s->interval = 1;
}

static void take(struct series *s, const struct cluster *c)
{
	struct sample *to = &s->sample[s->n++];
	struct move_counts moves = moves_total(c);
	struct memory_usage u;

	*to = (struct sample){.cycles = c->now,
		.migrations = moves.migrations,
		.replications = moves.replications,
		.collapses = moves.collapses};
	for (unsigned i = 0; i < c->machine->n_cpus && c->memsys; i++) {
		const struct memsys_counts *n = memsys_counts(c->memsys, i);

		to->local += counts_local(n);
		to->remote += counts_remote(n);
		for (int k = 0; k < MEMSYS_STALLS; k++)
			to->stall[k] += n->stall[k];
	}
	for (unsigned i = 0; i < c->machine->n_nodes; i++) {
		memory_usage(c->mem, (int)i, &u);
		to->free_pages[i] = u.free;
	}
}

static void thin(struct series *s)
{
	for (size_t i = 0; i < SERIES_MAX / 2; i++)
		s->sample[i] = s->sample[2 * i];
	s->n = SERIES_MAX / 2;
	s->interval *= 2;
}

void series_boundary(struct series *s, const struct cluster *c)
{
	if (s->boundaries++ % s->interval)
		return;
	if (s->n == SERIES_MAX)
		thin(s); /* SERIES_MAX is even: this boundary is due at the new interval too */
	take(s, c);
}

void series_end(struct series *s, const struct cluster *c)
{
	if (!s->n || s->sample[s->n - 1].cycles != c->now)
		take(s, c);
}
