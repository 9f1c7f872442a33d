// SPDX-License-Identifier: MIT
/*
 * Pictures of statistics files. Each is a function that reads the JSON and writes a gnuplot script
 * (all but terminal and output); what draws them, and the table of kinds, are `disco plot`.
 */
#ifndef MONITOR_PLOT_PLOT_H
#define MONITOR_PLOT_PLOT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "numa/memsys/memsys.h"

/* 0, or -EINVAL if the file lacks what the picture shows; what was written is then dropped. */
typedef int plot_fn(FILE *out, const json_t *root);

plot_fn plot_memory;         /* virtual against machine memory at each snapshot */
plot_fn plot_sharing;        /* who shares each VM's memory */
plot_fn plot_misses;         /* local and remote misses over time */
plot_fn plot_stall;          /* how each VM's CPU time divides */
plot_fn plot_pages;          /* on which node each page is */
plot_fn plot_compare;        /* of an array of statistics: run time (cli/compare.c) */
plot_fn plot_compare_memory; /* the same: machine memory by kind */

/* Is it the name of a picture, by its end? */
bool plot_is_picture(const char *name);
/* Of a statistics file, the last snapshot before power-off; NULL: it has none. */
const json_t *plot_last_snapshot(const json_t *run);
/* Can pictures be drawn here? 0, or a negative errno after one line on stderr. */
int plot_check(void);
/* Draw to a .png or .svg, whole or not at all. 0, or a negative errno after one line on stderr. */
int plot_draw(plot_fn *script, const json_t *root, const char *from, const char *output);

/* For scripts: a string as gnuplot reads it, and how stalls look in every picture. */
void plot_quoted(FILE *out, const char *text);
extern const char *const plot_stall_colour[MEMSYS_STALLS];
extern const char *const plot_stall_title[MEMSYS_STALLS];
#define PLOT_BUSY_COLOUR "#dddddd"

#endif
