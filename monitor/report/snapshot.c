// SPDX-License-Identifier: MIT
/*
 * Memory at moments of a run; see snapshot.h.
 */
#include <stdlib.h>
#include <string.h>

#include "monitor/report/snapshot.h"
#include "monitor/vm/engine.h"
#include "numa/util.h"
#include "sharing/content.h"

uint64_t monitor_bytes(const struct run *r)
{
	const struct cluster *c = &r->cluster;
	uint64_t n = memory_overhead_bytes(c->mem);

	if (c->content)
		n += content_overhead_bytes(c->content);
	for (unsigned i = 0; i < c->n_vms; i++)
		n += pmap_overhead_bytes(c->vm[i]->pmap) + c->engine->vm_overhead_bytes(c->vm[i]);
	return n;
}

static void fill(const struct run *r, struct snapshot *s, const char *event)
{
	struct memory_usage u;

	memset(s, 0, sizeof(*s));
	s->event = event;
	s->cycles = r->cluster.now;
	for (unsigned i = 0; i < r->cluster.n_vms; i++) {
		const struct pmap_stats *p = pmap_stats(r->cluster.vm[i]->pmap);

		for (int k = 0; k < FRAME_KINDS; k++)
			s->virtual[k] += p->mapped[k];
	}
	memory_usage(r->cluster.mem, -1, &u);
	memcpy(s->machine, u.kind, sizeof(s->machine));
	s->virtual[FRAME_MONITOR] = s->machine[FRAME_MONITOR]; /* no sharing would save it */
	s->monitor_bytes = monitor_bytes(r);
	if (r->cluster.content)
		s->duplicates = content_census(r->cluster.content);
	s->n_vms = r->cluster.n_vms;
	s->matrix =
		share_matrix_count(r->cluster.mem, r->cluster.vm, r->cluster.n_vms, &s->idle_cache);
}

void snapshots_create(struct run *r)
{
	r->snapshots = xcalloc(1, sizeof(*r->snapshots));
}

void snapshots_destroy(struct run *r)
{
	for (unsigned i = 0; r->snapshots && i < r->snapshots->n; i++)
		free(r->snapshots->list[i].matrix);
	free(r->snapshots);
	r->snapshots = NULL;
	if (r->template.snapshot)
		free(r->template.snapshot->matrix);
	free(r->template.snapshot);
	r->template.snapshot = NULL;
}

void snapshot_take(struct run *r, const char *event)
{
	struct snapshots *s = r->snapshots;

	if (s->n < SNAPSHOT_MAX)
		fill(r, &s->list[s->n++], event);
}

struct snapshot *snapshot_new(const struct run *r, const char *event)
{
	struct snapshot *s = xcalloc(1, sizeof(*s));

	fill(r, s, event);
	return s;
}

void snapshot_track_peak(struct run *r)
{
	struct memory_usage u;

	memory_usage(r->cluster.mem, -1, &u);
	r->snapshots->peak_pages = MAX(r->snapshots->peak_pages, u.total - u.free);
}

const struct snapshot *snapshot_shown(const struct run *r)
{
	return &r->snapshots->list[MIN(r->snapshots->n - 1, 1u)];
}
