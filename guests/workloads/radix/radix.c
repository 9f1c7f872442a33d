// SPDX-License-Identifier: MIT
/*
 * radix [-n KEYS] [-r RADIX] [-p PROCESSORS] [-s SEED]
 *
 * A parallel radix sort of 32-bit keys, in the manner of RADIX of SPLASH-2 (Woo and others, ISCA
 * 1995): for each digit, every thread counts the digits of its slice, the counts become places by a
 * sum over digits and threads, and every thread moves its keys there. Those moves go all over the
 * other array: it is the all-to-all communication, and the pages touched by all at once, that the
 * Disco paper ran it for. One source for Linux and for SPLASHOS.
 *
 * The region of interest is the sort alone; the array it sorts into is first touched there. The
 * result is verified, and its checksum depends on KEYS and SEED only. Exit status: 0 sorted, 1 not,
 * 2 usage or too few CPUs or memory.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <disco-mark.h>

enum { MAX_THREADS = 128, PAGE = 4096, LINE = 128 };

/* Of a thread, on lines of its own. */
struct thread {
	pthread_t id;
	unsigned me;
	uint32_t
		*place; /* for each digit: how many keys of the slice have it; then where they go */
	uint64_t sum;   /* of the range of digits this thread adds up */
	uint64_t made, got; /* checksums: any order, before and after */
	uint64_t checksum;  /* in order */
	int sorted;
} __attribute__((aligned(LINE)));

static uint64_t keys = 1 << 20, seed;
static unsigned radix = 1024, digit_bits, passes, threads;
static uint32_t *array[2];
static struct thread thread[MAX_THREADS];
static pthread_barrier_t barrier;
static uint64_t region_ns;

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "radix: %s\n", what);
	exit(2);
}

static void *memory(uint64_t bytes)
{
	void *p = aligned_alloc(PAGE, (bytes + PAGE - 1) / PAGE * PAGE);

	if (!p)
		fail("too little memory");
	return p;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Mixes all bits of x (the finisher of SplitMix64; Steele, Lea and Flood, OOPSLA 2014). */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

/* On Linux, thread i stays on CPU i; on SPLASHOS it is a CPU. */
static void bind_to(unsigned cpu)
{
#ifdef __linux__
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		fail("fewer CPUs than processors");
#else
	(void)cpu;
#endif
}

/* The part of n things, 0 to n - 1, that is thread t's begins here. */
static uint64_t share(uint64_t n, unsigned t)
{
	return n * t / threads;
}

static void make_keys(struct thread *t)
{
	for (uint64_t i = share(keys, t->me); i < share(keys, t->me + 1); i++) {
		array[0][i] = (uint32_t)mix(seed + i + 1);
		t->made += mix(array[0][i]);
	}
}

static void count(struct thread *t, const uint32_t *from, unsigned shift)
{
	memset(t->place, 0, radix * sizeof(*t->place));
	for (uint64_t i = share(keys, t->me); i < share(keys, t->me + 1); i++)
		t->place[from[i] >> shift & (radix - 1)]++;
}

/*
 * From counts to places: a digit's keys come after those of all lower digits, and within a digit
 * after those of all lower threads. Each thread does a range of digits: first as if its range were
 * the first; then, when all know the sum of theirs, it adds those before.
 */
static void sum_range(struct thread *t)
{
	uint64_t sum = 0;

	for (uint64_t d = share(radix, t->me); d < share(radix, t->me + 1); d++) {
		for (unsigned u = 0; u < threads; u++) {
			uint32_t n = thread[u].place[d];

			thread[u].place[d] = (uint32_t)sum;
			sum += n;
		}
	}
	t->sum = sum;
}

static void add_before(struct thread *t)
{
	uint64_t before = 0;

	for (unsigned u = 0; u < t->me; u++)
		before += thread[u].sum;
	for (uint64_t d = share(radix, t->me); d < share(radix, t->me + 1); d++)
		for (unsigned u = 0; u < threads; u++)
			thread[u].place[d] += (uint32_t)before;
}

static void move_keys(struct thread *t, const uint32_t *from, uint32_t *to, unsigned shift)
{
	for (uint64_t i = share(keys, t->me); i < share(keys, t->me + 1); i++)
		to[t->place[from[i] >> shift & (radix - 1)]++] = from[i];
}

static void sort(struct thread *t)
{
	for (unsigned pass = 0; pass < passes; pass++) {
		const uint32_t *from = array[pass & 1];

		count(t, from, pass * digit_bits);
		pthread_barrier_wait(&barrier);
		sum_range(t);
		pthread_barrier_wait(&barrier);
		add_before(t);
		pthread_barrier_wait(&barrier);
		move_keys(t, from, array[~pass & 1], pass * digit_bits);
		pthread_barrier_wait(&barrier);
	}
}

static void verify(struct thread *t)
{
	const uint32_t *sorted = array[passes & 1];

	t->sorted = 1;
	for (uint64_t i = share(keys, t->me); i < share(keys, t->me + 1); i++) {
		t->sorted &= i == 0 || sorted[i - 1] <= sorted[i];
		t->got += mix(sorted[i]);
		t->checksum += mix(sorted[i] + (i << 32));
	}
}

static void *work(void *arg)
{
	struct thread *t = arg;
	uint64_t began_ns = 0;

	bind_to(t->me);
	t->place = memory(radix * sizeof(*t->place));
	make_keys(t);
	pthread_barrier_wait(&barrier);
	if (t->me == 0) {
		disco_mark(DISCO_BEGIN);
		began_ns = now_ns();
	}
	pthread_barrier_wait(&barrier);
	sort(t); /* ends with a barrier */
	if (t->me == 0) {
		region_ns = now_ns() - began_ns;
		disco_mark(DISCO_END);
	}
	verify(t);
	return NULL;
}

static uint64_t number(const char *text, uint64_t max)
{
	char *end;
	uint64_t n = strtoull(text, &end, 0);

	if (end == text || *end || n > max || *text == '-')
		fail("usage: radix [-n KEYS] [-r RADIX, a power of two] [-p PROCESSORS] [-s SEED]");
	return n;
}

static void read_options(int argc, char **argv)
{
	int c;

	threads = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	while ((c = getopt(argc, argv, "n:r:p:s:")) != -1) {
		switch (c) {
		case 'n':
			keys = number(optarg, UINT32_MAX);
			break;
		case 'r':
			radix = (unsigned)number(optarg, 1 << 16);
			break;
		case 'p':
			threads = (unsigned)number(optarg, MAX_THREADS);
			break;
		case 's':
			seed = number(optarg, UINT64_MAX);
			break;
		default:
			number("", 0);
		}
	}
	if (optind < argc || !keys || !threads || threads > MAX_THREADS || radix < 2 ||
		(radix & (radix - 1)))
		number("", 0);
	digit_bits = (unsigned)__builtin_ctz(radix);
	passes = (32 + digit_bits - 1) / digit_bits;
	seed = mix(seed);
}

int main(int argc, char **argv)
{
	uint64_t made = 0, got = 0, checksum = 0;
	int sorted = 1;

	read_options(argc, argv);
	for (unsigned i = 0; i < 2; i++)
		array[i] = memory(keys * sizeof(*array[i]));
	pthread_barrier_init(&barrier, NULL, threads);
	for (unsigned i = 0; i < threads; i++) {
		thread[i].me = i;
		if (i && pthread_create(&thread[i].id, NULL, work, &thread[i]))
			fail("fewer CPUs than processors");
	}
	work(&thread[0]);
	for (unsigned i = 0; i < threads; i++) {
		if (i)
			pthread_join(thread[i].id, NULL);
		made += thread[i].made;
		got += thread[i].got;
		checksum += thread[i].checksum;
		sorted &= thread[i].sorted;
	}
	sorted &= made == got;
	printf("radix: %llu keys, radix %u, %u processors: %s, checksum %016llx\n",
		(unsigned long long)keys, radix, threads, sorted ? "sorted" : "NOT SORTED",
		(unsigned long long)checksum);
	printf("radix: the sort took %.3f ms\n", (double)region_ns / 1e6);
	return !sorted;
}
