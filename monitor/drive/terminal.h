// SPDX-License-Identifier: MIT
/*
 * The user's terminal as a VM's console: raw mode, given back however the program ends, and the
 * escape key. Ctrl-A then: x quit (or detach), h help, c next VM's console, a a Ctrl-A for the
 * guest. Main thread.
 */
#ifndef MONITOR_DRIVE_TERMINAL_H
#define MONITOR_DRIVE_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

/* Make stdin raw if it is a terminal; undone by terminal_restore() or at exit. */
void terminal_raw(void);
void terminal_restore(void);

enum terminal_key { TERMINAL_NONE, TERMINAL_QUIT, TERMINAL_HELP, TERMINAL_NEXT };

struct terminal_filter {
	bool escaped; /* the last byte was Ctrl-A */
};

/*
 * Take escape sequences out of n typed bytes, in place. Stops after the first command, which goes
 * to *key. Returns the bytes left for the guest; *used is the number examined.
 */
size_t terminal_filter(
	struct terminal_filter *f, char *bytes, size_t n, size_t *used, enum terminal_key *key);

/* Write all of it to standard output, whatever interrupts; after a failed write, nothing more. */
void terminal_write(const char *bytes, size_t n);
/* Did a write fail? */
bool terminal_lost(void);

extern const char terminal_help[];

#endif
