// SPDX-License-Identifier: MIT
/*
 * raytrace N [THREADS [IMAGE]]
 *
 * A parallel ray tracer, in the manner of SPLASH-2's (Woo et al., ISCA 1995): a scene that thread 0
 * makes and all threads read, a grid over it, and tiles of the image in a queue a thread, from
 * which those who are done steal. N, the image's edge in pixels (a multiple of 8), scales the work;
 * THREADS is the number of CPUs unless said, and then each has its own. IMAGE is written as PPM.
 *
 * The region of interest is the tracing; what makes the scene and the check runs before it, without
 * the memory-system model. Checked are some pixels, traced without the grid, and what comes out is
 * a checksum of the image. It is the same for any number of threads, and on any machine, since
 * pixels do not depend on each other and only correctly rounded operations are used.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <disco-mark.h>

#include "scene.h"

enum { TILE = 8, MAX_THREADS = 128, MAX_N = 4096, SAMPLES = 6 };

/* A thread's tiles: the numbers from next to end; next may run beyond. */
static struct queue {
	_Atomic uint32_t next;
	uint32_t end;
	uint64_t rays; /* the thread's own count */
} __attribute__((aligned(128))) queue[MAX_THREADS];

static struct scene scene;
static uint32_t n, threads, *image;
static pthread_barrier_t barrier;
static double seconds;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void draw(uint32_t tile, uint64_t *rays)
{
	uint32_t across = n / TILE, x0 = tile % across * TILE, y0 = tile / across * TILE;

	for (uint32_t y = y0; y < y0 + TILE; y++)
		for (uint32_t x = x0; x < x0 + TILE; x++)
			image[y * n + x] = pixel(&scene, trace_grid, n, x, y, rays);
}

static void *work(void *arg)
{
	uint32_t me = (uint32_t)(uintptr_t)arg;
	uint64_t rays = 0;

	if (threads <= (uint32_t)sysconf(_SC_NPROCESSORS_ONLN)) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET(me, &set);
		sched_setaffinity(0, sizeof(set), &set);
	}
	pthread_barrier_wait(&barrier);
	if (me == 0) {
		disco_mark(DISCO_NUMA);
		disco_mark(DISCO_BEGIN);
		seconds = now();
	}
	pthread_barrier_wait(&barrier);
	for (uint32_t i = 0; i < threads; i++) { /* my own queue, then the others' */
		struct queue *q = &queue[(me + i) % threads];
		uint32_t tile;

		while (atomic_load(&q->next) < q->end &&
			(tile = atomic_fetch_add(&q->next, 1)) < q->end)
			draw(tile, &rays);
	}
	queue[me].rays = rays;
	pthread_barrier_wait(&barrier);
	if (me == 0) {
		seconds = now() - seconds;
		disco_mark(DISCO_END);
	}
	return NULL;
}

static uint32_t number(const char *text, uint32_t most)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (*end || end == text || v < 1 || v > most) {
		fprintf(stderr, "raytrace: '%s' is no number from 1 to %u\n", text, most);
		exit(2);
	}
	return (uint32_t)v;
}

static void write_image(const char *name)
{
	FILE *f = fopen(name, "wb");

	if (!f) {
		perror(name);
		exit(1);
	}
	fprintf(f, "P6 %u %u 255\n", n, n);
	for (uint32_t i = 0; i < n * n; i++) {
		putc((int)(image[i] >> 16), f);
		putc((int)(image[i] >> 8 & 255), f);
		putc((int)(image[i] & 255), f);
	}
	fclose(f);
}

int main(int argc, char **argv)
{
	uint32_t place[SAMPLES], colour[SAMPLES], tiles, wrong = 0;
	uint64_t unused = 0, rays = 0, sum = 0xcbf29ce484222325ull;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t id[MAX_THREADS];

	if (argc < 2 || argc > 4) {
		fprintf(stderr, "usage: raytrace N [THREADS [IMAGE]]\n");
		return 2;
	}
	n = number(argv[1], MAX_N) & ~7u;
	threads = argc > 2 && *argv[2] ? number(argv[2], MAX_THREADS)
				       : (uint32_t)(cpus < MAX_THREADS ? cpus : MAX_THREADS);
	if (n == 0) {
		fprintf(stderr, "raytrace: an image has at least 8 by 8 pixels\n");
		return 2;
	}
	scene_make(&scene);
	image = calloc(n * n, sizeof(*image));
	if (!image) {
		fprintf(stderr, "raytrace: out of memory\n");
		return 1;
	}
	for (uint32_t i = 0; i < SAMPLES; i++) { /* from all over, some where balls are */
		place[i] = (uint32_t)((uint64_t)n * n * (2 * i + 1) / (2 * SAMPLES)) +
			   n / 2 * (i % 3) / 2;
		place[i] %= n * n;
		colour[i] = pixel(&scene, trace_plain, n, place[i] % n, place[i] / n, &unused);
	}

	tiles = (n / TILE) * (n / TILE);
	for (uint32_t i = 0; i < threads; i++) {
		queue[i].next = (uint32_t)((uint64_t)tiles * i / threads);
		queue[i].end = (uint32_t)((uint64_t)tiles * (i + 1) / threads);
	}
	pthread_barrier_init(&barrier, NULL, threads);
	for (uint32_t i = 1; i < threads; i++)
		if (pthread_create(&id[i], NULL, work, (void *)(uintptr_t)i)) {
			fprintf(stderr, "raytrace: cannot start a thread\n");
			return 1;
		}
	work(NULL);
	for (uint32_t i = 1; i < threads; i++)
		pthread_join(id[i], NULL);

	for (uint32_t i = 0; i < SAMPLES; i++)
		wrong += image[place[i]] != colour[i];
	for (uint32_t i = 0; i < n * n; i++) /* FNV-1a, by pixels */
		sum = (sum ^ image[i]) * 0x100000001b3ull;
	for (uint32_t i = 0; i < threads; i++)
		rays += queue[i].rays;
	if (argc > 3)
		write_image(argv[3]);
	fprintf(stderr, "raytrace: %u threads, %llu rays, %.6f s, %u of %u samples wrong\n",
		threads, (unsigned long long)rays, seconds, wrong, SAMPLES);
	printf("raytrace %u %016llx\n", n, (unsigned long long)sum);
	return wrong != 0;
}
