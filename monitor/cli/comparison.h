// SPDX-License-Identifier: MIT
/*
 * Statistics of several runs of one job, side by side. A run's time is that of its region of
 * interest if every run has one; else from the first VM's user space being up to the last VM's
 * command having ended; else all of it. Counts are of the same region, else of the whole run.
 */
#ifndef MONITOR_CLI_COMPARISON_H
#define MONITOR_CLI_COMPARISON_H

#include <jansson.h>
#include <stdio.h>

/* One table: runs is an array of statistics (null: the run failed), value[] what each is called:
 * values of the option `vary`. */
void compare_print(const json_t *runs, const char *vary, const char *const *value, FILE *out);

#endif
