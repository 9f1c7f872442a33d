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
plot_fn plot_sharing;        /* the share matrix */
plot_fn plot_misses;         /* local and remote misses over time */
plot_fn plot_stall;          /* how each VM's CPU time divides */
plot_fn plot_pages;          /* on which node each page is */
plot_fn plot_compare;        /* of an array of statistics: run time (cli/compare.c) */
plot_fn plot_compare_memory; /* the same: machine memory by kind */

/*
 * A key that `disco plot` adds to the root of a statistics file: the number, from 1, of the region
 * of interest that the picture is to show; misses and stall know it.
 */
#define PLOT_REGION "plot_region"
struct plot_span {
	double from, to; /* cycles */
};
/* When the regions of interest were, the first REGIONS_MAX into span[]: how many. */
unsigned plot_regions(const json_t *root, struct plot_span *span);
/* Where `bars` bars stand side by side, every Nth has room for its name: N. */
size_t plot_every(size_t bars);

/* Is it the name of a picture, by its end? */
bool plot_is_picture(const char *name);
/* Of a statistics file, the last snapshot before power-off; NULL: it has none. */
const json_t *plot_last_snapshot(const json_t *run);
/* Can pictures be drawn here? 0, or a negative errno after one line on stderr. */
int plot_check(void);
/* Draw to a .png or .svg, whole or not at all. 0, or a negative errno after one line on stderr. */
int plot_draw(plot_fn *script, const json_t *root, const char *from, const char *output);

/* For scripts: a string as gnuplot reads it, one line; and how stalls look in every picture. */
void plot_quoted(FILE *out, const char *text);
extern const char *const plot_stall_colour[MEMSYS_STALLS];
extern const char *const plot_stall_title[MEMSYS_STALLS];

/* Colours that people tell apart whatever colours they see: Okabe and Ito, "Color Universal Design"
 * (2008); and greys for what is of no interest. */
#define PLOT_BLACK       "#000000"
#define PLOT_ORANGE      "#e69f00"
#define PLOT_SKY         "#56b4e9"
#define PLOT_GREEN       "#009e73"
#define PLOT_YELLOW      "#f0e442"
#define PLOT_BLUE        "#0072b2"
#define PLOT_RED         "#d55e00"
#define PLOT_PURPLE      "#cc79a7"
#define PLOT_GREY        "#999999"
#define PLOT_PALE        "#dddddd"
#define PLOT_BUSY_COLOUR PLOT_PALE

/* A number with the three digits that matter, in `text`, which is returned. */
enum { PLOT_NUMBER = 32 };
const char *plot_number(char text[PLOT_NUMBER], double v);

/*
 * A string broken at its spaces into lines of at most `width` characters, where its words allow:
 * how many lines; the longest word; and as gnuplot reads it.
 */
unsigned plot_lines(const char *text, unsigned width);
unsigned plot_longest_word(const char *text);
void plot_wrapped(FILE *out, const char *text, unsigned width);

#endif
