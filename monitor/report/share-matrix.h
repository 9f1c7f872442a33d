// SPDX-License-Identifier: MIT
/*
 * The share matrix: each VM's mapped pages by which VMs else use their frames, at one moment. The
 * frames' back-maps are walked once, so it is cheap enough for every snapshot. Boundary.
 */
#ifndef MONITOR_REPORT_SHARE_MATRIX_H
#define MONITOR_REPORT_SHARE_MATRIX_H

#include <jansson.h>

#include "numa/memory/frame.h"

struct vm;

enum { SHARE_MATRIX_VMS = 16 }; /* the first VMs, listed one by one */

/* One VM's pages. Those up to `zero` add up to all it has mapped. */
struct share_row {
	uint64_t own;         /* in frames without another user, not even a cache */
	uint64_t disk;        /* that no other VM uses, but buffer cache or disk */
	uint64_t first_disk;  /* of the buffer cache, that VM 0 and another use */
	uint64_t first_other; /* other frames that VM 0 and another use */
	uint64_t others;      /* that other VMs use and VM 0 does not */
	uint64_t text;        /* of kernel and boot files, in any number of VMs */
	uint64_t zero;        /* without a frame */
	/* In frames that VM k uses, too, text and zeroes left out; and those of the buffer cache
	 * among them. Of k = this VM: in frames with no other VM. */
	uint64_t with[SHARE_MATRIX_VMS], disk_with[SHARE_MATRIX_VMS];
};

/* An array of n, by VM; the caller frees it. *idle: frames of the buffer cache that no VM maps. */
struct share_row *share_matrix_count(
	const struct memory *mem, struct vm *const *vm, unsigned n, uint64_t *idle);
/* The array of STATS.md, in bytes. */
json_t *share_matrix_json(const struct share_row *s, unsigned n);

#endif
