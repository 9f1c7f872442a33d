// SPDX-License-Identifier: MIT
/*
 * malloc() over all of RAM that is left: first fit in one list of free blocks in order of address,
 * neighbours joined (Knuth, volume 1, section 2.5). Parallel programs allocate a few large arrays
 * when they begin, so what matters is that an array is not touched here: its pages are placed where
 * its threads are. Only the 16 bytes before each block are written.
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "os.h"

enum { UNIT = 16 };

/* Before each block, free or not; block and header are multiples of UNIT bytes. */
struct block {
	size_t bytes;       /* this header included */
	struct block *next; /* of a free one */
};
_Static_assert(sizeof(struct block) == UNIT, "a header is one unit");

static struct block *free_list;
static pthread_spinlock_t guard;

void memory_init(uintptr_t begin, uintptr_t end)
{
	free_list = (struct block *)begin;
	free_list->bytes = (end - begin) & ~(size_t)(UNIT - 1);
	free_list->next = NULL;
}

/*
 * Cut need bytes, header included, out of *at so that what follows the header is aligned. NULL if
 * it does not fit. What lies before and after stays in the list.
 */
static struct block *cut(struct block **at, size_t alignment, size_t need)
{
	struct block *b = *at, *mine, *rest;
	uintptr_t user = ((uintptr_t)(b + 1) + alignment - 1) & ~(alignment - 1);
	size_t before = user - (uintptr_t)(b + 1);

	if (user < (uintptr_t)b || before > b->bytes || b->bytes - before < need)
		return NULL;
	mine = (struct block *)user - 1;
	rest = (struct block *)((char *)mine + need);
	if (b->bytes - before - need) {
		size_t bytes = b->bytes - before - need;
		struct block *next = b->next;

		rest->bytes = bytes;
		rest->next = next;
	} else {
		rest = b->next;
	}
	if (before) {
		b->bytes = before;
		b->next = rest;
	} else {
		*at = rest;
	}
	mine->bytes = need;
	return mine;
}

static void *allocate(size_t alignment, size_t bytes)
{
	struct block *mine = NULL;

	if (bytes <= SIZE_MAX / 2) {
		size_t need = ((bytes ? bytes : 1) + 2 * UNIT - 1) & ~(size_t)(UNIT - 1);

		pthread_spin_lock(&guard);
		for (struct block **at = &free_list; *at && !mine; at = &(*at)->next)
			mine = cut(at, alignment, need);
		pthread_spin_unlock(&guard);
	}
	if (!mine) {
		errno = ENOMEM;
		return NULL;
	}
	return mine + 1;
}

void *malloc(size_t bytes)
{
	return allocate(UNIT, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
	if (alignment & (alignment - 1) || !alignment || alignment > SIZE_MAX / 4) {
		errno = EINVAL;
		return NULL;
	}
	return allocate(alignment < UNIT ? UNIT : alignment, bytes);
}

int posix_memalign(void **p, size_t alignment, size_t bytes)
{
	*p = aligned_alloc(alignment, bytes);
	return *p ? 0 : errno;
}

void *calloc(size_t n, size_t each)
{
	size_t bytes;
	void *p;

	if (__builtin_mul_overflow(n, each, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	p = allocate(UNIT, bytes); /* not malloc(), or gcc makes a calloc() of the two */
	return p ? memset(p, 0, bytes) : NULL;
}

static bool touches(const struct block *b, const struct block *next)
{
	return (const char *)b + b->bytes == (const char *)next;
}

static void join_next(struct block *b)
{
	if (b->next && touches(b, b->next)) {
		b->bytes += b->next->bytes;
		b->next = b->next->next;
	}
}

void free(void *p)
{
	struct block *b = (struct block *)p - 1, *before = NULL;

	if (!p)
		return;
	pthread_spin_lock(&guard);
	for (struct block *f = free_list; f && f < b; f = f->next)
		before = f;
	b->next = before ? before->next : free_list;
	join_next(b);
	if (before) {
		before->next = b;
		join_next(before);
	} else {
		free_list = b;
	}
	pthread_spin_unlock(&guard);
}

void *realloc(void *old, size_t bytes)
{
	size_t had = old ? ((struct block *)old - 1)->bytes - UNIT : 0;
	void *p;

	if (old && bytes <= had)
		return old;
	p = malloc(bytes);
	if (p && old) {
		memcpy(p, old, had);
		free(old);
	}
	return p;
}
