// SPDX-License-Identifier: MIT
/*
 * Measures the machine it runs on, one access pattern after the other, and prints what each took:
 * "NAME CYCLES INSTRUCTIONS ACCESSES" a line. It runs in M-mode on the bare machine, so that no
 * page table, kernel or timer stands between a load and the caches. The compiler is told L1, L2 and
 * LINE (bytes, of the machine file) and HARTS; hart n is on node n. Memory is placed by first
 * touch: buffer n is first touched by hart n.
 *
 * All is prepared without the memory-system model, so the caches are empty when it begins.
 */
#include <stdint.h>

#include "../../../mark/disco-mark.h"
#include "../micro.h"

#define UART  ((volatile uint8_t *)0x10000000)
#define MSIP  ((volatile uint32_t *)0x02000000) /* software interrupts, by hart */
#define SPACE 0x80000000ull

enum { BUFFER = 4 * L2, ROOM = 2 * BUFFER, STEPS = 1 << 17, PINGS = 1000, COUNTS = 200000 };

extern volatile uint64_t tohost;

/* What a hart is told to do. */
static struct job {
	void (*volatile run)(void *arg);
	void *arg;
	volatile uint64_t done;
} job[HARTS];

static void *buffer(unsigned node)
{
	return (void *)(SPACE + (uint64_t)ROOM * (node + 1));
}

/* A page of each node for words that harts share, above its buffer. */
static volatile uint64_t *shared_word(unsigned node)
{
	return (uint64_t *)((char *)buffer(node) + BUFFER);
}

/* ---- harts */

static void begin_on(unsigned hart, void (*run)(void *), void *arg)
{
	job[hart].arg = arg;
	job[hart].done = 0;
	job[hart].run = run;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	MSIP[hart] = 1;
}

static void wait_for(unsigned hart)
{
	while (!job[hart].done)
		;
}

/* ---- printing */

static void print(const char *s)
{
	while (*s)
		*UART = (uint8_t)*s++;
}

static void print_number(uint64_t v)
{
	char text[24], *p = text + 23;

	*p = 0;
	do
		*--p = (char)('0' + v % 10);
	while (v /= 10);
	print(p);
}

/* ---- measuring */

struct reading {
	uint64_t cycles, instructions;
};

static inline struct reading reading(void)
{
	struct reading r;

	__asm__ volatile("rdcycle %0\n\trdinstret %1"
			 : "=r"(r.cycles), "=r"(r.instructions)
			 :
			 : "memory");
	return r;
}

static void report(const char *name, unsigned node, struct reading begin, uint64_t accesses)
{
	struct reading end = reading();

	print(name);
	print("-");
	print_number(node);
	print(" ");
	print_number(end.cycles - begin.cycles);
	print(" ");
	print_number(end.instructions - begin.instructions);
	print(" ");
	print_number(accesses);
	print("\n");
}

/* Each pattern runs once before, so that what is measured is its steady state. */
static void measure_chase(const char *name, unsigned node, uint64_t bytes)
{
	void *p = chase(buffer(node), bytes / LINE);
	struct reading begin = reading();

	chase(p, STEPS);
	report(name, node, begin, STEPS);
}

static void measure_streams(unsigned node)
{
	struct reading begin;

	stream_read(buffer(node), BUFFER);
	begin = reading();
	stream_read(buffer(node), BUFFER);
	report("read", node, begin, BUFFER / LINE);
	stream_update(buffer(node), BUFFER);
	begin = reading();
	stream_update(buffer(node), BUFFER);
	report("update", node, begin, BUFFER / LINE);
}

static void pong(void *word)
{
	ping_pong(word, 1, PINGS);
}

/* Harts 0 and 1 and a word on `node`. */
static void measure_ping_pong(unsigned node)
{
	volatile uint64_t *word = shared_word(node);
	struct reading begin;

	*word = 0;
	begin_on(1, pong, (void *)word);
	begin = reading();
	ping_pong(word, 0, PINGS);
	report("ping", node, begin, PINGS);
	wait_for(1);
}

static void count_longer(void *word)
{
	count_up(word, 2 * COUNTS);
}

/* Harts 0 and 1 each count in a word of its own, `apart` bytes from the other. Hart 1 counts twice
 * as far, so that it ends after hart 0 even if hart 0's accesses cost more. */
static void measure_sharing(const char *name, unsigned node, uint64_t apart)
{
	volatile uint64_t *word = shared_word(node);
	struct reading begin;

	begin_on(1, count_longer, (char *)word + apart);
	begin = reading();
	count_up(word, COUNTS);
	report(name, node, begin, COUNTS);
	wait_for(1);
}

/* ---- what each hart does */

static void prepare(void *node)
{
	unsigned n = (unsigned)(uintptr_t)node;

	chase_make(buffer(n), BUFFER, LINE);
	for (uint64_t i = 0; i < 4096 / 8; i++)
		shared_word(n)[i] = 0;
}

static void measure_all(void)
{
	chase_make(buffer(0), L1 / 2, LINE);
	measure_chase("l1", 0, L1 / 2);
	chase_make(buffer(0), L2 / 4, LINE);
	measure_chase("l2", 0, L2 / 4);
	chase_make(buffer(0), BUFFER, LINE);
	for (unsigned node = 0; node < HARTS; node++)
		measure_chase("memory", node, BUFFER);
	for (unsigned node = 0; node < 3; node++) {
		measure_streams(node);
		measure_ping_pong(node);
		measure_sharing("false", node, 8);
		measure_sharing("apart", node, 2 * LINE);
	}
}

void hart_main(unsigned hart)
{
	if (hart == 0) {
		for (unsigned n = 1; n < HARTS; n++)
			begin_on(n, prepare, (void *)(uintptr_t)n);
		prepare(0);
		for (unsigned n = 1; n < HARTS; n++)
			wait_for(n);
		disco_mark(DISCO_NUMA);
		disco_mark(DISCO_BEGIN);
		measure_all();
		disco_mark(DISCO_END);
		tohost = 1;
	}
	__asm__ volatile("csrw mie, %0" : : "r"(1 << 3)); /* only so that it ends a wfi */
	for (;;) {
		while (!MSIP[hart])
			__asm__ volatile("wfi");
		MSIP[hart] = 0;
		job[hart].run(job[hart].arg);
		job[hart].done = 1;
	}
}
