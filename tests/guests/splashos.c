// SPDX-License-Identifier: MIT
/*
 * What SPLASHOS promises a program, tried out by one; the first argument says what:
 *
 *   sync        threads, every kind of synchronization, malloc: exit 0 if all is as it should be
 *   exit N      ends with that code, from a thread other than the first
 *   words ...   prints its arguments and environment
 *   fault       loads from where there is nothing
 *   abort       assert(0)
 *   hang        waits for what never comes
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX = 128 };

static unsigned harts, rounds;
static pthread_barrier_t barrier;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_changed = PTHREAD_COND_INITIALIZER, all = PTHREAD_COND_INITIALIZER;
static pthread_spinlock_t spin;
static unsigned by_mutex, by_spin, turn, go, serial, gone;
static volatile unsigned inside, arrived[MAX];
static __thread unsigned own = 7, own_zero;

static _Noreturn void wrong(const char *what)
{
	printf("wrong: %s\n", what);
	exit(1);
}

#define CHECK(that) ((that) ? (void)0 : wrong(#that))

/* Long enough for the others to go to sleep. */
static void dawdle(unsigned steps)
{
	for (volatile unsigned i = 0; i < steps; i++)
		;
}

static void try_memory(unsigned me)
{
	char *p[32] = {NULL};

	for (unsigned i = 0; i < 20 * rounds; i++) {
		unsigned k = (i * 7 + me) % 32, bytes = 1 + (i * 131 + me * 17) % 5000;

		for (unsigned b = 0; p[k] && b < 8; b++)
			CHECK(p[k][b] == (char)(me * 32 + k));
		free(p[k]);
		p[k] = i % 3 ? malloc(bytes + 8) : aligned_alloc(1u << i % 13, bytes + 8);
		CHECK(p[k] && (i % 3 || (uintptr_t)p[k] % (1u << i % 13) == 0));
		if (i % 5 == 0)
			p[k] = realloc(p[k], 2 * bytes + 8);
		memset(p[k], (int)(me * 32 + k), bytes + 8);
	}
	for (unsigned k = 0; k < 32; k++)
		free(p[k]);
}

static void *worker(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg;

	CHECK(own == 7 && own_zero == 0);
	own = own_zero = me;
	errno = (int)me;
	for (unsigned i = 0; i < rounds; i++) {
		pthread_mutex_lock(&mutex);
		CHECK(++inside == 1);
		by_mutex++;
		dawdle(i % 16 ? 3 : 2000);
		inside--;
		pthread_mutex_unlock(&mutex);
		pthread_spin_lock(&spin);
		by_spin++;
		pthread_spin_unlock(&spin);
	}
	/* No thread is a round ahead of another. */
	for (unsigned i = 1; i <= rounds; i++) {
		dawdle((i + me) % 8 ? 10 : 3000);
		arrived[me] = i;
		if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
			__atomic_fetch_add(&serial, 1, __ATOMIC_RELAXED);
		for (unsigned t = 0; t < harts; t++)
			CHECK(arrived[t] == i || arrived[t] == i + 1);
	}
	/* In turn. */
	for (unsigned i = 0; i < 10; i++) {
		pthread_mutex_lock(&mutex);
		while (turn % harts != me)
			pthread_cond_wait(&turn_changed, &mutex);
		turn++;
		pthread_cond_broadcast(&turn_changed);
		pthread_mutex_unlock(&mutex);
	}
	/* One signal lets one go. */
	pthread_mutex_lock(&mutex);
	go++;
	if (me) {
		pthread_cond_wait(&all, &mutex);
		gone++;
	}
	pthread_mutex_unlock(&mutex);
	try_memory(me);
	CHECK(errno == (int)me && own == me && own_zero == me);
	if (me % 2)
		pthread_exit((void *)(uintptr_t)(me * me));
	return (void *)(uintptr_t)(me * me);
}

static void *nothing(void *arg)
{
	return arg;
}

static void try_threads(void)
{
	pthread_t t[MAX], more;
	void *result;
	volatile size_t huge = SIZE_MAX;
	char *big;

	pthread_barrier_init(&barrier, NULL, harts);
	pthread_spin_init(&spin, 0);
	for (unsigned i = 1; i < harts; i++)
		CHECK(!pthread_create(&t[i], NULL, worker, (void *)(uintptr_t)i));
	CHECK(pthread_create(&more, NULL, nothing, NULL) == EAGAIN);
	worker((void *)0);
	for (;;) { /* until all others wait in `all` or are on their way */
		pthread_mutex_lock(&mutex);
		if (go == harts)
			break;
		pthread_mutex_unlock(&mutex);
	}
	CHECK(gone == 0);
	pthread_mutex_unlock(&mutex);
	for (unsigned i = 1; i < harts; i++) {
		pthread_mutex_lock(&mutex);
		pthread_cond_signal(&all);
		pthread_mutex_unlock(&mutex);
	}
	for (unsigned i = 1; i < harts; i++) {
		CHECK(!pthread_join(t[i], &result));
		CHECK((uintptr_t)result == i * i);
	}
	CHECK(by_mutex == harts * rounds && by_spin == by_mutex);
	CHECK(serial == rounds && turn == 10 * harts && gone == harts - 1);
	/* Harts and stacks come back. */
	for (unsigned i = 0; harts > 1 && i < 20 * harts; i++) {
		CHECK(!pthread_create(&more, NULL, nothing, (void *)(uintptr_t)i));
		CHECK(!pthread_join(more, &result) && (uintptr_t)result == i);
	}
	/* So does memory: nearly all of 64 MB can be had at once, as often as one likes. */
	for (unsigned i = 0; i < 10; i++) {
		big = malloc(60 << 20);
		CHECK(big);
		free(big);
	}
	CHECK(!malloc(1 << 30) && errno == ENOMEM && !malloc(huge) && !calloc(huge, 2));
}

static void *exits(void *code)
{
	printf("the last words"); /* without a newline */
	exit((int)(intptr_t)code);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	struct timespec a, b;
	pthread_t t;

	harts = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	rounds = 10 + 400 / harts;
	if (!strcmp(what, "sync")) {
		clock_gettime(CLOCK_MONOTONIC, &a);
		try_threads();
		clock_gettime(CLOCK_MONOTONIC, &b);
		CHECK(b.tv_sec > a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec > a.tv_nsec));
		printf("%u harts: all as it should be, %.1f\n", harts, 1.5);
	} else if (!strcmp(what, "exit") && argc == 3) {
		intptr_t code = atoi(argv[2]);

		if (pthread_create(&t, NULL, exits, (void *)code))
			exits((void *)code);
		pthread_join(t, NULL);
	} else if (!strcmp(what, "words")) {
		for (int i = 0; i < argc; i++)
			printf("[%s]", argv[i]);
		printf(" %s\n", getenv("HOME") ? getenv("HOME") : "none");
	} else if (!strcmp(what, "fault")) {
		volatile uintptr_t nowhere = 0x40;

		return *(volatile int *)nowhere;
	} else if (!strcmp(what, "abort")) {
		assert(argc == 0);
	} else if (!strcmp(what, "hang")) {
		pthread_barrier_init(&barrier, NULL, 2);
		pthread_barrier_wait(&barrier);
	}
	return 0;
}
