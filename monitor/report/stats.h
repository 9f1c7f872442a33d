// SPDX-License-Identifier: MIT
/*
 * The statistics file (STATS.md), its parts, and the tables that `disco stats` prints from it. All
 * but the file's `host` object is a function of inputs and seed alone. After the run, at the
 * boundary.
 */
#ifndef MONITOR_REPORT_STATS_H
#define MONITOR_REPORT_STATS_H

#include <jansson.h>
#include <stdio.h>

#include "monitor/report/series.h"
#include "monitor/run/run.h"

/* The file of --stats: opened at the start, while that may still be done, and written at the end,
 * whole. One that was made and not written is removed. 0, or a negative errno after one line on
 * stderr. */
struct stats_file {
	const char *path;
	int fd; /* -1: none */
	bool is_new;
};
int stats_open(struct stats_file *f, const char *path);
int stats_write(const struct run *r, struct stats_file *f);
void stats_close(struct stats_file *f);

/* Guest instructions executed by all VMs. Any boundary. */
uint64_t run_instructions(const struct run *r);

/* stats-modes.c. The objects are new. */
json_t *account_time_json(const struct account *a);
json_t *account_traps_json(const struct account *a);
void stats_print_time(const json_t *root, FILE *out);
void stats_print_traps(const json_t *root, FILE *out);

/* stats-services.c */
json_t *services_json(const struct services *s); /* new */
void stats_print_services(const json_t *root, FILE *out);

/* stats-numa.c. The sums are for clusters that have a memory system. */
struct tally numa_cpu(const struct cluster *c, unsigned cpu);
struct tally numa_node(const struct cluster *c, unsigned node); /* of its CPUs */
struct tally numa_vm(const struct vm *vm);
struct tally numa_total(const struct cluster *c);
/* Where the pages of a VM are, as a string of runs (STATS.md). The caller frees it. */
char *numa_page_map(const struct vm *vm);
/* New JSON objects. */
json_t *tally_json(const struct tally *t);
json_t *series_json(const struct series *s, unsigned n_nodes);
json_t *numa_json(const struct run *r);

#endif
