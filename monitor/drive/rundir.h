// SPDX-License-Identifier: MIT
/*
 * Where running clusters can be found: one unix socket per run, RUN.sock, in
 * $XDG_RUNTIME_DIR/disco or /tmp/disco-UID, a directory only its user may enter. On a connection
 * the client sends a line. The number of a VM: from then on both sides send console bytes.
 * "fidelity numa" or "fidelity functional": the run answers "ok" or what is wrong, and hangs up. It
 * also hangs up, with a line that says so, when it has too many clients or that line does not come
 * within a few seconds.
 */
#ifndef MONITOR_DRIVE_RUNDIR_H
#define MONITOR_DRIVE_RUNDIR_H

#include <stddef.h>
#include <sys/un.h>

/*
 * Make the directory if need be and write its path. Where it cannot be used (another user made it, or
 * it is too long for a socket's address), one line says so and names a directory of this user's in
 * /tmp, which every later call finds, too. 0, or a negative errno after one line.
 */
int rundir_open(char *path, size_t bytes);
/*
 * A process that removes `file` from the directory with descriptor `dir` when rundir_remove() is
 * called or this process has ended: once confined, root's monitor is another user and may not.
 * A descriptor, or a negative errno.
 */
int rundir_remover(int dir, const char *file);
void rundir_remove(int remover);
/* The socket's address for a run. 0, or -ENAMETOOLONG after one line. */
int rundir_address(const char *dir, const char *name, struct sockaddr_un *sa);
/* Print the name of every run that answers. */
void rundir_list(const char *dir);
/* Connect to a run, or (wanted = NULL) to the only one there is; its name to *name. A socket, or a
 * negative errno after one line. */
int rundir_connect(const char *dir, const char *wanted, char *name, size_t bytes);

#endif
