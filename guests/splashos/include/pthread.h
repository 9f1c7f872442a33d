// SPDX-License-Identifier: MIT
/*
 * POSIX threads as far as SPLASHOS has them, so that one source compiles for it and for Linux. A
 * thread has a hart of its own: pthread_create() fails with EAGAIN when all are taken (as many as
 * sysconf(_SC_NPROCESSORS_ONLN) says, the one of main() included). Attributes must be NULL.
 */
#ifndef SPLASHOS_PTHREAD_H
#define SPLASHOS_PTHREAD_H

struct hart;
typedef struct hart *pthread_t;
typedef void pthread_attr_t;

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg);
int pthread_join(pthread_t thread, void **result);
_Noreturn void pthread_exit(void *result);
pthread_t pthread_self(void);

typedef unsigned pthread_spinlock_t;

int pthread_spin_init(pthread_spinlock_t *l, int shared);
int pthread_spin_destroy(pthread_spinlock_t *l);
int pthread_spin_lock(pthread_spinlock_t *l);
int pthread_spin_trylock(pthread_spinlock_t *l);
int pthread_spin_unlock(pthread_spinlock_t *l);

/* Harts in the order in which they came. */
struct pthread_queue {
	struct hart *first, *last;
};

typedef struct {
	pthread_spinlock_t guard;
	int held;
	struct pthread_queue waiting;
} pthread_mutex_t;
typedef void pthread_mutexattr_t;
#define PTHREAD_MUTEX_INITIALIZER                                                                  \
	{                                                                                          \
		0                                                                                  \
	}

int pthread_mutex_init(pthread_mutex_t *m, const pthread_mutexattr_t *attr);
int pthread_mutex_destroy(pthread_mutex_t *m);
int pthread_mutex_lock(pthread_mutex_t *m);
int pthread_mutex_trylock(pthread_mutex_t *m);
int pthread_mutex_unlock(pthread_mutex_t *m);

typedef struct {
	pthread_spinlock_t guard;
	struct pthread_queue waiting;
} pthread_cond_t;
typedef void pthread_condattr_t;
#define PTHREAD_COND_INITIALIZER                                                                   \
	{                                                                                          \
		0                                                                                  \
	}

int pthread_cond_init(pthread_cond_t *c, const pthread_condattr_t *attr);
int pthread_cond_destroy(pthread_cond_t *c);
int pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m);
int pthread_cond_signal(pthread_cond_t *c);
int pthread_cond_broadcast(pthread_cond_t *c);

typedef struct {
	pthread_spinlock_t guard;
	unsigned count, arrived;
	struct pthread_queue waiting;
} pthread_barrier_t;
typedef void pthread_barrierattr_t;
#define PTHREAD_BARRIER_SERIAL_THREAD (-1)

int pthread_barrier_init(pthread_barrier_t *b, const pthread_barrierattr_t *attr, unsigned count);
int pthread_barrier_destroy(pthread_barrier_t *b);
int pthread_barrier_wait(pthread_barrier_t *b);

#endif
