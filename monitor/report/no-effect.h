// SPDX-License-Identifier: MIT
/*
 * Options that had no effect in a run that has ended.
 */
#ifndef MONITOR_REPORT_NO_EFFECT_H
#define MONITOR_REPORT_NO_EFFECT_H

#include "monitor/run/run.h"

/* Of the i-th such option, a line that names it and says why; the caller frees it. NULL: there are
 * no more, or the run was ended before its time. After the run, before run_destroy(). */
char *no_effect(const struct run *r, unsigned i);

#endif
