// SPDX-License-Identifier: MIT
/*
 * memsim SEED THOUSANDS
 *
 * A simulator of a multiprocessor's memory system: 16 CPUs with a cache each (4 ways, least
 * recently used goes), kept coherent by a directory with the states modified, shared and invalid.
 * It is given THOUSANDS * 1000 references of a made-up program: each CPU sweeps through arrays of
 * its own, looks things up in tables all read, and now and then takes a lock and changes what the
 * lock guards. SEED decides which. Every line has a version, counted up by each write, and a read
 * must find the newest, wherever it is; in the end caches and directory must agree on who has what.
 * Prints one line that ends in "right" and a checksum, or says WRONG.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CPUS = 16, SETS = 1024, WAYS = 4, LINES = 1 << 16, PRIVATE = 3072, LOCKS = 64 };
enum state { INVALID, SHARED, MODIFIED };

struct line {
	uint32_t number; /* of the line of memory */
	enum state state;
	uint32_t version;
	uint32_t used; /* when last */
};

struct home {             /* a line of memory, and its entry in the directory */
	uint32_t version; /* memory's own, old while a cache has it modified */
	uint32_t newest;  /* what a read must find */
	uint16_t holders;
	uint8_t modified; /* by the one holder */
};

static struct line cache[CPUS][SETS][WAYS];
static struct home home[LINES];
static uint64_t state, hits, misses, invalidations, write_backs, wrong;
static uint32_t now;

/* SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): a number below n. */
static uint32_t any(uint32_t n)
{
	uint64_t x = state += 0x9e3779b97f4a7c15ull;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return (uint32_t)(((x ^ x >> 31) >> 32) * n >> 32);
}

static struct line *find(uint32_t cpu, uint32_t number)
{
	struct line *set = cache[cpu][number % SETS];

	for (int i = 0; i < WAYS; i++)
		if (set[i].state != INVALID && set[i].number == number)
			return &set[i];
	return NULL;
}

/* The line leaves the cache. */
static void drop(uint32_t cpu, struct line *l)
{
	struct home *h = &home[l->number];

	if (l->state == MODIFIED) {
		h->version = l->version;
		h->modified = 0;
		write_backs++;
	}
	h->holders &= (uint16_t) ~(1u << cpu);
	l->state = INVALID;
}

static void take_from_others(uint32_t cpu, uint32_t number)
{
	for (uint32_t i = 0; i < CPUS; i++)
		if (i != cpu && home[number].holders >> i & 1) {
			struct line *l = find(i, number);

			if (l)
				drop(i, l);
			else
				wrong++;
			invalidations++;
		}
}

/* Memory becomes up to date, and who had the line modified shares it. */
static void clean(uint32_t number)
{
	struct home *h = &home[number];
	struct line *l = find((uint32_t)__builtin_ctz(h->holders), number);

	if (!l || l->state != MODIFIED) {
		wrong++;
		return;
	}
	h->version = l->version;
	h->modified = 0;
	l->state = SHARED;
	write_backs++;
}

static void reference(uint32_t cpu, uint32_t number, int write)
{
	struct line *l = find(cpu, number), *set = cache[cpu][number % SETS];
	struct home *h = &home[number];

	if (l && (!write || l->state == MODIFIED)) {
		hits++;
	} else {
		misses++;
		if (write)
			take_from_others(cpu, number);
		else if (h->modified)
			clean(number);
		if (!l) {
			l = set;
			for (int i = 0; i < WAYS; i++) {
				if (set[i].state == INVALID) {
					l = &set[i];
					break;
				}
				if (set[i].used < l->used)
					l = &set[i];
			}
			if (l->state != INVALID)
				drop(cpu, l);
			*l = (struct line){.number = number, .version = h->version};
			h->holders |= (uint16_t)(1u << cpu);
		}
		l->state = write ? MODIFIED : SHARED;
		h->modified = (uint8_t)write;
	}
	l->used = ++now;
	wrong += l->version != h->newest;
	if (write)
		l->version = ++h->newest;
}

/* Caches and directory must agree. */
static void check(void)
{
	uint32_t held = 0, listed = 0;

	for (uint32_t c = 0; c < CPUS; c++)
		for (uint32_t s = 0; s < SETS; s++)
			for (uint32_t w = 0; w < WAYS; w++) {
				const struct line *l = &cache[c][s][w];

				if (l->state == INVALID)
					continue;
				held++;
				wrong += l->version != home[l->number].newest ||
					 !(home[l->number].holders >> c & 1) ||
					 (l->state == MODIFIED) != home[l->number].modified;
			}
	for (uint32_t i = 0; i < LINES; i++) {
		listed += (uint32_t)__builtin_popcount(home[i].holders);
		wrong += home[i].modified ? __builtin_popcount(home[i].holders) != 1
					  : home[i].version != home[i].newest;
	}
	wrong += held != listed;
}

int main(int argc, char **argv)
{
	const uint32_t table = CPUS * PRIVATE, tables = LINES - table - 2 * LOCKS;
	uint64_t seed = argc == 3 ? strtoull(argv[1], NULL, 10) : 0;
	uint64_t n = argc == 3 ? strtoull(argv[2], NULL, 10) * 1000 : 0, sum;
	uint32_t at[CPUS] = {0}, stride[CPUS];

	if (n == 0 || n > 4000000000) {
		fprintf(stderr, "usage: memsim SEED THOUSANDS\n");
		return 2;
	}
	state = seed * 0xd1b54a32d192ed03ull;
	for (uint32_t c = 0; c < CPUS; c++)
		stride[c] = 1 + 2 * any(8);
	while (hits + misses < n) {
		uint32_t c = any(CPUS), kind = any(16);

		if (kind < 9) { /* a sweep: read, and often write, each line */
			for (int i = 0; i < 8; i++) {
				at[c] = (at[c] + stride[c]) % PRIVATE;
				reference(c, c * PRIVATE + at[c], any(4) == 0);
			}
		} else if (kind < 15) { /* the tables: some parts more than others */
			for (int i = 0; i < 4; i++)
				reference(c, table + any(1 + any(tables)), 0);
		} else {
			uint32_t lock = LINES - 2 * LOCKS + 2 * any(LOCKS);

			reference(c, lock, 1);
			reference(c, lock + 1, 0);
			reference(c, lock + 1, 1);
			reference(c, lock, 1);
		}
	}
	check();
	sum = hits * 0x9e3779b97f4a7c15ull ^ misses << 20 ^ invalidations << 40 ^ write_backs;
	for (uint32_t i = 0; i < LINES; i++)
		sum = (sum ^ home[i].newest ^ (uint64_t)home[i].holders << 32) * 0x100000001b3ull;
	printf("memsim %llu: %llu references, %llu misses, %llu invalidations, %s %016llx\n",
		(unsigned long long)seed, (unsigned long long)(hits + misses),
		(unsigned long long)misses, (unsigned long long)invalidations,
		wrong ? "WRONG" : "right", (unsigned long long)sum);
	return wrong != 0;
}
