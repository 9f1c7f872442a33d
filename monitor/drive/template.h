// SPDX-License-Identifier: MIT
/*
 * Cloning VMs from one that has booted, the template (`disco run --warm`). Boundary.
 */
#ifndef MONITOR_DRIVE_TEMPLATE_H
#define MONITOR_DRIVE_TEMPLATE_H

#include "monitor/run/run.h"

/* vm0 says that it is ready to be cloned: make the others. r->error if they cannot be made. */
void template_ready(struct run *r);
/* Send guest g the rest of what it is told, as far as its stream takes it. */
void template_send(struct guest *g);

#endif
