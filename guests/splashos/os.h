// SPDX-License-Identifier: MIT
/*
 * SPLASHOS: a library operating system for one parallel program, after the one the Disco paper
 * ran RADIX on (SOSP 1997, sections 4.3 and 5.4). The program is linked with it and runs beside it
 * in supervisor mode, on physical addresses: there are no processes, no page tables, no preemption
 * and no interrupt handlers. A thread is a hart for as long as it lives. At the first touch of a
 * page the monitor gives it a frame; a general-purpose system would need a fault, a lock and a list.
 * Programs see C's library (picolibc) and the part of POSIX threads in
 * include/pthread.h.
 *
 * The files, in the order in which to read them:
 *   start.S    first instructions, traps          boot.c     from the device tree to main()
 *   thread.c   harts as threads, waiting          sync.c     mutexes, conditions, barriers
 *   memory.c   malloc()                           libc.c     what picolibc asks for
 *   fdt.c      reading the device tree            sbi.h      calls to the monitor
 */
#ifndef SPLASHOS_OS_H
#define SPLASHOS_OS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	MAX_HARTS = 128,
	LINE_BYTES = 256,        /* of output, until they are printed together */
	STACK_BYTES = 256 << 10, /* of a thread; unused pages of it take no memory */
	CACHE_LINE_BYTES = 128,  /* what harts write for themselves lies this far apart */
};

/* What is read in the device tree. */
struct board {
	uint64_t memory_end; /* of the RAM we are in */
	uint64_t timebase_hz;
	uint64_t test_pa; /* of the device that ends the machine with a code; 0: there is none */
	const char *bootargs; /* NULL: none */
	unsigned n_harts;
	uint64_t hart_id[MAX_HARTS];
};
extern struct board board;

/* Fill in what is found; fdt: as handed over at boot, trusted. */
void fdt_scan(const void *fdt, struct board *b);

/* ---- harts */

struct hart {
	uint64_t sp; /* first: start.S reads it */
	uint64_t id;
	enum { HART_FREE, HART_RUNNING, HART_DONE } state; /* guarded by thread.c */
	unsigned wake;                                     /* of hart_wait() */
	struct hart *next;                                 /* in one queue at a time */
	void *(*run)(void *);
	void *arg, *result, *stack;
	struct hart *joiner;
	unsigned line_bytes;
	char line[LINE_BYTES];
} __attribute__((aligned(CACHE_LINE_BYTES)));

extern struct hart hart[MAX_HARTS];
extern __thread struct hart *me;

/* Make the calling hart, of this id, a thread. The first thing that runs in C. */
void hart_adopt(struct hart *h);
void harts_init(uint64_t boot_id);

/*
 * Wait until some hart wakes this one. Each wait is ended by exactly one hart_wake(), which may
 * come first. All waiting but that for a spin lock is this.
 */
void hart_wait(void);
void hart_wake(struct hart *h);
/* All in a queue, with as few monitor calls as can be; h: the first, linked by next. */
void hart_wake_all(struct hart *h);

/* ---- the rest */

void memory_init(uintptr_t begin, uintptr_t end);
void console_flush(struct hart *h);
void run_constructors(void);

static inline void pause_hint(void)
{
	__asm__ volatile(".insn i 0x0f, 0, x0, x0, 0x010" : : : "memory"); /* Zihintpause */
}

#endif
