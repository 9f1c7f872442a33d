// SPDX-License-Identifier: MIT
/*
 * CPU-bound, floating point: multiplication of matrices (the compiler contracts to fused
 * multiply-add), then the sun and four planets on their way (division and square root). The last
 * bit of the result depends on every rounding before it.
 */
#include "print.h"

enum { ROUNDS = 30, N = 128, STEPS = 300000, BODIES = 5 };

struct body {
	double x, y, z, vx, vy, vz, mass;
};

static double a[N][N], b[N][N], c[N][N];

/* Roughly the outer planets: astronomical units, years, and 4 pi^2 for the sun. */
static struct body body[BODIES] = {
	{0, 0, 0, 0, 0, 0, 39},
	{4.8, -1.1, -.1, .6, 2.8, -.02, .03},
	{8.3, 4.1, -.4, -1, 1.8, .008, .01},
	{12.8, -15.1, -.2, 1.08, .8, -.01, .0017},
	{15.3, -25.9, .17, .97, .59, -.03, .002},
};

static void multiply(void)
{
	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++) {
			a[i][j] = 1.0 / (i + j + 1);
			b[i][j] = (i * j % 7) * 0.3;
		}
	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++) {
			double sum = 0;

			for (int k = 0; k < N; k++)
				sum += a[i][k] * b[k][j];
			c[i][j] += sum;
		}
}

static void attract(struct body *p, struct body *q, double dt)
{
	double dx = p->x - q->x, dy = p->y - q->y, dz = p->z - q->z;
	double square = dx * dx + dy * dy + dz * dz;
	double pull = dt / (square * __builtin_sqrt(square));

	p->vx -= dx * q->mass * pull;
	p->vy -= dy * q->mass * pull;
	p->vz -= dz * q->mass * pull;
	q->vx += dx * p->mass * pull;
	q->vy += dy * p->mass * pull;
	q->vz += dz * p->mass * pull;
}

static void step(double dt)
{
	for (int i = 0; i < BODIES; i++)
		for (int j = i + 1; j < BODIES; j++)
			attract(&body[i], &body[j], dt);
	for (int i = 0; i < BODIES; i++) {
		body[i].x += dt * body[i].vx;
		body[i].y += dt * body[i].vy;
		body[i].z += dt * body[i].vz;
	}
}

int main(void)
{
	union {
		double value;
		uint64_t bits;
	} result;

	for (int round = 0; round < ROUNDS; round++)
		multiply();
	for (int i = 0; i < STEPS; i++)
		step(0.001);
	result.value = body[0].x + c[5][7];
	print_hex(result.bits);
	return 0;
}
