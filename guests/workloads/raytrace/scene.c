// SPDX-License-Identifier: MIT
/*
 * Makes the scene: 18432 triangles of a hilly landscape, from integer noise, and 4687 balls, where
 * each ball has smaller ones in the six directions of the axes but the one it is attached from.
 * That is 2.9 MB of elements and 1 MB of grid, several times a second-level cache of the paper's
 * machine.
 */
#include <stdio.h>
#include <stdlib.h>

#include "scene.h"

enum { GROUND = 96, BALL_LEVELS = 5, MAX_ELEMENTS = 2 * GROUND * GROUND + 5000 };
#define EXTENT 10.0 /* of the ground, to each side */

static void *memory(size_t bytes)
{
	void *p = aligned_alloc(4096, (bytes + 4095) & ~(size_t)4095);

	if (!p) {
		fprintf(stderr, "raytrace: out of memory\n");
		exit(1);
	}
	return p;
}

/* Height at a lattice point, 0 to 1 (the finisher of SplitMix64; Steele, Lea and Flood, 2014). */
static double lattice(uint64_t x, uint64_t z, uint64_t octave)
{
	uint64_t h = x * 0x9e3779b97f4a7c15ull + z * 0xd1b54a32d192ed03ull + octave;

	h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9ull;
	h = (h ^ h >> 27) * 0x94d049bb133111ebull;
	return (double)((h ^ h >> 31) >> 40) / 16777216;
}

static double height(uint32_t x, uint32_t z)
{
	double h = 0, weight = 1.6;

	for (uint32_t step = GROUND / 6; step >= 2; step /= 2, weight /= 2) {
		uint32_t i = x / step, k = z / step;
		double u = (double)(x % step) / step, v = (double)(z % step) / step;

		h += weight * ((1 - u) * (1 - v) * lattice(i, k, step) +
				      u * (1 - v) * lattice(i + 1, k, step) +
				      (1 - u) * v * lattice(i, k + 1, step) +
				      u * v * lattice(i + 1, k + 1, step));
	}
	return h - 2;
}

static struct vec ground(uint32_t x, uint32_t z)
{
	return (struct vec){
		2 * EXTENT * x / GROUND - EXTENT, height(x, z), 2 * EXTENT * z / GROUND - EXTENT};
}

static void add_triangle(struct scene *s, struct vec a, struct vec b, struct vec c, uint32_t shade)
{
	struct vec n = unit(cross(sub(b, a), sub(c, a)));

	s->element[s->elements++] = (struct element){.kind = TRIANGLE,
		.shade = shade,
		.a = a,
		.b = sub(b, a),
		.c = sub(c, a),
		.n = n.y < 0 ? scale(-1, n) : n};
}

static void add_balls(struct scene *s, struct vec at, double r, int level, int from)
{
	static const struct vec way[6] = {
		{1, 0, 0}, {-1, 0, 0}, {0, 1, 0}, {0, -1, 0}, {0, 0, 1}, {0, 0, -1}};

	s->element[s->elements++] =
		(struct element){.kind = BALL, .shade = 2 + (uint32_t)level % 3, .a = at, .r = r};
	for (int i = 0; i < 6 && level < BALL_LEVELS; i++)
		if (i != from)
			add_balls(s, add(at, scale(1.45 * r, way[i])), 0.45 * r, level + 1, i ^ 1);
}

/* ---- the grid */

static double least(double a, double b)
{
	return a < b ? a : b;
}

static double most(double a, double b)
{
	return a > b ? a : b;
}

static void bounds(const struct element *e, struct vec *low, struct vec *high)
{
	struct vec r = {e->r, e->r, e->r}, p = add(e->a, e->b), q = add(e->a, e->c);

	if (e->kind == BALL) {
		*low = sub(e->a, r);
		*high = add(e->a, r);
	} else {
		*low = (struct vec){least(e->a.x, least(p.x, q.x)), least(e->a.y, least(p.y, q.y)),
			least(e->a.z, least(p.z, q.z))};
		*high = (struct vec){most(e->a.x, most(p.x, q.x)), most(e->a.y, most(p.y, q.y)),
			most(e->a.z, most(p.z, q.z))};
	}
}

static int32_t cell(double at, double low, double edge, int32_t cells)
{
	int32_t i = (int32_t)((at - low) / edge);

	return i < 0 ? 0 : i >= cells ? cells - 1 : i;
}

/* Counts (item NULL) or enters every element in the cells its bounds reach, with a little to spare,
 * so that rounding cannot make a ray pass it by. */
static void enter(const struct scene *s, uint32_t *next, uint32_t *item)
{
	for (uint32_t i = 0; i < s->elements; i++) {
		double spare = s->edge / 1024;
		struct vec low, high;
		int32_t from[3], to[3];

		bounds(&s->element[i], &low, &high);
		from[0] = cell(low.x - spare, s->low.x, s->edge, s->cells[0]);
		from[1] = cell(low.y - spare, s->low.y, s->edge, s->cells[1]);
		from[2] = cell(low.z - spare, s->low.z, s->edge, s->cells[2]);
		to[0] = cell(high.x + spare, s->low.x, s->edge, s->cells[0]);
		to[1] = cell(high.y + spare, s->low.y, s->edge, s->cells[1]);
		to[2] = cell(high.z + spare, s->low.z, s->edge, s->cells[2]);
		for (int32_t z = from[2]; z <= to[2]; z++)
			for (int32_t y = from[1]; y <= to[1]; y++)
				for (int32_t x = from[0]; x <= to[0]; x++) {
					uint32_t *n =
						&next[(z * s->cells[1] + y) * s->cells[0] + x];

					if (item)
						item[*n] = i;
					++*n;
				}
	}
}

static void make_grid(struct scene *s)
{
	struct vec low, high, l, h;
	uint32_t cells, *next, sum = 0;
	double volume;

	bounds(&s->element[0], &low, &high);
	for (uint32_t i = 1; i < s->elements; i++) {
		bounds(&s->element[i], &l, &h);
		low = (struct vec){least(low.x, l.x), least(low.y, l.y), least(low.z, l.z)};
		high = (struct vec){most(high.x, h.x), most(high.y, h.y), most(high.z, h.z)};
	}
	/* About eight cells for an element: the largest power of two for an edge that gives them.
	 */
	h = sub(high, low);
	volume = h.x * h.y * h.z;
	for (s->edge = 16; volume / (s->edge * s->edge * s->edge) < 8.0 * s->elements;)
		s->edge /= 2;
	s->low = sub(low, (struct vec){s->edge / 64, s->edge / 64, s->edge / 64});
	s->cells[0] = (int32_t)(h.x / s->edge) + 2;
	s->cells[1] = (int32_t)(h.y / s->edge) + 2;
	s->cells[2] = (int32_t)(h.z / s->edge) + 2;
	cells = (uint32_t)(s->cells[0] * s->cells[1] * s->cells[2]);
	s->first = memory((cells + 1) * sizeof(*s->first));
	next = memory((cells + 1) * sizeof(*next));
	for (uint32_t i = 0; i <= cells; i++)
		next[i] = 0;
	enter(s, next, NULL);
	for (uint32_t i = 0; i <= cells; i++) {
		s->first[i] = sum;
		sum += next[i];
		next[i] = s->first[i];
	}
	s->item = memory(sum * sizeof(*s->item));
	enter(s, next, s->item);
	free(next);
}

void scene_make(struct scene *s)
{
	s->element = memory(MAX_ELEMENTS * sizeof(*s->element));
	s->elements = 0;
	for (uint32_t z = 0; z < GROUND; z++)
		for (uint32_t x = 0; x < GROUND; x++) {
			uint32_t shade = (x / 4 + z / 4) % 2;

			add_triangle(s, ground(x, z), ground(x + 1, z), ground(x, z + 1), shade);
			add_triangle(
				s, ground(x + 1, z), ground(x + 1, z + 1), ground(x, z + 1), shade);
		}
	add_balls(s, (struct vec){0, 3.2, 0}, 1, 0, -1);
	make_grid(s);
}
