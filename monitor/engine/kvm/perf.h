/* SPDX-License-Identifier: MIT */
/*
 * Memory accesses that the host's processors record. A processor samples an access now and then, of
 * any thread, with its physical address and the cache that had it. /proc/self/pagemap tells to which
 * page of which VM the address belongs. With the engine's lock.
 *
 * Processors that can: AMD's, by instruction-based sampling (event ibs_op; Linux 6.1 on), which
 * goes on while a guest runs. Intel's (PEBS) cannot be used: Linux stops it whenever a guest runs.
 */
#ifndef MONITOR_ENGINE_KVM_PERF_H
#define MONITOR_ENGINE_KVM_PERF_H

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct perf;

/* The host's event of memory accesses, on all its CPUs; NULL if it has none or the caller is not
 * root. perf_close(NULL) does nothing. */
struct perf *perf_open(void);
/* Any event that comes with addresses, of process `pid` (-1: all) on CPU `cpu` (-1: all it runs on)
 * up to `last_cpu`. `sample_type` is set here. */
struct perf *perf_open_event(struct perf_event_attr *attr, pid_t pid, int cpu, int last_cpu);
void perf_close(struct perf *p);

/* Fetch the accesses recorded since the last call that no near cache had, as far as there is room:
 * some thousands of pages. Returns false if records come without addresses, so that the event is
 * useless. */
bool perf_fetch(struct perf *p);
/* Call `found` for each page of [base, base + n pages) and each thread that accessed it. */
typedef void perf_found_fn(void *arg, uint32_t page, uint32_t tid, uint32_t times, bool write);
void perf_find(struct perf *p, const void *base, uint32_t n, perf_found_fn *found, void *arg);
/* Forget the accesses fetched so far. */
void perf_forget(struct perf *p);
/* Accesses fetched in all, and those lost for lack of room, here or in the kernel. */
uint64_t perf_accesses(const struct perf *p);
uint64_t perf_lost(const struct perf *p);

#endif
