// SPDX-License-Identifier: MIT
/*
 * numa KIND [ROUNDS [MB [CPU]]]
 *
 * Programs for Linux in a guest whose need of memory is known, to judge where pages are put. One
 * thread for each CPU, each bound to its own; thread 0 alone initialises, so that a policy which
 * leaves pages where they were first touched has them all on one node. What is measured is a region
 * of interest (disco-mark.h), which turns the memory-system model on when it begins; everything
 * before runs without. Results are verified, and the exit status says so.
 *
 *   read-shared     every thread looks things up all over one table (MB: of the table)
 *   partitioned     every thread sweeps through records of its own (MB: of each thread's)
 *   write-shared    every thread counts in random places of one array (MB: of the array)
 *   chase           CPU 0 follows pointers through MB of memory that CPU first touched
 *   stream          CPU 0 reads and writes the same in order
 *   ping-pong       CPU 0 and CPU hand a word to each other
 *   false-sharing   they count in two words of one line
 *
 * ROUNDS (96 unless said) scales the work: in a round, each thread makes as many accesses as its
 * memory (2 MB unless said) has lines of 128 bytes. The rest prints the time each access takes. It
 * is one file without much of a header because it is compiled in the guest, before each run.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <disco-mark.h>

#include "micro.h"

enum { LINE = 128, MAX_THREADS = 128 };

static uint64_t rounds = 96, bytes = 2 << 20;
static unsigned threads, other = 1;
static pthread_barrier_t barrier;
static uint64_t began_ns, region_ns;

static void fail(const char *what)
{
	fprintf(stderr, "numa: %s\n", what);
	exit(1);
}

static void *memory(uint64_t size)
{
	void *p = aligned_alloc(4096, size);

	if (!p)
		fail("out of memory");
	return p;
}

static void bind_to(unsigned cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		fail("no such CPU");
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* The threads that take part enter and leave the region together; thread 0 marks it. */
static void enter(unsigned me)
{
	pthread_barrier_wait(&barrier);
	if (me == 0) {
		disco_mark(DISCO_NUMA);
		disco_mark(DISCO_BEGIN);
		began_ns = now_ns();
	}
	pthread_barrier_wait(&barrier);
}

static void leave(unsigned me)
{
	pthread_barrier_wait(&barrier);
	if (me == 0) {
		region_ns = now_ns() - began_ns;
		disco_mark(DISCO_END);
	}
}

/* Mixes all bits of x (the finisher of SplitMix64; Steele, Lea and Flood, OOPSLA 2014). */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

/* ---- read-shared: a table, and paths through it that depend on what is found */

static uint64_t *table;

static void read_prepare(void)
{
	table = memory(bytes);
	for (uint64_t i = 0; i < bytes / 8; i++)
		table[i] = mix(i);
}

static int read_work(unsigned me)
{
	uint64_t n = rounds * (bytes / LINE), mask = bytes / 8 - 1, x = me, expected = me;

	for (uint64_t i = 0; i < n; i++) /* the same without the table */
		expected = mix(expected + mix(expected & mask));
	enter(me);
	for (uint64_t i = 0; i < n; i++)
		x = mix(x + table[x & mask]);
	leave(me);
	return x == expected;
}

/* ---- partitioned: particles that move */

struct particle {
	uint64_t place, speed, turns, id;
};
static struct particle *particle;

static void part_prepare(void)
{
	uint64_t n = threads * (bytes / sizeof(*particle));

	particle = memory(threads * bytes);
	for (uint64_t i = 0; i < n; i++)
		particle[i] = (struct particle){mix(i), mix(i) >> 60, 0, i};
}

static int part_work(unsigned me)
{
	uint64_t n = bytes / sizeof(*particle);
	struct particle *mine = particle + me * n;
	int right = 1;

	enter(me);
	for (uint64_t r = 0; r < rounds; r++)
		for (struct particle *p = mine; p < mine + n; p++) {
			p->place += p->speed;
			p->turns++;
		}
	leave(me);
	for (struct particle *p = mine; p < mine + n; p++)
		right &= p->turns == rounds && p->id == (uint64_t)(p - particle) &&
			 p->place == mix(p->id) + rounds * p->speed;
	return right;
}

/* ---- write-shared: a histogram */

static uint64_t *counter;

static void write_prepare(void)
{
	counter = memory(bytes);
	memset(counter, 0, bytes);
}

static int write_work(unsigned me)
{
	uint64_t n = rounds * (bytes / LINE), mask = bytes / 8 - 1, x = me, sum = 0;

	enter(me);
	for (uint64_t i = 0; i < n; i++) {
		x = mix(x + i);
		__atomic_fetch_add(&counter[x & mask], 1, __ATOMIC_RELAXED);
	}
	leave(me);
	for (uint64_t i = 0; me == 0 && i <= mask; i++)
		sum += counter[i];
	return me != 0 || sum == n * threads;
}

/* ---- single steps, between CPU 0 (thread 0) and another (thread 1) */

static void *buffer;

static void step_prepare(void)
{
	bind_to(other);
	buffer = memory(bytes);
	chase_make(buffer, bytes, LINE);
	bind_to(0);
	threads = 2;
}

static void say(const char *what, uint64_t n)
{
	printf("%.1f ns %s\n", (double)region_ns / (double)n, what);
}

static int chase_work(unsigned me)
{
	uint64_t n = rounds * (bytes / LINE);
	void *end = NULL;

	enter(me);
	if (me == 0)
		end = chase(buffer, n);
	leave(me);
	if (me == 0)
		say("a step", n);
	return me != 0 || end == buffer; /* whole rounds end where they began */
}

static int stream_work(unsigned me)
{
	uint64_t before = me == 0 ? stream_read(buffer, bytes) : 0;

	enter(me);
	for (uint64_t r = 0; me == 0 && r < rounds; r++)
		stream_update(buffer, bytes);
	leave(me);
	if (me == 0)
		say("a word", rounds * (bytes / 8));
	return me != 0 || stream_read(buffer, bytes) == before + rounds * (bytes / 8);
}

static int ping_work(unsigned me)
{
	volatile uint64_t *word = buffer;

	if (me == 0)
		*word = 0;
	enter(me);
	ping_pong(word, me, rounds * 100);
	leave(me);
	if (me == 0)
		say("there and back", rounds * 100);
	return *word == rounds * 200;
}

static int false_work(unsigned me)
{
	volatile uint64_t *word = (uint64_t *)buffer + me;
	uint64_t n = rounds * 10000;

	*word = 0;
	enter(me);
	count_up(word, n);
	leave(me);
	if (me == 0)
		say("a count", n);
	return *word == n;
}

/* ---- all of them */

static const struct kind {
	const char *name;
	void (*prepare)(void);    /* by thread 0, before the others are there */
	int (*work)(unsigned me); /* by each; true if what it can check is right */
} kinds[] = {
	{"read-shared", read_prepare, read_work},
	{"partitioned", part_prepare, part_work},
	{"write-shared", write_prepare, write_work},
	{"chase", step_prepare, chase_work},
	{"stream", step_prepare, stream_work},
	{"ping-pong", step_prepare, ping_work},
	{"false-sharing", step_prepare, false_work},
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static const struct kind *kind;
static unsigned wrong;

static void *thread(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg;

	bind_to(threads == 2 && me == 1 ? other : me);
	if (!kind->work(me))
		__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
	return NULL;
}

static uint64_t number(const char *text, uint64_t least, uint64_t most)
{
	char *end;
	uint64_t v = strtoull(text, &end, 10);

	if (*end || end == text || v < least || v > most)
		fail("a number is wrong or out of range");
	return v;
}

int main(int argc, char **argv)
{
	pthread_t id[MAX_THREADS];
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	for (const struct kind *k = kinds; argc >= 2 && argc <= 5 && k < kinds + KINDS; k++)
		if (!strcmp(argv[1], k->name))
			kind = k;
	if (!kind) {
		fprintf(stderr, "usage: numa KIND [ROUNDS [MB [CPU]]]\nKIND: ");
		for (unsigned i = 0; i < KINDS; i++)
			fprintf(stderr, "%s%c", kinds[i].name, i + 1 < KINDS ? ' ' : '\n');
		return 2;
	}
	threads = (unsigned)(cpus < MAX_THREADS ? cpus : MAX_THREADS);
	if (argc > 2)
		rounds = number(argv[2], 1, 1000000);
	if (argc > 3)
		bytes = number(argv[3], 1, 1024) << 20;
	if (bytes & (bytes - 1))
		fail("MB must be a power of two");
	if (argc > 4)
		other = (unsigned)number(argv[4], 0, threads - 1);
	bind_to(0);
	kind->prepare();
	pthread_barrier_init(&barrier, NULL, threads);
	for (unsigned i = 1; i < threads; i++)
		if (pthread_create(&id[i], NULL, thread, (void *)(uintptr_t)i))
			fail("cannot start a thread");
	thread(NULL);
	for (unsigned i = 1; i < threads; i++)
		pthread_join(id[i], NULL);
	printf("%s: %u threads, %.6f s, %s\n", kind->name, threads, (double)region_ns / 1e9,
		wrong ? "WRONG" : "right");
	return wrong != 0;
}
