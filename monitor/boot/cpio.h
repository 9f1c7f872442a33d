// SPDX-License-Identifier: MIT
/*
 * Writes small cpio archives in memory: the "newc" format that Linux unpacks as an initial file
 * system (Documentation/driver-api/early-userspace/buffer-format.rst). This is how a VM learns its
 * name, address and command.
 */
#ifndef MONITOR_BOOT_CPIO_H
#define MONITOR_BOOT_CPIO_H

#include <stddef.h>
#include <stdint.h>

struct cpio {
	uint8_t *bytes;
	size_t n;
	unsigned entries;
};

void cpio_directory(struct cpio *c, const char *path);
void cpio_file(struct cpio *c, const char *path, const void *data, size_t bytes);
/* Write the trailer. c->bytes is freed by the caller. */
void cpio_end(struct cpio *c);

#endif
