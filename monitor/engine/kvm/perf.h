/* SPDX-License-Identifier: MIT */
/*
 * What the host's processors tell of memory accesses: every so often one of them notes an access of
 * whatever runs, with the physical address it went to and whether a cache had it. Which page of
 * which VM that is, /proc/self/pagemap tells. With the engine's lock.
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

/* The host's event of memory accesses, on all its CPUs; NULL if it has none or does not let us: it
 * takes root's rights, when this is called. perf_close(NULL) does nothing. */
struct perf *perf_open(void);
/* Any event that comes with addresses, of process `pid` (-1: all) on CPU `cpu` (-1: all it runs on)
 * up to `last_cpu`. `sample_type` is set here. */
struct perf *perf_open_event(struct perf_event_attr *attr, pid_t pid, int cpu, int last_cpu);
void perf_close(struct perf *p);

/* Fetch what was noted since, as far as no near cache had it and there is room: some thousands of
 * pages. False: nothing that comes has an address, so this is no use. */
bool perf_fetch(struct perf *p);
/* For each page of [base, base + n pages) and each thread that accessed it: `times`, and if stored.
 */
typedef void perf_found_fn(void *arg, uint32_t page, uint32_t tid, uint32_t times, bool write);
void perf_find(struct perf *p, const void *base, uint32_t n, perf_found_fn *found, void *arg);
/* Forget what was fetched. */
void perf_forget(struct perf *p);
/* Accesses fetched so far, and those there was no room for, here or in the kernel. */
uint64_t perf_accesses(const struct perf *p);
uint64_t perf_lost(const struct perf *p);

#endif
