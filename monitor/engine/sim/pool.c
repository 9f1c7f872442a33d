// SPDX-License-Identifier: MIT
/*
 * A fork-join pool over futexes. A round is announced by a counter; the threads take task numbers
 * from another until none is left. Waiting spins briefly first, since rounds follow each other
 * within microseconds, and then sleeps. How long it spins follows from what came of it: where the
 * other threads have CPUs of their own, a spin nearly always ends well and spares a sleep, which
 * costs more than the rest of a short quantum; on a busy host it is given up soon.
 */
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "monitor/engine/sim/pool.h"
#include "numa/util.h"

enum { SPINS_MIN = 100, SPINS_MAX = 16000 };

struct pool {
	unsigned threads;
	pthread_t *thread;
	_Atomic uint32_t round;   /* changes when there is work */
	_Atomic uint32_t running; /* helpers not yet done with this round */
	_Atomic uint32_t next;    /* task to take */
	atomic_bool quit;
	void (*work)(void *arg, unsigned i);
	void *arg;
	unsigned n;
	unsigned spins; /* of the caller, before it sleeps */
};

static void futex_wait(_Atomic uint32_t *word, uint32_t value)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

static void pause_cpu(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#endif
}

/* Wait until *word differs from value. *spins: this thread spins that often before it sleeps. */
static uint32_t wait_change(_Atomic uint32_t *word, uint32_t value, unsigned *spins)
{
	uint32_t v;

	for (unsigned i = 0; i < *spins; i++) {
		v = atomic_load_explicit(word, memory_order_acquire);
		if (v != value) {
			*spins = MIN(*spins + *spins / 8, (unsigned)SPINS_MAX);
			return v;
		}
		pause_cpu();
	}
	*spins = MAX(*spins / 2, (unsigned)SPINS_MIN);
	while ((v = atomic_load_explicit(word, memory_order_acquire)) == value)
		futex_wait(word, value);
	return v;
}

static void take_tasks(struct pool *p)
{
	unsigned i;

	while ((i = atomic_fetch_add_explicit(&p->next, 1, memory_order_relaxed)) < p->n)
		p->work(p->arg, i);
}

static void *helper(void *arg)
{
	struct pool *p = arg;
	uint32_t round = 0;
	unsigned spins = SPINS_MAX;

	for (;;) {
		/* Acquires what pool_run() wrote before it released the new round. */
		round = wait_change(&p->round, round, &spins);
		if (atomic_load(&p->quit))
			return NULL;
		take_tasks(p);
		/* Releases the tasks' effects to the caller, which acquires `running`. */
		if (atomic_fetch_sub_explicit(&p->running, 1, memory_order_acq_rel) == 1)
			futex_wake(&p->running);
	}
}

struct pool *pool_create(unsigned threads)
{
	struct pool *p = xcalloc(1, sizeof(*p));

	p->threads = threads;
	p->spins = SPINS_MAX;
	p->thread = xcalloc(threads, sizeof(p->thread[0]));
	for (unsigned i = 1; i < threads; i++) {
		int err = pthread_create(&p->thread[i], NULL, helper, p);

		if (err)
			die("cannot start a host thread: %s", strerror(err));
	}
	return p;
}

void pool_destroy(struct pool *p)
{
	atomic_store(&p->quit, true);
	atomic_fetch_add_explicit(&p->round, 1, memory_order_release);
	futex_wake(&p->round);
	for (unsigned i = 1; i < p->threads; i++)
		pthread_join(p->thread[i], NULL);
	free(p->thread);
	free(p);
}

void pool_run(struct pool *p, void (*work)(void *arg, unsigned i), void *arg, unsigned n)
{
	uint32_t left;

	if (p->threads == 1 || n <= 1) {
		for (unsigned i = 0; i < n; i++)
			work(arg, i);
		return;
	}
	p->work = work;
	p->arg = arg;
	p->n = n;
	atomic_store_explicit(&p->next, 0, memory_order_relaxed);
	atomic_store_explicit(&p->running, p->threads - 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&p->round, 1, memory_order_release);
	futex_wake(&p->round);
	take_tasks(p);
	while ((left = atomic_load_explicit(&p->running, memory_order_acquire)) != 0)
		wait_change(&p->running, left, &p->spins);
}
