// SPDX-License-Identifier: MIT
/*
 * A run's time series: samples of running totals, one every `interval` boundaries. When the list is
 * full, every second sample goes and the interval doubles, so that a run of any length has between
 * half a list and a full one, evenly spread, and which samples there are depends on the number of
 * boundaries alone. Totals and not differences, so that leaving samples out loses nothing else.
 */
#ifndef MONITOR_REPORT_SERIES_H
#define MONITOR_REPORT_SERIES_H

#include "monitor/vm/vm.h"

enum { SERIES_MAX = 512 };

struct sample {
	uint64_t cycles; /* machine time */
	/* Since the start, of all CPUs: */
	uint64_t local, remote; /* L2 misses */
	uint64_t stall[MEMSYS_STALLS];
	uint64_t migrations, replications, collapses;
	/* Now: */
	uint64_t free_pages[MACHINE_MAX_NODES];
};

struct series {
	uint64_t interval; /* boundaries from one sample to the next */
	uint64_t boundaries;
	unsigned n;
	struct sample sample[SERIES_MAX + 1]; /* the last one is series_end()'s */
};

void series_init(struct series *s);
/* A boundary: take a sample if it is time. */
void series_boundary(struct series *s, const struct cluster *c);
/* The run is over: one more, unless time stood still since the last. */
void series_end(struct series *s, const struct cluster *c);

#endif
