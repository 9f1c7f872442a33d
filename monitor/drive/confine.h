// SPDX-License-Identifier: MIT
/*
 * What the monitor gives up after it has set up a run and before the first guest instruction: should
 * a guest ever take it over, it takes over less. The manual page tells users what is left.
 */
#ifndef MONITOR_DRIVE_CONFINE_H
#define MONITOR_DRIVE_CONFINE_H

#include <stdbool.h>

struct confinement {
	const char *const
		*read; /* files and directory trees that can be opened, to read; NULL ends */
	int dir;       /* descriptor of the directory in which files can be removed; -1: none */
	bool read_all; /* root keeps the capability to read any file, of those above */
	bool outside;  /* sockets of IPv4 can be made and connected, for the subnet's gateway */
};

/*
 * From now on, for this thread and those it starts: root becomes the user that called sudo, or
 * `nobody`, without capabilities but that of `read_all`. No program can be run, no process or socket
 * made, no file opened but to read, no memory executed that is not executable yet, no signal sent to
 * another process: such system calls fail with ENOSYS. Where the kernel has Landlock (Linux 5.13), a
 * file that `c` does not name cannot be opened or removed: EACCES. Open files, memory, threads and
 * time are as before. Paths that do not exist are skipped. Cannot be undone. Before any thread is
 * started. 0, or a negative errno after one line on stderr.
 */
int confine(const struct confinement *c);

#endif
