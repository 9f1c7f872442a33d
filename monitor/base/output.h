// SPDX-License-Identifier: MIT
/*
 * What the program writes arrives, or its exit status says that it did not. Standard output is
 * closed and checked when the program ends; a file appears under its name whole or not at all.
 */
#ifndef MONITOR_BASE_OUTPUT_H
#define MONITOR_BASE_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

/*
 * Call first in main(). Standard descriptors that are closed are opened on /dev/null, so that no
 * file of ours gets their numbers; standard output in such a way that writing to it fails. A file
 * size limit becomes an error of the write that reaches it (EFBIG), not a signal. exit() of status
 * 0 becomes 1, after one line on stderr, if standard output lost anything.
 */
void output_begin(void);

/*
 * fclose(), and with `sync` not before the file is on the disk. 0, or a negative errno if that or
 * any write to it before failed.
 */
int output_close_stream(FILE *f, bool sync);

struct output {
	FILE *file;
	char *name, *temporary;
};

/* The later `name` as a temporary file beside it. 0, or a negative errno after one line. */
int output_open(struct output *o, const char *name);
/*
 * After output_open() succeeded, once. With `keep`, the file takes its name when all of it is on
 * the disk: 0, or a negative errno after one line. Without, it goes away: 0.
 */
int output_close(struct output *o, bool keep);

#endif
