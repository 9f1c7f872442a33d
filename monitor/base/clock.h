// SPDX-License-Identifier: MIT
/*
 * The host's clock. It is for people and for pacing alone: what it tells may reach no guest, and of
 * the statistics only their `host` object.
 */
#ifndef MONITOR_BASE_CLOCK_H
#define MONITOR_BASE_CLOCK_H

/* Seconds since some fixed moment, never going back. Any thread. */
double host_seconds(void);

#endif
