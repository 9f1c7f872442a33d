// SPDX-License-Identifier: MIT
/*
 * Counting the share matrix; see share-matrix.h. Of a frame's users only the VMs among the first
 * SHARE_MATRIX_VMS matter one by one: a mask of these, and whether there is more than one VM at
 * all, say for each of the frame's pages what it counts as.
 */
#include <stdlib.h>

#include "monitor/report/share-matrix.h"
#include "monitor/vm/vm.h"
#include "numa/util.h"

/* What one frame's users have in common. */
struct party {
	uint32_t first; /* VMs below SHARE_MATRIX_VMS, a bit each */
	uint32_t vm;    /* any VM */
	bool several, file;
};

static bool is_vm(struct frame_user u, unsigned n)
{
	return u.owner < n;
}

static struct party party_of(const struct memory *mem, uint32_t mpn, unsigned n)
{
	struct party p = {.vm = OWNER_NONE};

	for (uint32_t i = 0; i < frame_users(mem, mpn); i++) {
		struct frame_user u = frame_user(mem, mpn, i);

		if (!is_vm(u, n)) {
			p.file = true;
			continue;
		}
		p.several |= p.vm != OWNER_NONE && p.vm != u.owner;
		p.vm = u.owner;
		if (u.owner < SHARE_MATRIX_VMS)
			p.first |= 1u << u.owner;
	}
	return p;
}

static void count_page(struct share_row *s, uint32_t vm, const struct party *p)
{
	uint32_t self = vm < SHARE_MATRIX_VMS ? 1u << vm : 0;

	for (uint32_t with = p->several ? p->first & ~self : self; with; with &= with - 1) {
		unsigned k = (unsigned)__builtin_ctz(with);

		s->with[k]++;
		s->disk_with[k] += p->file;
	}
	if (!p->several)
		*(p->file ? &s->disk : &s->own) += 1;
	else if (!(p->first & 1))
		s->others++;
	else
		*(p->file ? &s->first_disk : &s->first_other) += 1;
}

/* False: no VM maps it. */
static bool count_frame(const struct memory *mem, uint32_t mpn, struct share_row *s, unsigned n)
{
	struct party p = party_of(mem, mpn, n);

	for (uint32_t i = 0; p.vm != OWNER_NONE && i < frame_users(mem, mpn); i++) {
		struct frame_user u = frame_user(mem, mpn, i);

		if (!is_vm(u, n))
			continue;
		if (frame_kind(mem, mpn) == FRAME_TEXT)
			s[u.owner].text++;
		else
			count_page(&s[u.owner], u.owner, &p);
	}
	return p.vm != OWNER_NONE;
}

struct share_row *share_matrix_count(
	const struct memory *mem, struct vm *const *vm, unsigned n, uint64_t *idle)
{
	struct share_row *s = xcalloc(n, sizeof(*s));

	*idle = 0;
	for (uint32_t mpn = 0; mpn < mem->n_frames; mpn++) {
		enum frame_kind kind = frame_kind(mem, mpn);

		/* Copies are counted where their master is. */
		if (frame_kind_info[kind].guest && !count_frame(mem, mpn, s, n))
			*idle += kind == FRAME_CACHE;
	}
	for (unsigned i = 0; i < n; i++)
		s[i].zero = pmap_stats(vm[i]->pmap)->mapped[FRAME_ZERO];
	return s;
}

static void set(json_t *o, const char *key, uint64_t pages)
{
	json_object_set_new(o, key, json_integer((json_int_t)pages * PAGE_SIZE));
}

static json_t *row_json(const uint64_t *pages, unsigned n)
{
	json_t *row = json_array();

	for (unsigned k = 0; k < MIN(n, (unsigned)SHARE_MATRIX_VMS); k++)
		json_array_append_new(row, json_integer((json_int_t)pages[k] * PAGE_SIZE));
	return row;
}

json_t *share_matrix_json(const struct share_row *s, unsigned n)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < n; i++) {
		json_t *o = json_object();

		set(o, "own", s[i].own);
		set(o, "disk", s[i].disk);
		set(o, "first_disk", s[i].first_disk);
		set(o, "first_other", s[i].first_other);
		set(o, "others", s[i].others);
		set(o, "text", s[i].text);
		set(o, "zero", s[i].zero);
		json_object_set_new(o, "with", row_json(s[i].with, n));
		json_object_set_new(o, "disk_with", row_json(s[i].disk_with, n));
		json_array_append_new(list, o);
	}
	return list;
}
