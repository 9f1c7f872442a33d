// SPDX-License-Identifier: MIT
/*
 * A run from its first quantum to its last.
 */
#ifndef MONITOR_DRIVE_LOOP_H
#define MONITOR_DRIVE_LOOP_H

#include "monitor/run/run.h"

/* Run the cluster of run_create() to its end and print the report. r->report, r->inputs must be
 * open; r->inputs is closed. 0, or a negative errno after one line on stderr. */
int drive(struct run *r);

#endif
