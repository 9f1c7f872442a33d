// SPDX-License-Identifier: MIT
/*
 * What the guests say on their consoles, and what follows from it. Boundary.
 */
#ifndef MONITOR_DRIVE_AGENT_H
#define MONITOR_DRIVE_AGENT_H

#include "monitor/run/run.h"

/* Take all that the guests have put out, and judge those whose VM has stopped. At each boundary. */
void agent_poll(struct run *r);
/* After the run: print lines that have no end, and judge all guests. */
void agent_finish(struct run *r);

#endif
