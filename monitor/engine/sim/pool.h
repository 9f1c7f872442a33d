// SPDX-License-Identifier: MIT
/*
 * Host threads that share out a list of independent tasks and meet again: what the run phase needs,
 * many thousand times a second. Which thread gets which task is up to the host; tasks must not
 * care.
 */
#ifndef MONITOR_ENGINE_SIM_POOL_H
#define MONITOR_ENGINE_SIM_POOL_H

struct pool;

/* threads: in all, the caller's own included. */
struct pool *pool_create(unsigned threads);
void pool_destroy(struct pool *p);
/* Call work(arg, i) once for each i < n, on any thread, and return when all are done. Creator's
 * thread only. */
void pool_run(struct pool *p, void (*work)(void *arg, unsigned i), void *arg, unsigned n);

#endif
