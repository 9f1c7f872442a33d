// SPDX-License-Identifier: MIT
/*
 * What people see of a run: lines of output with the VM's name before them (stdout), progress
 * (stderr; one line that is overwritten on a terminal, a line now and then elsewhere), and tables
 * at the end. Boundary.
 */
#ifndef MONITOR_REPORT_REPORT_H
#define MONITOR_REPORT_REPORT_H

#include "monitor/run/run.h"

/* r->report, r->snapshots and r->series: before the run and after run_create(). */
void report_open(struct run *r);
/* Free them; nothing happens if there are none. */
void report_close(struct run *r);
/* Show progress if it is time, or (now) in any case. */
void report_progress(struct run *r, bool now);
/* Print one line that guest g put out, around the progress line. */
void report_line(struct run *r, const struct guest *g, const char *text, size_t n);
/* The VMs of r->template have been cloned. */
void report_cloned(struct run *r);
/* The tables and what failed, after the run. */
void report_end(struct run *r);

/* numa.c: nothing unless the memory system was modelled. */
void report_numa(const struct run *r);
/* stats-modes.c: a line of where all vCPUs' time went. */
void report_time(const struct run *r);

#endif
