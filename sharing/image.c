// SPDX-License-Identifier: MIT
/*
 * The global buffer cache: see image.h. Each image has a table with one number a block, the frame
 * that holds it plus one, so that the table's untouched part costs nothing. When machine memory
 * runs out, a clock hand passes over all images in order of opening and gives back the frames that
 * only the cache still uses; the host's file has their contents.
 *
 * A file that VMs share must not change under them: an image holds a shared flock, and a private
 * disk (sharing/disk.c) an exclusive one. Programs that know no locks may rewrite it all the same:
 * then blocks not yet in memory would be of another file than those that are, and reading them
 * fails.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sharing/image.h"

struct image_cache {
	struct memory *mem;
	struct image **image; /* in order of opening */
	unsigned n_images;
	uint32_t serial;
	/* The clock hand: the next block to examine. */
	unsigned hand_image;
	uint32_t hand_block;
};

struct image {
	struct image_cache *cache;
	char *name;
	unsigned refs;
	int fd;     /* -1: the bytes are in `data`, or come from `source` */
	void *data; /* of image_from_bytes() */
	image_source *source;
	void *source_arg;
	dev_t dev;
	ino_t ino;
	struct timespec written; /* the file's time of modification when it was opened */
	bool device;             /* a block device, which has no such time */
	bool changed;            /* the file is not what was opened, and a line has said so */
	uint64_t bytes;
	uint32_t n_blocks;
	uint32_t *block;   /* frame + 1, or 0: not in memory; lazily backed */
	uint64_t n_placed; /* blocks whose node frame_place() chose */
	enum frame_kind kind;
	uint32_t owner;
	struct image_stats stats;
};

static struct frame_user block_user(const struct image *img, uint32_t index)
{
	return (struct frame_user){.owner = img->owner, .page = index};
}

static void forget_block(struct image *img, uint32_t index)
{
	uint32_t mpn = img->block[index] - 1;

	img->block[index] = 0;
	img->stats.blocks_cached--;
	frame_del_user(img->cache->mem, mpn, block_user(img, index));
}

/* memory->reclaim: free up to `want` frames that no VM maps. */
static uint32_t cache_reclaim(void *arg, uint32_t want)
{
	struct image_cache *c = arg;
	uint32_t freed = 0, start = c->hand_block;

	/* Once round, and the part of the first image before the hand. */
	for (unsigned i = 0; c->n_images && i <= c->n_images; i++) {
		struct image *img = c->image[c->hand_image];
		uint32_t end = i < c->n_images ? img->n_blocks : start;

		for (; img->stats.blocks_cached && c->hand_block < end; c->hand_block++) {
			uint32_t held = img->block[c->hand_block];

			if (freed == want)
				return freed;
			if (held && frame_users(c->mem, held - 1) == 1) {
				forget_block(img, c->hand_block);
				freed++;
			}
		}
		if (i == c->n_images)
			break;
		c->hand_image = (c->hand_image + 1) % c->n_images;
		c->hand_block = 0;
	}
	return freed;
}

struct image_cache *image_cache_create(struct memory *mem)
{
	struct image_cache *c = xcalloc(1, sizeof(*c));

	c->mem = mem;
	mem->reclaim = cache_reclaim;
	mem->reclaim_arg = c;
	return c;
}

void image_cache_destroy(struct image_cache *c)
{
	if (!c)
		return;
	if (c->n_images)
		die("image %s is still open", c->image[0]->name);
	c->mem->reclaim = NULL;
	free(c->image);
	free(c);
}

struct memory *image_cache_memory(struct image_cache *c)
{
	return c->mem;
}

/* An image of no bytes still has a table: the host maps nothing of size 0. */
static size_t table_bytes(const struct image *img)
{
	return MAX(img->n_blocks, 1u) * sizeof(img->block[0]);
}

static void block_moved(void *arg, uint32_t index, uint32_t from, uint32_t to)
{
	struct image *img = arg;

	if (img->block[index] != from + 1)
		die("image %s: block %u is not in frame %u, which moves", img->name, index, from);
	img->block[index] = to + 1;
}

static uint64_t check_blocks(const void *arg)
{
	const struct image *img = arg;
	const struct memory *mem = img->cache->mem;
	uint64_t cached = 0;

	for (uint32_t b = 0; b < img->n_blocks; b++) {
		if (!img->block[b])
			continue;
		if (img->block[b] > mem->n_frames ||
			!frame_has_user(mem, img->block[b] - 1, block_user(img, b)))
			die("image %s: block %u is in frame %u, which does not know it", img->name,
				b, img->block[b] - 1);
		cached++;
	}
	if (cached != img->stats.blocks_cached)
		die("image %s: %llu blocks are in memory, counted %llu", img->name,
			(unsigned long long)cached, (unsigned long long)img->stats.blocks_cached);
	return cached;
}

static const struct frame_owner_ops owner_ops = {.moved = block_moved, .check = check_blocks};

static struct image *image_add(
	struct image_cache *c, const char *name, uint64_t bytes, enum frame_kind kind)
{
	struct image *img = xcalloc(1, sizeof(*img));

	img->cache = c;
	img->name = xstrdup(name);
	img->refs = 1;
	img->fd = -1;
	img->bytes = bytes;
	img->n_blocks = (uint32_t)((bytes + PAGE_SIZE - 1) >> PAGE_SHIFT);
	img->block = lazy_alloc(table_bytes(img));
	img->kind = kind;
	img->owner = OWNER_IMAGE | (c->serial++ & 0x3fffffff);
	memory_add_owner(c->mem, img->owner, &owner_ops, img);
	c->image = xrealloc(c->image, (c->n_images + 1) * sizeof(c->image[0]));
	c->image[c->n_images++] = img;
	return img;
}

int image_open(struct image_cache *c, const char *path, enum frame_kind kind, struct image **out)
{
	struct stat st;
	struct image *img;
	off_t bytes;
	int fd, err;

	/* An open file stays what it was, and later openings may not be permitted. */
	for (unsigned i = 0; i < c->n_images; i++) {
		img = c->image[i];
		if (img->fd >= 0 && !strcmp(img->name, path)) {
			img->refs++;
			*out = img;
			return 0;
		}
	}
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return complain(errno, "%s: %s", path, strerror(errno));
	if (fstat(fd, &st) || (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))) {
		err = complain(EINVAL, "%s: not a regular file or block device", path);
		goto fail;
	}
	for (unsigned i = 0; i < c->n_images; i++) {
		img = c->image[i];
		if (img->fd >= 0 && img->dev == st.st_dev && img->ino == st.st_ino) {
			close(fd);
			img->refs++;
			*out = img;
			return 0;
		}
	}
	bytes = lseek(fd, 0, SEEK_END);
	if (bytes <= 0) {
		err = complain(EINVAL, "%s: empty", path);
		goto fail;
	}
	if ((uint64_t)bytes >> PAGE_SHIFT >= MPN_NONE) {
		err = complain(EFBIG, "%s: more than 16 TiB", path);
		goto fail;
	}
	/* A file system without locks is no reason not to read from it. */
	if (flock(fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK) {
		err = complain(
			EBUSY, "%s: in use as a private disk, so it may change; not shared", path);
		goto fail;
	}
	img = image_add(c, path, (uint64_t)bytes, kind);
	img->fd = fd;
	img->dev = st.st_dev;
	img->ino = st.st_ino;
	img->written = st.st_mtim;
	img->device = S_ISBLK(st.st_mode);
	*out = img;
	return 0;
fail:
	close(fd);
	return err;
}

struct image *image_from_bytes(struct image_cache *c, const char *name, const void *data,
	uint64_t bytes, enum frame_kind kind)
{
	struct image *img = image_add(c, name, bytes, kind);

	img->data = xcalloc(bytes, 1);
	memcpy(img->data, data, bytes);
	return img;
}

struct image *image_from_source(struct image_cache *c, const char *name, uint64_t bytes,
	enum frame_kind kind, image_source *source, void *arg)
{
	struct image *img = image_add(c, name, bytes, kind);

	img->source = source;
	img->source_arg = arg;
	return img;
}

void image_close(struct image *img)
{
	struct image_cache *c;
	unsigned i;

	if (!img || --img->refs)
		return;
	c = img->cache;
	for (uint32_t b = 0; img->stats.blocks_cached; b++)
		if (img->block[b])
			forget_block(img, b);
	memory_del_owner(c->mem, img->owner);
	for (i = 0; c->image[i] != img; i++)
		;
	memmove(&c->image[i], &c->image[i + 1], (--c->n_images - i) * sizeof(c->image[0]));
	c->hand_image = c->hand_block = 0;
	if (img->fd >= 0)
		close(img->fd);
	lazy_free(img->block, table_bytes(img));
	free(img->data);
	free(img->name);
	free(img);
}

uint64_t image_bytes(const struct image *img)
{
	return img->bytes;
}

const char *image_name(const struct image *img)
{
	return img->name;
}

const struct image_stats *image_stats(const struct image *img)
{
	return &img->stats;
}

/* Asked after reading: what was read before a write is as good as what is in memory. */
static bool is_unchanged(struct image *img)
{
	struct stat st;

	if (img->device || img->changed)
		return !img->changed;
	if (!fstat(img->fd, &st) && (uint64_t)st.st_size == img->bytes &&
		st.st_mtim.tv_sec == img->written.tv_sec &&
		st.st_mtim.tv_nsec == img->written.tv_nsec)
		return true;
	img->changed = true;
	complain(0, "%s: rewritten while VMs use it; what they have not read yet fails from now on",
		img->name);
	return false;
}

int image_read(struct image *img, uint64_t offset, void *buf, uint64_t bytes)
{
	char *to = buf;

	if (offset > img->bytes || bytes > img->bytes - offset)
		return -ERANGE;
	if (img->source)
		return -EINVAL;
	if (img->fd < 0) {
		memcpy(to, (const char *)img->data + offset, bytes);
		return 0;
	}
	while (bytes) {
		ssize_t n = pread(img->fd, to, bytes, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) { /* 0: the file has shrunk since it was opened */
			is_unchanged(img);
			return -EIO;
		}
		to += n;
		offset += (uint64_t)n;
		bytes -= (uint64_t)n;
	}
	return is_unchanged(img) ? 0 : -EIO;
}

/* A whole block, zero-padded. */
static int read_block(struct image *img, uint32_t index, char *to)
{
	uint64_t offset = (uint64_t)index << PAGE_SHIFT;
	uint64_t bytes = MIN(img->bytes - offset, (uint64_t)PAGE_SIZE);

	if (img->source)
		return img->source(img->source_arg, index, to);
	memset(to + bytes, 0, PAGE_SIZE - bytes);
	return image_read(img, offset, to, bytes);
}

int image_block(struct image *img, uint32_t index, unsigned node, uint32_t *mpn, bool *was_cached)
{
	struct memory *mem = img->cache->mem;
	int err;

	if (index >= img->n_blocks)
		return -ERANGE;
	if (was_cached)
		*was_cached = img->block[index] != 0;
	if (img->block[index]) {
		*mpn = img->block[index] - 1;
		img->stats.hits++;
		return 0;
	}
	node = frame_place(mem, block_user(img, index), node, &img->n_placed);
	*mpn = frame_alloc(mem, node, img->kind, false);
	if (*mpn == MPN_NONE)
		return -ENOMEM;
	frame_add_user(mem, *mpn, block_user(img, index));
	err = read_block(img, index, frame_data(mem, *mpn));
	if (err) {
		frame_del_user(mem, *mpn, block_user(img, index));
		return err;
	}
	img->block[index] = *mpn + 1;
	img->stats.blocks_cached++;
	img->stats.blocks_read++;
	return 0;
}
