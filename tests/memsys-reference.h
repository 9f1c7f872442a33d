// SPDX-License-Identifier: MIT
/*
 * The memory-system model of numa/memsys/memsys.h once more, slow and obvious: every rule of that header
 * written down the way it is said there, with time stamps for LRU, one byte of state for each line
 * and CPU, and division instead of shifts. It shares no code with numa/memsys/, only the
 * machine description and the form of the counters, so that what both agree on is what the header
 * says. For small machines: memory is proportional to lines times CPUs. One thread.
 */
#ifndef TESTS_MEMSYS_REFERENCE_H
#define TESTS_MEMSYS_REFERENCE_H

#include "numa/memsys/memsys.h"

struct ref;

struct ref *ref_create(const struct machine *m, const struct memsys_options *o);
void ref_destroy(struct ref *r);

unsigned ref_data(struct ref *r, unsigned cpu, uint64_t ma, bool write);
unsigned ref_fetch(struct ref *r, unsigned cpu, uint64_t ma);
unsigned ref_walk(struct ref *r, unsigned cpu, uint64_t ma);
uint64_t ref_copy_page(struct ref *r, unsigned cpu, uint32_t to_mpn, uint32_t from_mpn);
uint64_t ref_zero_page(struct ref *r, unsigned cpu, uint32_t mpn);
uint64_t ref_read_page(struct ref *r, unsigned cpu, uint32_t mpn);
uint64_t ref_dma(
	struct ref *r, unsigned cpu, unsigned node, uint64_t ma, uint64_t bytes, bool to_memory);

bool ref_tlb_access(struct ref *r, unsigned cpu, uint64_t context, uint64_t vpn, unsigned order,
	struct memsys_tlb_victim *evicted);
void ref_tlb_flush(struct ref *r, unsigned cpu);
void ref_tlb_flush_context(struct ref *r, unsigned cpu, uint64_t context);
void ref_tlb_flush_page(struct ref *r, unsigned cpu, uint64_t context, uint64_t vpn);

void ref_boundary(struct ref *r, uint64_t elapsed_cycles);
void ref_quantum(struct ref *r, const uint16_t *task_of_cpu);
void ref_own(struct ref *r, uint32_t mpn, uint16_t task);
void ref_frame_moved(struct ref *r, uint32_t mpn);
void ref_flush(struct ref *r);
void ref_frame_reset(struct ref *r, uint32_t mpn);
void ref_frames_reset(struct ref *r);
void ref_hot_clear(struct ref *r);

const struct memsys_counts *ref_counts(const struct ref *r, unsigned cpu);
struct memsys_home ref_home(const struct ref *r, unsigned node);
enum memsys_state ref_state(const struct ref *r, unsigned cpu, uint64_t ma);
bool ref_sharers(const struct ref *r, uint64_t ma, uint64_t set[2]);
unsigned ref_frame_misses(const struct ref *r, uint32_t mpn, unsigned node);
unsigned ref_frame_writes(const struct ref *r, uint32_t mpn);
const struct memsys_hot *ref_hot(const struct ref *r, unsigned cpu, unsigned *n);

/*
 * memsys-compare.c: die(), saying what, unless both models have the same: a value; all counters,
 * waits and hot signals; and these, every line in every cache and in the directory, and every
 * frame's counters.
 */
void ref_same(uint64_t fast, uint64_t slow, const char *what);
void ref_same_counts(const struct memsys *ms, const struct ref *r, const struct machine *m);
void ref_same_state(const struct memsys *ms, const struct ref *r, const struct machine *m);

#endif
