// SPDX-License-Identifier: MIT
/*
 * What the monitor gives up once all is set up and before the first guest instruction: should a
 * guest ever take it over, it takes over less.
 */
#ifndef MONITOR_CONFINE_H
#define MONITOR_CONFINE_H

/*
 * From now on, for this thread and those it starts, no program can be run, no privilege gained, and
 * nobody else's process, the kernel or the file system's shape be touched: such system calls fail
 * with EPERM. Cannot be undone. 0, or a negative errno after one line on stderr.
 */
int confine(void);

#endif
