// SPDX-License-Identifier: MIT
/*
 * A directory for tests of exported directories. Its nodes, in the order in which a snapshot
 * numbers them: see enum. Included by one C file of a program.
 */
#ifndef TESTS_FS_FILES_H
#define TESTS_FS_FILES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "numa/memory/frame.h"

enum {
	ROOT = 1,
	ABS,
	EMPTY_DIR,
	BIG,
	EMPTY_FILE,
	LINK,
	SUB,
	DEEP_FILE,
	DEEP_DIR,
	SMALL,
	N_NODES = SMALL
};
enum { BIG_PAGES = 5, BIG_BYTES = 4 * PAGE_SIZE + 100, SMALL_BYTES = 100 };

static char files_dir[64];

/* Every file's bytes are the same function of the offset. */
static inline uint8_t file_byte(uint64_t at)
{
	return (uint8_t)(at * 7 + at / 251 + 1);
}

/* Run a command in the directory; it must succeed. */
static inline void files_shell(const char *command)
{
	char *text = xasprintf("cd %s && set -e && %s", files_dir, command);
	int status = system(text);

	if (status)
		die("'%s' ends with %d", text, status);
	free(text);
}

static inline void make_file(const char *name, unsigned bytes)
{
	char *path = xasprintf("%s/%s", files_dir, name);
	FILE *f = fopen(path, "w");

	if (!f)
		die("cannot write %s", path);
	for (unsigned i = 0; i < bytes; i++)
		putc(file_byte(i), f);
	fclose(f);
	free(path);
}

static inline void make_files(void)
{
	if (!mkdtemp(strcpy(files_dir, "/tmp/disco-files-XXXXXX")))
		die("no temporary directory");
	files_shell(
		"mkdir b sub sub/deep; mkfifo fifo; ln -s sub/small link; ln -s /etc/passwd abs");
	make_file("sub/small", SMALL_BYTES);
	make_file("sub/b", SMALL_BYTES);
	make_file("big", BIG_BYTES);
	make_file("empty", 0);
	files_shell("chmod 640 big; touch -d @1000000000.000000005 big");
}

static inline void remove_files(void)
{
	char *text = xasprintf("rm -rf %s", files_dir);

	if (system(text))
		die("%s", text);
	free(text);
}

/* Ways in which big can change on the host; what keeps its time and size is set back to them. */
#define SAME_TIME "touch -d @1000000000.000000005 big"

static inline void shrink_big(void)
{
	files_shell("truncate -s 100 big; " SAME_TIME);
}

static inline void grow_big(void)
{
	files_shell("truncate -s 1M big; " SAME_TIME);
}

static inline void rewrite_big(void)
{
	files_shell("printf x | dd of=big conv=notrunc status=none");
}

static inline void replace_big(void)
{
	files_shell("cp big new; rm big; mv new big; " SAME_TIME);
}

static inline void remove_big(void)
{
	files_shell("rm big");
}

static inline void big_becomes_link(void)
{
	files_shell("mv big moved; ln -s moved big");
}

#endif
