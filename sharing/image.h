// SPDX-License-Identifier: MIT
/*
 * The global buffer cache: for each file that VMs boot from or use as a disk, which of its 4 KiB
 * blocks are in machine memory, and where. The paper keeps a B-tree per disk keyed by sector range;
 * a flat array of frame numbers, lazily backed by the host, answers the same question in one load
 * (4 bytes a block).
 *
 * Opening the same file twice (same device and inode) gives the same image, so a kernel booted by
 * eight VMs is one copy. The cache is itself a user (owner OWNER_IMAGE | serial number) of each
 * frame it holds; frames that only the cache uses are given back when the machine is full.
 * Everything here is for the boundary (see numa/memory/frame.h).
 */
#ifndef SHARING_IMAGE_H
#define SHARING_IMAGE_H

#include "numa/memory/frame.h"
#include "numa/memory/pmap.h"

struct image_cache; /* all images of one machine */
struct image;

struct image_cache *image_cache_create(struct memory *mem);
void image_cache_destroy(struct image_cache *c); /* every image must be closed */
struct memory *image_cache_memory(struct image_cache *c);

/*
 * Open `path` read-only as an image whose blocks are of `kind` (FRAME_TEXT or FRAME_CACHE). Counts
 * references. The first opening decides the kind. 0, or a negative errno after one line on stderr
 * (missing, not a regular file or block device, empty, in use as a private disk).
 */
int image_open(struct image_cache *c, const char *path, enum frame_kind kind, struct image **out);
/* The same over bytes in memory (copied), for boot blobs made by the monitor. Never shared by name.
 */
struct image *image_from_bytes(struct image_cache *c, const char *name, const void *data,
	uint64_t bytes, enum frame_kind kind);
/*
 * The same over what `source` gives when a block is first wanted: it fills the PAGE_SIZE bytes at
 * `to` with block `index`, zero-padded, and returns 0 or a negative errno, which image_block() then
 * returns. It must not take or free frames. image_read() refuses such an image (-EINVAL).
 */
typedef int image_source(void *arg, uint32_t index, void *to);
struct image *image_from_source(struct image_cache *c, const char *name, uint64_t bytes,
	enum frame_kind kind, image_source *source, void *arg);
void image_close(struct image *img);

uint64_t image_bytes(const struct image *img);
const char *image_name(const struct image *img);

/*
 * The frame that holds block `index` (4 KiB units; the last one zero-padded), read from the file on
 * first use into memory of `node`. 0, -EIO (file shrank, read error), -ENOMEM, -ERANGE.
 * *was_cached (may be NULL) says whether it was in memory already.
 */
int image_block(struct image *img, uint32_t index, unsigned node, uint32_t *mpn, bool *was_cached);

/* Copy part of an image, without putting it into the cache: for reading headers. 0, -EIO, -ERANGE.
 */
int image_read(struct image *img, uint64_t offset, void *buf, uint64_t bytes);

struct image_stats {
	uint64_t blocks_cached; /* frames held now */
	uint64_t blocks_read;   /* read from the host's file */
	uint64_t hits;          /* image_block() answered from memory */
};
const struct image_stats *image_stats(const struct image *img);

#endif
