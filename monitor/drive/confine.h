// SPDX-License-Identifier: MIT
/*
 * What the monitor gives up once all is set up and before the first guest instruction: should a
 * guest ever take it over, it takes over less.
 */
#ifndef MONITOR_DRIVE_CONFINE_H
#define MONITOR_DRIVE_CONFINE_H

#include <stdbool.h>

/*
 * From now on, for this thread and those it starts: whoever was root is the user that called sudo,
 * or nobody, with no capability left but, if `read_all`, that to read any file. No program can be
 * run, no process or socket made, no file opened but to read, no memory executed that is not yet:
 * such system calls fail with ENOSYS. Files that are open, memory, threads and time are as before;
 * with `outside`, sockets of IPv4 can be made and connected, for the subnet's gateway. Cannot be
 * undone. Before any thread is started. 0, or a negative errno after one line on stderr.
 */
int confine(bool read_all, bool outside);

#endif
