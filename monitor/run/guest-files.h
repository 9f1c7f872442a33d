// SPDX-License-Identifier: MIT
/*
 * The files of a named guest (--guest): guests/NAME/fetch makes or downloads them.
 */
#ifndef MONITOR_RUN_GUEST_FILES_H
#define MONITOR_RUN_GUEST_FILES_H

#include <limits.h>

#include "monitor/run/run.h"

/*
 * Run guests/NAME/fetch, for a guest NAME/VARIANT with that word as its argument, and for another
 * architecture than the simulator's with that; it downloads on first use, and its last line of
 * output names the directory that holds the files. 0, or a negative errno after one line on stderr.
 */
int guest_fetch(const char *guest, const char *arch, char dir[PATH_MAX]);

/* What the guest in this directory was made to be, as its file `hash` says; "": there is none. */
void guest_hash(const char *dir, char hash[GUEST_HASH_BYTES]);

/*
 * Set r->guest_hash, and r->guest_kernel, guest_initrd and guest_disk to the files of the guest that the options name,
 * except those that the options replace. Every guest has a kernel; one that boots without an initrd
 * or a root disk has none. 0, or a negative errno after one line on stderr.
 */
int find_guest(struct run *r);

#endif
