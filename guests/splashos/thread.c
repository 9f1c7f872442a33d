// SPDX-License-Identifier: MIT
/*
 * Threads are harts. Creating a thread starts a hart, which stops when the thread ends, so there is
 * nothing to schedule. A thread that must wait first spins, for about as long as the two monitor
 * calls of sleeping and being woken would take, and then sleeps (wfi), so that the monitor can give
 * the CPU to another VM. The interrupt that ends the sleep is never taken: it is only pending, and
 * cleared.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "os.h"
#include "sbi.h"

enum { WAKE_NO, WAKE_ASLEEP, WAKE_YES };
enum { SPINS = 200, SSIP = 2 };

extern char tdata_start[], tdata_bytes[], tls_bytes[], tls_bytes_rounded[], hart_entry[];

struct hart hart[MAX_HARTS];
__thread struct hart *me;
static pthread_spinlock_t guard; /* of all harts' state, stack and joiner */

void hart_adopt(struct hart *h)
{
	char *own;

	__asm__ volatile("mv %0, tp" : "=r"(own));
	memcpy(own, tdata_start, (size_t)tdata_bytes);
	memset(own + (size_t)tdata_bytes, 0, (size_t)tls_bytes - (size_t)tdata_bytes);
	__asm__ volatile("csrw sscratch, %0" : : "r"(h)); /* for trap_report() */
	__asm__ volatile("" : : : "memory");
	me = h;
}

void harts_init(uint64_t boot_id)
{
	for (unsigned i = 0; i < board.n_harts; i++) {
		hart[i].id = board.hart_id[i];
		if (hart[i].id == boot_id) {
			hart[i].state = HART_RUNNING;
			hart_adopt(&hart[i]);
		}
	}
}

/* ---- waiting */

void hart_wait(void)
{
	struct hart *h = me;
	unsigned awake = WAKE_NO;

	for (unsigned i = 0; i < SPINS; i++) {
		if (__atomic_load_n(&h->wake, __ATOMIC_ACQUIRE) == WAKE_YES)
			break;
		pause_hint();
	}
	if (__atomic_compare_exchange_n(
		    &h->wake, &awake, WAKE_ASLEEP, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		for (;;) {
			/* Clear before reading: an interrupt after the read ends the wfi. */
			__asm__ volatile("csrc sip, %0\n\tfence" : : "i"(SSIP) : "memory");
			if (__atomic_load_n(&h->wake, __ATOMIC_ACQUIRE) == WAKE_YES)
				break;
			__asm__ volatile("wfi" : : : "memory");
		}
	}
	h->wake = WAKE_NO; /* the next wake is for a wait that has not begun */
}

/* True if it sleeps and must be interrupted. */
static bool tell(struct hart *h)
{
	return __atomic_exchange_n(&h->wake, WAKE_YES, __ATOMIC_ACQ_REL) == WAKE_ASLEEP;
}

void hart_wake(struct hart *h)
{
	uint64_t id = h->id; /* once told, it may end */

	if (tell(h))
		sbi_send_ipi(1, id);
}

void hart_wake_all(struct hart *h)
{
	uint64_t mask = 0, base = 0;

	while (h) {
		struct hart *next = h->next; /* once told, it may wait in another queue */
		uint64_t id = h->id;

		if (tell(h)) {
			if (mask && id / 64 * 64 != base) {
				sbi_send_ipi(mask, base);
				mask = 0;
			}
			base = id / 64 * 64;
			mask |= 1ull << id % 64;
		}
		h = next;
	}
	if (mask)
		sbi_send_ipi(mask, base);
}

/* ---- threads */

static _Noreturn void finish(void *result)
{
	struct hart *h = me, *joiner;

	console_flush(h);
	h->result = result;
	pthread_spin_lock(&guard);
	h->state = HART_DONE;
	joiner = h->joiner;
	pthread_spin_unlock(&guard);
	if (joiner)
		hart_wake(joiner);
	for (;;)
		sbi_hart_stop();
}

/* From start.S, on the new hart. */
void hart_main(uint64_t id, struct hart *h)
{
	(void)id;
	hart_adopt(h);
	finish(h->run(h->arg));
}

static struct hart *take_free_hart(void)
{
	struct hart *h = NULL;

	pthread_spin_lock(&guard);
	for (unsigned i = 0; i < board.n_harts && !h; i++)
		if (hart[i].state == HART_FREE)
			h = &hart[i];
	if (h)
		h->state = HART_RUNNING;
	pthread_spin_unlock(&guard);
	return h;
}

static void give_back(struct hart *h)
{
	free(h->stack);
	pthread_spin_lock(&guard);
	h->state = HART_FREE;
	pthread_spin_unlock(&guard);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
	struct hart *h;

	if (attr)
		return EINVAL;
	h = take_free_hart();
	if (!h)
		return EAGAIN;
	h->run = run;
	h->arg = arg;
	h->joiner = NULL;
	h->wake = WAKE_NO;
	h->line_bytes = 0;
	h->stack = aligned_alloc(4096, STACK_BYTES);
	h->sp = (uint64_t)h->stack + STACK_BYTES - (uint64_t)tls_bytes_rounded;
	*thread = h;
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* all of it before the hart begins */
	if (!h->stack || sbi_hart_start(h->id, (uint64_t)hart_entry, (uint64_t)h)) {
		give_back(h);
		return EAGAIN;
	}
	return 0;
}

int pthread_join(pthread_t h, void **result)
{
	bool running;

	pthread_spin_lock(&guard);
	running = h->state == HART_RUNNING;
	if (running)
		h->joiner = me;
	pthread_spin_unlock(&guard);
	if (running)
		hart_wait();
	while (sbi_hart_status(h->id) != SBI_HART_STOPPED) /* until then it needs its stack */
		pause_hint();
	if (result)
		*result = h->result;
	give_back(h);
	return 0;
}

_Noreturn void pthread_exit(void *result)
{
	finish(result);
}

pthread_t pthread_self(void)
{
	return me;
}
