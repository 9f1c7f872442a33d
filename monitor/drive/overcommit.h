// SPDX-License-Identifier: MIT
/*
 * VMs with more memory than the machine has (`--overcommit`). While machine memory is plentiful
 * nothing happens. When it becomes short, guests are asked by their balloons to do without what
 * they say they can, in proportion; when it is plentiful again they get it back. A first touch that
 * finds no frame waits for one instead of ending the VM.
 */
#ifndef MONITOR_DRIVE_OVERCOMMIT_H
#define MONITOR_DRIVE_OVERCOMMIT_H

#include "monitor/run/run.h"

/* At each boundary. */
void overcommit_boundary(struct run *r);

#endif
