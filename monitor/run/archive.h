// SPDX-License-Identifier: MIT
/*
 * What a VM reads about itself: name, address, command, directories to mount. It is a small cpio
 * archive of files in disco/, which the init of guests/debian describes.
 */
#ifndef MONITOR_RUN_ARCHIVE_H
#define MONITOR_RUN_ARCHIVE_H

#include "monitor/boot/cpio.h"
#include "monitor/run/run.h"

/* The archive of VM `id`. The caller frees c->bytes. */
void run_archive(const struct run *r, unsigned id, struct cpio *c);

/* The archive that VM `id` finds behind its initrd; empty if the guest has no initrd. The VM that
 * others are cloned from is told its name later, as they are. The caller frees c->bytes. */
void boot_archive(const struct run *r, unsigned id, struct cpio *c);

/* Bits of the subnet's mask. Its last two addresses are the DNS server's and the broadcast. */
unsigned subnet_prefix(const struct run_options *o);

#endif
