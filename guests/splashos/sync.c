// SPDX-License-Identifier: MIT
/*
 * Mutexes, conditions and barriers are each a few words under a spin lock that is held for some ten
 * instructions, and a queue of harts that wait. The hart that leaves hands over to the first in the
 * queue, so no hart is overtaken and no wake-up is in vain: with a hart for each thread, fairness
 * costs nothing.
 */
#include <errno.h>

#include "os.h"

/* ---- spin locks: only read while another hart has it, so that the line stays in all caches */

int pthread_spin_init(pthread_spinlock_t *l, int shared)
{
	(void)shared;
	*l = 0;
	return 0;
}

int pthread_spin_destroy(pthread_spinlock_t *l)
{
	(void)l;
	return 0;
}

int pthread_spin_trylock(pthread_spinlock_t *l)
{
	return __atomic_exchange_n(l, 1, __ATOMIC_ACQUIRE) ? EBUSY : 0;
}

int pthread_spin_lock(pthread_spinlock_t *l)
{
	while (pthread_spin_trylock(l))
		while (__atomic_load_n(l, __ATOMIC_RELAXED))
			pause_hint();
	return 0;
}

int pthread_spin_unlock(pthread_spinlock_t *l)
{
	__atomic_store_n(l, 0, __ATOMIC_RELEASE);
	return 0;
}

/* ---- queues, under their owner's guard */

static void enqueue(struct pthread_queue *q)
{
	me->next = NULL;
	if (q->first)
		q->last->next = me;
	else
		q->first = me;
	q->last = me;
}

static struct hart *dequeue(struct pthread_queue *q)
{
	struct hart *h = q->first;

	if (h)
		q->first = h->next;
	return h;
}

static struct hart *dequeue_all(struct pthread_queue *q)
{
	struct hart *h = q->first;

	q->first = NULL;
	return h;
}

/* ---- mutexes */

int pthread_mutex_init(pthread_mutex_t *m, const pthread_mutexattr_t *attr)
{
	*m = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	return attr ? EINVAL : 0;
}

int pthread_mutex_destroy(pthread_mutex_t *m)
{
	return m->held ? EBUSY : 0;
}

int pthread_mutex_trylock(pthread_mutex_t *m)
{
	int held;

	pthread_spin_lock(&m->guard);
	held = m->held;
	m->held = 1;
	pthread_spin_unlock(&m->guard);
	return held ? EBUSY : 0;
}

int pthread_mutex_lock(pthread_mutex_t *m)
{
	int held;

	pthread_spin_lock(&m->guard);
	held = m->held;
	m->held = 1;
	if (held)
		enqueue(&m->waiting);
	pthread_spin_unlock(&m->guard);
	if (held)
		hart_wait(); /* pthread_mutex_unlock() gave it to us */
	return 0;
}

int pthread_mutex_unlock(pthread_mutex_t *m)
{
	struct hart *next;

	pthread_spin_lock(&m->guard);
	next = dequeue(&m->waiting);
	m->held = next != NULL;
	pthread_spin_unlock(&m->guard);
	if (next)
		hart_wake(next);
	return 0;
}

/* ---- conditions */

int pthread_cond_init(pthread_cond_t *c, const pthread_condattr_t *attr)
{
	*c = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
	return attr ? EINVAL : 0;
}

int pthread_cond_destroy(pthread_cond_t *c)
{
	return c->waiting.first ? EBUSY : 0;
}

int pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m)
{
	pthread_spin_lock(&c->guard);
	enqueue(&c->waiting);
	pthread_spin_unlock(&c->guard);
	pthread_mutex_unlock(m);
	hart_wait();
	return pthread_mutex_lock(m);
}

int pthread_cond_signal(pthread_cond_t *c)
{
	struct hart *h;

	pthread_spin_lock(&c->guard);
	h = dequeue(&c->waiting);
	pthread_spin_unlock(&c->guard);
	if (h)
		hart_wake(h);
	return 0;
}

int pthread_cond_broadcast(pthread_cond_t *c)
{
	struct hart *all;

	pthread_spin_lock(&c->guard);
	all = dequeue_all(&c->waiting);
	pthread_spin_unlock(&c->guard);
	hart_wake_all(all);
	return 0;
}

/* ---- barriers */

int pthread_barrier_init(pthread_barrier_t *b, const pthread_barrierattr_t *attr, unsigned count)
{
	*b = (pthread_barrier_t){.count = count};
	return attr || !count ? EINVAL : 0;
}

int pthread_barrier_destroy(pthread_barrier_t *b)
{
	return b->arrived ? EBUSY : 0;
}

int pthread_barrier_wait(pthread_barrier_t *b)
{
	struct hart *others = NULL;
	bool last;

	pthread_spin_lock(&b->guard);
	last = ++b->arrived == b->count;
	if (last) {
		b->arrived = 0;
		others = dequeue_all(&b->waiting);
	} else {
		enqueue(&b->waiting);
	}
	pthread_spin_unlock(&b->guard);
	if (!last) {
		hart_wait();
		return 0;
	}
	hart_wake_all(others);
	return PTHREAD_BARRIER_SERIAL_THREAD;
}
