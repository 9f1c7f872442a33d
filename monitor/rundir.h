// SPDX-License-Identifier: MIT
/*
 * Where running clusters can be found: one unix socket per run, RUN.sock, in
 * $XDG_RUNTIME_DIR/disco or /tmp/disco-UID, a directory only its user may enter. On a connection
 * the client sends the number of a VM and a newline, and from then on both sides send console
 * bytes.
 */
#ifndef MONITOR_RUNDIR_H
#define MONITOR_RUNDIR_H

#include <sys/un.h>

/* Make the directory if need be and write its path. 0, or a negative errno after one line. */
int rundir_open(char *path, size_t bytes);
/* The socket's address for a run. 0, or -ENAMETOOLONG after one line. */
int rundir_address(const char *dir, const char *name, struct sockaddr_un *sa);

#endif
