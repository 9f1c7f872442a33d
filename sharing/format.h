// SPDX-License-Identifier: MIT
/*
 * What kind of file a disk image is, by its first bytes. Disks here are raw: a file of another kind
 * would be taken for a disk without a file system on it. Pure functions; any thread.
 */
#ifndef SHARING_FORMAT_H
#define SHARING_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

enum {
	FORMAT_HEAD_BYTES = 1024
}; /* the first bytes of a file that decide; fewer if it is shorter */

struct disk_format {
	const char *name;   /* "a qcow2 image" */
	const char *remedy; /* a command that makes a raw disk of FILE */
	bool packed; /* a compressed file or an archive, which may well be what a program in the
			       guest reads from a disk that is not its root */
};

/* NULL: nothing that is known, so a raw disk. */
const struct disk_format *disk_format(const void *head, size_t bytes);

#endif
