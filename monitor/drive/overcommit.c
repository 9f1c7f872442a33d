// SPDX-License-Identifier: MIT
/*
 * See overcommit.h. Every CHECK_MS of machine time the guests' balloons are set anew, from three
 * numbers: the frames free now, and what each guest holds in its balloon and says it could do
 * without. Below an eighth of the machine free, guests are asked for the pages missing to three
 * sixteenths; above that, they get half of the surplus back. The gap keeps the balloons still in
 * between. A guest that runs short itself is given some back in any case. That a guest gives pages
 * it never touched, which frees nothing, is why guests are asked for as long as memory is short.
 *
 * First touches leave the last sixty-fourth of the machine alone: the devices' work at the boundary
 * cannot wait. A guest that has been asked may go down to a quarter of that, because relief comes
 * by its own work. A VM whose first touches find nothing waits; when in MAX_WAIT_S nothing has come
 * free, waiting is over for good, and the next VM to find nothing fails.
 */
#include <string.h>

#include "monitor/dev/balloon.h"
#include "monitor/drive/overcommit.h"
#include "numa/util.h"

enum { CHECK_MS = 20, MAX_WAIT_S = 20 };
enum { FLOOR_PAGES = 2048 }; /* 8 MB that a guest is left beyond what it uses */

static uint64_t frames_free(const struct memory *mem)
{
	struct memory_usage u;

	memory_usage(mem, -1, &u);
	return u.free;
}

/* Pages that a guest can still be asked for. */
static uint64_t spare(const struct balloon_state *b)
{
	uint64_t asked = b->target > b->held ? b->target - b->held : 0;

	if (!b->live || b->available == UINT32_MAX || b->available <= FLOOR_PAGES + asked)
		return 0;
	return b->available - FLOOR_PAGES - asked;
}

/* Ask for `want` pages, of each guest in proportion to what it can spare. */
static void take(struct run *r, uint64_t want)
{
	uint64_t all = 0;

	for (unsigned i = 0; i < r->cluster.n_vms; i++) {
		struct balloon_state b = balloon_state(r->guest[i].balloon);

		all += spare(&b);
	}
	want = MIN(want, all);
	for (unsigned i = 0; i < r->cluster.n_vms && want; i++) {
		struct balloon_state b = balloon_state(r->guest[i].balloon);

		balloon_set_target(r->guest[i].balloon,
			(uint32_t)(MAX(b.target, b.held) + spare(&b) * want / all));
	}
}

/* Let the guests have `surplus` pages back, each in proportion to what it holds. */
static void give(struct run *r, uint64_t surplus)
{
	uint64_t all = 0;

	for (unsigned i = 0; i < r->cluster.n_vms; i++)
		all += balloon_state(r->guest[i].balloon).target;
	surplus = MIN(surplus, all);
	for (unsigned i = 0; i < r->cluster.n_vms && surplus; i++) {
		uint32_t target = balloon_state(r->guest[i].balloon).target;

		balloon_set_target(r->guest[i].balloon,
			target - (uint32_t)(((uint64_t)target * surplus + all - 1) / all));
	}
}

/* A guest that runs short itself gets back what it needs while there are frames at all: memory goes
 * to the VM that uses it, and the others are asked for it next. */
static void relieve(struct run *r)
{
	for (unsigned i = 0; i < r->cluster.n_vms; i++) {
		struct balloon_state b = balloon_state(r->guest[i].balloon);
		uint32_t want = FLOOR_PAGES - MIN(b.available, (uint32_t)FLOOR_PAGES);

		if (b.live && b.held && want > FLOOR_PAGES / 2)
			balloon_set_target(r->guest[i].balloon, b.held - MIN(b.held, want));
	}
}

/* Pages asked for that have not come yet. */
static uint64_t under_way(const struct run *r)
{
	uint64_t pages = 0;

	for (unsigned i = 0; i < r->cluster.n_vms; i++) {
		struct balloon_state b = balloon_state(r->guest[i].balloon);

		if (b.target > b.held)
			pages += b.target - b.held;
	}
	return pages;
}

/* How many frames each VM's first touches must leave. */
static void set_floors(struct run *r, uint32_t frames)
{
	for (unsigned i = 0; i < r->cluster.n_vms; i++) {
		struct balloon_state b = balloon_state(r->guest[i].balloon);
		bool asked = b.live && b.target > b.held && b.available > FLOOR_PAGES;

		pmap_set_watermark(r->guest[i].vm->pmap, asked ? frames / 4 : frames);
	}
}

void overcommit_boundary(struct run *r)
{
	struct cluster *c = &r->cluster;
	uint64_t total = c->mem->n_frames, kept = total / 64, enough = total * 3 / 16, free;

	if (!r->options->overcommit || c->now < r->next_check)
		return;
	r->next_check = c->now + CHECK_MS * (c->machine->clock_hz / 1000);
	free = frames_free(c->mem);
	if (free > kept || !c->waits_for_memory)
		r->short_since = c->now;
	else if (c->now - r->short_since > MAX_WAIT_S * c->machine->clock_hz)
		c->waits_for_memory = false;
	for (unsigned i = 0; i < c->n_vms; i++)
		balloon_ask(r->guest[i].balloon);
	if (free > kept)
		relieve(r);
	if (free < total / 8) {
		r->was_short = true;
		take(r, enough - MIN(enough, free + under_way(r)));
	} else if (free > enough) {
		give(r, (free - enough) / 2);
	}
	set_floors(r, c->waits_for_memory ? (uint32_t)kept : 0);
}
