// SPDX-License-Identifier: MIT
/*
 * newc archives. Owner root, date zero: equal input gives equal bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/boot/cpio.h"
#include "numa/util.h"

/* Append and pad to four bytes, as the format wants after names and after data. */
static void put(struct cpio *c, const void *data, size_t bytes)
{
	size_t padded = (c->n + bytes + 3) & ~(size_t)3;

	c->bytes = xrealloc(c->bytes, padded);
	memset(c->bytes + c->n, 0, padded - c->n);
	if (bytes)
		memcpy(c->bytes + c->n, data, bytes);
	c->n = padded;
}

static void entry(struct cpio *c, const char *path, unsigned mode, const void *data, size_t bytes)
{
	/* magic, ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor,
	 * rdevminor, namesize, check; then the name with its zero */
	char *head = xasprintf("070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x%s",
		++c->entries, mode, 0, 0, 1, 0, bytes, 0, 0, 0, 0, strlen(path) + 1, 0, path);

	put(c, head, strlen(head) + 1);
	put(c, data, bytes);
	free(head);
}

void cpio_directory(struct cpio *c, const char *path)
{
	entry(c, path, 040755, NULL, 0);
}

void cpio_file(struct cpio *c, const char *path, const void *data, size_t bytes)
{
	entry(c, path, 0100644, data, bytes);
}

void cpio_end(struct cpio *c)
{
	entry(c, "TRAILER!!!", 0, NULL, 0);
}
