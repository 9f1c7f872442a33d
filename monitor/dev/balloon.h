// SPDX-License-Identifier: MIT
/*
 * What the monitor may ask of a VM's balloon device (monitor/dev/virtio-balloon.c), and what it
 * knows of the guest by it. All at the boundary.
 */
#ifndef MONITOR_DEV_BALLOON_H
#define MONITOR_DEV_BALLOON_H

#include <stdbool.h>
#include <stdint.h>

struct vm;
struct device;

/* reporting: offer free page reporting, by which the guest's free memory comes back unasked. */
struct device *virtio_balloon_create(struct vm *vm, unsigned slot, bool reporting);

struct balloon_state {
	bool live;         /* the guest has a driver */
	uint32_t target;   /* pages the guest is asked to do without */
	uint32_t held;     /* pages it says it does without */
	uint64_t taken;    /* pages put into the balloon so far */
	uint64_t reported; /* free pages that came back unasked so far */
	/* What the guest says it could do without, in pages, at most its memory; UINT32_MAX: it has
	 * not said. */
	uint32_t available;
};
struct balloon_state balloon_state(const struct device *d);
/* Ask the guest to give up `pages` pages. */
void balloon_set_target(struct device *d, uint32_t pages);
/* Ask what it could do without; the answer comes some time later. */
void balloon_ask(struct device *d);

#endif
