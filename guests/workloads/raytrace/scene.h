// SPDX-License-Identifier: MIT
/*
 * The scene of the ray tracer: elements (triangles of a landscape, balls with balls on them) and
 * the grid of cells over them, all made by one thread and only read afterwards. Coordinates are in
 * double precision and come from + - * / and square root alone, which every machine rounds alike.
 */
#ifndef SCENE_H
#define SCENE_H

#include <math.h>
#include <stdint.h>

struct vec {
	double x, y, z;
};

enum kind { BALL, TRIANGLE };

struct element {
	enum kind kind;
	uint32_t shade; /* which of the surfaces (trace.c) */
	struct vec a;   /* ball: centre; triangle: a corner ... */
	struct vec b;   /* ... and the edges from it */
	struct vec c;
	struct vec n; /* triangle: unit normal, upwards */
	double r;     /* ball: radius */
} __attribute__((aligned(128)));

struct scene {
	struct element *element;
	uint32_t elements;
	struct vec low; /* corner of the grid */
	double edge;    /* of a cell, which is a cube */
	int32_t cells[3];
	uint32_t *first; /* by cell: its first item; one more at the end */
	uint32_t *item;  /* numbers of elements */
};

static inline struct vec add(struct vec a, struct vec b)
{
	return (struct vec){a.x + b.x, a.y + b.y, a.z + b.z};
}

static inline struct vec sub(struct vec a, struct vec b)
{
	return (struct vec){a.x - b.x, a.y - b.y, a.z - b.z};
}

static inline struct vec scale(double s, struct vec a)
{
	return (struct vec){s * a.x, s * a.y, s * a.z};
}

static inline double dot(struct vec a, struct vec b)
{
	return a.x * b.x + a.y * b.y + a.z * b.z;
}

static inline struct vec cross(struct vec a, struct vec b)
{
	return (struct vec){a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}

static inline struct vec unit(struct vec a)
{
	return scale(1 / sqrt(dot(a, a)), a);
}

void scene_make(struct scene *s);

/* What a ray from `from` in direction `to` (of length 1) meets first, or -1; its distance in *t.
 * With `limit` > 0, anything nearer than that will do. trace_plain() looks at every element. */
int64_t trace_grid(const struct scene *s, struct vec from, struct vec to, double limit, double *t);
int64_t trace_plain(const struct scene *s, struct vec from, struct vec to, double limit, double *t);

/* Colour of a pixel of the image of n by n, 8 bits each of red, green and blue; *rays counts. */
typedef int64_t tracer(const struct scene *, struct vec, struct vec, double, double *);
uint32_t pixel(
	const struct scene *s, tracer *trace, uint32_t n, uint32_t x, uint32_t y, uint64_t *rays);

#endif
