// SPDX-License-Identifier: MIT
/*
 * The mechanisms by which virtual machines come to share machine pages. Each can be switched off by
 * itself, so that a run can show its effect; a mechanism that is off copies instead.
 */
#ifndef SHARING_SHARE_H
#define SHARING_SHARE_H

enum share {
	SHARE_BOOT = 1 << 0,    /* pages of the kernel, initrd and firmware that VMs boot */
	SHARE_DISK = 1 << 1,    /* blocks of copy-on-write disks: the global buffer cache */
	SHARE_ZERO = 1 << 2,    /* pages of zeros */
	SHARE_CONTENT = 1 << 3, /* pages found to be identical */
	SHARE_NET = 1 << 4,     /* pages that cross the subnet */
	SHARE_FILES = 1 << 5,   /* pages of files that the monitor serves */
	SHARE_FREE = 1 << 6,    /* pages that guests have freed go back to all */
	SHARE_MECHANISMS = 7,
	SHARE_ALL = (1 << SHARE_MECHANISMS) - 1,
};

/* Their names for users, by number of the bit. */
extern const char *const share_name[SHARE_MECHANISMS];

#endif
