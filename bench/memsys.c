// SPDX-License-Identifier: MIT
/*
 * Host time of one access to the memory-system model, by what the access meets; to be read beside
 * the 1.8 ns an instruction takes in functional fidelity. The loop's own work (producing the
 * address the way the executor does, adding up the stall) is in the figures; "nothing" is that work
 * alone.
 *
 *   make build/bench/memsys && build/bench/memsys [MACHINE]
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "numa/memsys/memsys.h"

enum { ADDRESSES = 1 << 16, REPEAT = 5, PAGE = 4096 };

static struct memsys *ms;
static struct memsys_cpu *cpu;
static uint64_t at[ADDRESSES];
static uint64_t seed = 1;
static volatile uint64_t sink;

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* One in four is a store, as in compiled code. */
static uint64_t run_data(void)
{
	uint64_t stall = 0;

	for (unsigned i = 0; i < ADDRESSES; i += 4) {
		stall += memsys_data(cpu, at[i], false);
		stall += memsys_data(cpu, at[i + 1], false);
		stall += memsys_data(cpu, at[i + 2], false);
		stall += memsys_data(cpu, at[i + 3], true);
	}
	return stall;
}

static uint64_t run_fetch(void)
{
	uint64_t stall = 0;

	for (unsigned i = 0; i < ADDRESSES; i++)
		stall += memsys_fetch(cpu, at[i]);
	return stall;
}

static uint64_t run_nothing(void)
{
	uint64_t stall = 0;

	for (unsigned i = 0; i < ADDRESSES; i++) {
		stall += at[i];
		__asm__ volatile("" : "+r"(stall));
	}
	return stall;
}

static void measure(const char *name, uint64_t (*run)(void))
{
	double best = 1e30;

	run(); /* warm */
	for (unsigned r = 0; r < REPEAT; r++) {
		double begin = now_ns(), ns;

		for (unsigned i = 0; i < 16; i++)
			sink += run();
		ns = (now_ns() - begin) / 16 / ADDRESSES;
		best = ns < best ? ns : best;
	}
	printf("%-48s %7.2f ns\n", name, best);
}

static void uniform(uint64_t bytes)
{
	for (unsigned i = 0; i < ADDRESSES; i++)
		at[i] = (64ull << 20) + (splitmix64(&seed) % bytes & ~7ull);
}

static void stream(uint64_t bytes)
{
	for (uint64_t i = 0; i < ADDRESSES; i++)
		at[i] = (64ull << 20) + i * 8 % bytes;
}

static void chase(uint64_t bytes, unsigned line)
{
	for (uint64_t i = 0; i < ADDRESSES; i++)
		at[i] = (64ull << 20) + i * 7919 * line % bytes;
}

/* Two CPUs write the same few lines in turn. */
static uint64_t run_ping_pong(void)
{
	uint64_t stall = 0;

	for (unsigned i = 0; i < ADDRESSES; i++)
		stall += memsys_data(memsys_cpu(ms, i & 1), 4096 + (i / 2 & 31) * 128, true);
	return stall;
}

int main(int argc, char **argv)
{
	struct machine *m;
	uint16_t task[MACHINE_MAX_CPUS] = {0};

	if (machine_load(argc > 1 ? argv[1] : "flash8", &m))
		return 1;
	ms = memsys_create(m, &(struct memsys_options){.hot_trigger = 128});
	cpu = memsys_cpu(ms, 0);
	for (uint32_t mpn = 0; mpn < 128 << 20 >> 12; mpn++)
		memsys_own(ms, mpn, 0);
	memsys_quantum(ms, task);

	printf("%s\n", m->name);
	measure("nothing", run_nothing);
	uniform(m->l1d.size_bytes / m->l1d.ways);
	measure("data, one line a set: L1's most recent", run_data);
	stream(1 << 14);
	measure("data, streaming within L1", run_data);
	uniform(m->l1d.size_bytes);
	measure("data, uniform over L1's size", run_data);
	measure("fetch, uniform over L1's size", run_fetch);
	stream(m->l2.size_bytes / 2);
	measure("data, streaming within L2", run_data);
	uniform(m->l2.size_bytes);
	measure("data, uniform over L2's size", run_data);
	chase(m->l2.size_bytes, m->l2.line_bytes);
	measure("data, each an L2 hit", run_data);
	uniform(32 << 20);
	measure("data, uniform over 32 MB", run_data);
	chase(8 << 20, m->l2.line_bytes);
	measure("data, each a miss (8 MB)", run_data);
	if (m->n_cpus > 1)
		measure("store, each a miss another CPU answers", run_ping_pong);
	memsys_boundary(ms, 1);
	memsys_destroy(ms);
	machine_free(m);
	return 0;
}
