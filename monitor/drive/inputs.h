// SPDX-License-Identifier: MIT
/*
 * What reaches a run from outside: the terminal, `disco console`, signals, the host's clock.
 * Boundary.
 */
#ifndef MONITOR_DRIVE_INPUTS_H
#define MONITOR_DRIVE_INPUTS_H

#include "monitor/run/run.h"

/* Make r->inputs, catch signals and listen. 0, or a negative errno after one line on stderr;
 * inputs_close() in either case. */
int inputs_open(struct run *r);
/* Give the terminal back and stop listening; nothing happens if it has been done. */
void inputs_close(struct run *r);
/* A descriptor of the directory that the run's socket is in; between the two above. */
int inputs_dir(const struct run *r);
/* New console output of guest g goes to the terminal and the clients that watch it. */
void inputs_show(struct run *r, const struct guest *g, const char *bytes, size_t n);
/* Take input and honour time limits; with idle_cycles, sleep as a real machine would. */
void inputs_poll(struct run *r, uint64_t idle_cycles);

#endif
