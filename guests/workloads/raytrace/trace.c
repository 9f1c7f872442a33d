// SPDX-License-Identifier: MIT
/*
 * Rays: what they meet, by walking through the grid cell by cell (Amanatides and Woo, "A Fast Voxel
 * Traversal Algorithm for Ray Tracing", 1987) or by looking at everything, and what colour a pixel
 * gets from its ray, the shadows of two lights, and reflections. Two elements at one distance: the
 * lower number is met, so that the order of looking does not matter.
 */
#include "scene.h"

#define FAR  1e30
#define NEAR 1e-6

static const struct surface {
	double colour[3], mirror;
} surface[] = {
	{{0.20, 0.45, 0.15}, 0},
	{{0.50, 0.42, 0.25}, 0},
	{{0.80, 0.75, 0.70}, 0.6},
	{{0.75, 0.30, 0.20}, 0.45},
	{{0.25, 0.40, 0.80}, 0.45},
};
static const double sky[3] = {0.55, 0.70, 0.95};
static const struct {
	struct vec at;
	double strength;
} light[2] = {{{-14, 18, -12}, 0.65}, {{9, 14, -16}, 0.35}};

enum { MAX_BOUNCES = 5 };

/* Distance at which the ray meets e; not nearer than NEAR, less than *t: true, and *t becomes it.
 */
static int meets(const struct element *e, struct vec from, struct vec to, double *t)
{
	struct vec o = sub(from, e->a), p, q;
	double at, det, u, v;

	if (e->kind == BALL) {
		double b = dot(o, to), d = b * b - (dot(o, o) - e->r * e->r);

		if (d < 0)
			return 0;
		d = sqrt(d);
		at = -b - d >= NEAR ? -b - d : -b + d;
	} else { /* Moeller and Trumbore, "Fast, Minimum Storage Ray/Triangle Intersection", 1997 */
		p = cross(to, e->c);
		det = dot(e->b, p);
		if (det > -1e-12 && det < 1e-12)
			return 0;
		u = dot(o, p) / det;
		if (u < 0 || u > 1)
			return 0;
		q = cross(o, e->b);
		v = dot(to, q) / det;
		if (v < 0 || u + v > 1)
			return 0;
		at = dot(e->c, q) / det;
	}
	if (at < NEAR || at > *t)
		return 0;
	*t = at;
	return 1;
}

int64_t trace_plain(const struct scene *s, struct vec from, struct vec to, double limit, double *t)
{
	int64_t met = -1;

	*t = limit > 0 ? limit : FAR;
	for (uint32_t i = s->elements; i-- > 0;) /* downward, so that the lowest of equals stays */
		if (meets(&s->element[i], from, to, t))
			met = i;
	return met;
}

int64_t trace_grid(const struct scene *s, struct vec from, struct vec to, double limit, double *t)
{
	const double origin[3] = {from.x, from.y, from.z}, way[3] = {to.x, to.y, to.z};
	const double low[3] = {s->low.x, s->low.y, s->low.z};
	double enter = 0, leave = FAR, next[3], step_t[3];
	int32_t at[3], step[3];
	int64_t met = -1;

	*t = limit > 0 ? limit : FAR;
	for (int i = 0; i < 3; i++) { /* the part of the ray inside the grid */
		double a, b, high = low[i] + s->edge * s->cells[i];

		if (way[i] > -1e-12 && way[i] < 1e-12) {
			if (origin[i] < low[i] || origin[i] > high)
				return -1;
			continue;
		}
		a = (low[i] - origin[i]) / way[i];
		b = (high - origin[i]) / way[i];
		if (a > b) {
			double c = a;

			a = b;
			b = c;
		}
		enter = a > enter ? a : enter;
		leave = b < leave ? b : leave;
	}
	if (enter > leave)
		return -1;
	for (int i = 0; i < 3; i++) {
		double p = (origin[i] + enter * way[i] - low[i]) / s->edge;

		at[i] = p < 0 ? 0 : p >= s->cells[i] ? s->cells[i] - 1 : (int32_t)p;
		step[i] = way[i] >= 1e-12 ? 1 : way[i] <= -1e-12 ? -1 : 0;
		step_t[i] = step[i] ? s->edge / way[i] * step[i] : 0;
		next[i] =
			step[i] ? (low[i] + s->edge * (at[i] + (step[i] > 0)) - origin[i]) / way[i]
				: FAR;
	}
	for (;;) {
		uint32_t c = (uint32_t)((at[2] * s->cells[1] + at[1]) * s->cells[0] + at[0]);
		int i = next[0] <= next[1] ? (next[0] <= next[2] ? 0 : 2)
					   : (next[1] <= next[2] ? 1 : 2);

		for (uint32_t k = s->first[c]; k < s->first[c + 1]; k++) {
			double d = *t;

			if (meets(&s->element[s->item[k]], from, to, &d) &&
				(d < *t || met < 0 || s->item[k] < met)) {
				*t = d;
				met = s->item[k];
			}
		}
		/* A cell further on has nothing nearer. */
		if (met >= 0 && (limit > 0 || *t < next[i]))
			return met;
		if (next[i] >= leave || next[i] > *t)
			return met;
		at[i] += step[i];
		if (at[i] < 0 || at[i] >= s->cells[i])
			return met;
		next[i] += step_t[i];
	}
}

/* Adds to `sum` what the ray sees, `weight` times. */
static void look(const struct scene *s, tracer *trace, struct vec from, struct vec to,
	double sum[3], uint64_t *rays)
{
	double weight = 1, t, unused;

	for (int bounce = 0; bounce < MAX_BOUNCES; bounce++) {
		int64_t met = trace(s, from, to, 0, &t);
		const struct surface *f;
		double lit = 0.15;
		struct vec n;

		++*rays;
		if (met < 0) {
			for (int i = 0; i < 3; i++)
				sum[i] += weight * sky[i];
			return;
		}
		from = add(from, scale(t, to));
		n = s->element[met].kind == BALL ? unit(sub(from, s->element[met].a))
						 : s->element[met].n;
		if (dot(n, to) > 0)
			n = scale(-1, n);
		from = add(from, scale(1e-5, n)); /* off the surface */
		for (int i = 0; i < 2; i++) {
			struct vec l = sub(light[i].at, from);
			double far = sqrt(dot(l, l)), slope;

			l = scale(1 / far, l);
			slope = dot(l, n);
			if (slope <= 0)
				continue;
			++*rays;
			if (trace(s, from, l, far, &unused) < 0)
				lit += light[i].strength * slope;
		}
		f = &surface[s->element[met].shade];
		for (int i = 0; i < 3; i++)
			sum[i] += weight * (1 - f->mirror) * lit * f->colour[i];
		weight *= f->mirror;
		if (weight == 0)
			return;
		to = unit(sub(to, scale(2 * dot(to, n), n)));
	}
}

uint32_t pixel(
	const struct scene *s, tracer *trace, uint32_t n, uint32_t x, uint32_t y, uint64_t *rays)
{
	struct vec eye = {1.5, 4.7, -6.5}, ahead = unit(sub((struct vec){0, 2.6, 0}, eye));
	struct vec right = unit(cross((struct vec){0, 1, 0}, ahead)), up = cross(ahead, right);
	double u = 1.1 * (x + 0.5) / n - 0.55, v = 0.55 - 1.1 * (y + 0.5) / n, sum[3] = {0};
	uint32_t colour = 0;

	look(s, trace, eye, unit(add(ahead, add(scale(u, right), scale(v, up)))), sum, rays);
	for (int i = 0; i < 3; i++)
		colour = colour << 8 | (uint32_t)(sum[i] >= 1 ? 255 : 255 * sum[i]);
	return colour;
}
