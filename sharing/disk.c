// SPDX-License-Identifier: MIT
/*
 * Virtual disks: see disk.h. A shared disk is an image plus an overlay of the blocks this VM
 * modified: a sparse table in two levels, its leaves made when first written. A transfer is cut
 * into pieces that cross neither a page of memory nor a block of the disk; a piece that is all of
 * both is done by mapping, in either direction, and any other by copying.
 *
 * Frames are made safe before anything that may allocate, for that may evict a cached block that no
 * VM maps: the guest's page is looked up first, the block last.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "numa/memory/move.h"
#include "sharing/disk.h"

enum {
	LEAF_SHIFT = 10,
	LEAF_BLOCKS = 1 << LEAF_SHIFT, /* a leaf is 4 KiB and covers 4 MiB of disk */
	IOV_BATCH = 64
};

struct disk {
	enum disk_mode mode;
	char *path;
	struct memory *mem;
	uint64_t n_sectors;
	uint32_t owner;
	uint32_t vm;        /* owner of the pmap whose request is under way */
	struct image *img;  /* shared, ro */
	uint32_t **overlay; /* shared: leaves of frame + 1, or 0: as in the image */
	int fd;             /* private, scratch; else -1 */
	uint8_t *held;      /* scratch: a bit for each block, whether it was written */
	bool sharing;
	struct disk_stats stats;
};

struct piece {
	uint32_t ppn, page_offset;
	uint32_t block, block_offset;
	uint32_t bytes;
};

/* ---- opening ----------------------------------------------------------------------------- */

static int open_private(struct disk *d)
{
	struct stat st;
	off_t bytes;
	int err;

	d->fd = open(d->path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (d->fd < 0)
		return complain(errno, "%s: %s", d->path, strerror(errno));
	if (fstat(d->fd, &st) || (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)))
		return complain(EINVAL, "%s: not a regular file or block device", d->path);
	bytes = lseek(d->fd, 0, SEEK_END);
	if (bytes <= 0 || bytes % SECTOR_SIZE)
		return complain(EINVAL,
			"%s: a private disk must be a multiple of 512 bytes long, not %lld",
			d->path, (long long)bytes);
	if (flock(d->fd, LOCK_EX | LOCK_NB)) {
		err = errno;
		return err == EWOULDBLOCK
			       ? complain(EBUSY,
					 "%s: in use by another disk or process; a "
					 "private disk has one user",
					 d->path)
			       : complain(err, "%s: cannot be locked: %s", d->path, strerror(err));
	}
	d->n_sectors = (uint64_t)bytes / SECTOR_SIZE;
	return 0;
}

static struct frame_user block_user(const struct disk *d, uint32_t block)
{
	return (struct frame_user){.owner = d->owner, .page = block};
}

static void block_moved(void *arg, uint32_t block, uint32_t from, uint32_t to)
{
	struct disk *d = arg;
	uint32_t *slot = &d->overlay[block >> LEAF_SHIFT][block & (LEAF_BLOCKS - 1)];

	if (*slot != from + 1)
		die("disk %s: block %u is not in frame %u, which moves", d->path, block, from);
	*slot = to + 1;
}

static uint64_t n_blocks(const struct disk *d)
{
	return (image_bytes(d->img) + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

static uint64_t check_overlay(const void *arg)
{
	const struct disk *d = arg;
	uint64_t modified = 0;

	for (uint32_t block = 0; block < n_blocks(d); block++) {
		const uint32_t *leaf = d->overlay[block >> LEAF_SHIFT];
		uint32_t held = leaf ? leaf[block & (LEAF_BLOCKS - 1)] : 0;

		if (!held)
			continue;
		if (held > d->mem->n_frames ||
			!frame_has_user(d->mem, held - 1, block_user(d, block)))
			die("disk %s: block %u is in frame %u, which does not know it", d->path,
				block, held - 1);
		modified++;
	}
	if (modified != d->stats.pages_private)
		die("disk %s: %llu blocks are modified, counted %llu", d->path,
			(unsigned long long)modified, (unsigned long long)d->stats.pages_private);
	return modified;
}

static const struct frame_owner_ops owner_ops = {.moved = block_moved, .check = check_overlay};

static int open_image(struct disk *d, struct image_cache *c)
{
	int err = image_open(c, d->path, FRAME_CACHE, &d->img);

	if (err)
		return err;
	/* A file's last part of a block is followed by zeroes: no byte of it is out of reach. */
	d->n_sectors = n_blocks(d) * (PAGE_SIZE / SECTOR_SIZE);
	if (d->mode == DISK_SHARED) {
		d->overlay = xcalloc(
			(n_blocks(d) + LEAF_BLOCKS - 1) >> LEAF_SHIFT, sizeof(d->overlay[0]));
		memory_add_owner(d->mem, d->owner, &owner_ops, d);
	}
	return 0;
}

static int open_scratch(struct disk *d, uint64_t bytes)
{
	d->fd = memfd_create("disco-scratch", MFD_CLOEXEC);
	if (d->fd < 0 || ftruncate(d->fd, (off_t)bytes))
		return complain(errno, "a scratch disk of %llu bytes: %s",
			(unsigned long long)bytes, strerror(errno));
	d->n_sectors = bytes / SECTOR_SIZE;
	d->held = xcalloc((bytes >> PAGE_SHIFT) / 8 + 1, 1);
	return 0;
}

static struct disk *new_disk(
	struct image_cache *c, const char *path, enum disk_mode mode, uint32_t owner)
{
	struct disk *d = xcalloc(1, sizeof(*d));

	d->mode = mode;
	d->path = xstrdup(path);
	d->mem = image_cache_memory(c);
	d->owner = owner;
	d->fd = -1;
	d->sharing = true;
	return d;
}

static int opened(struct disk *d, int err, struct disk **out)
{
	if (err)
		disk_close(d);
	else
		*out = d;
	return err;
}

int disk_open(struct image_cache *c, const char *path, enum disk_mode mode, uint32_t owner,
	struct disk **out)
{
	struct disk *d = new_disk(c, path, mode, owner);

	return opened(d, mode == DISK_PRIVATE ? open_private(d) : open_image(d, c), out);
}

int disk_open_scratch(struct image_cache *c, uint64_t bytes, struct disk **out)
{
	struct disk *d = new_disk(c, "scratch", DISK_SCRATCH, 0);

	return opened(d, open_scratch(d, bytes), out);
}

void disk_set_sharing(struct disk *d, bool on)
{
	d->sharing = on;
}

void disk_close(struct disk *d)
{
	if (!d)
		return;
	for (uint32_t leaf = 0; d->stats.pages_private; leaf++) {
		for (uint32_t i = 0; d->overlay[leaf] && i < LEAF_BLOCKS; i++) {
			if (!d->overlay[leaf][i])
				continue;
			frame_del_user(d->mem, d->overlay[leaf][i] - 1,
				block_user(d, leaf << LEAF_SHIFT | i));
			d->stats.pages_private--;
		}
	}
	if (d->overlay) {
		for (uint64_t leaf = 0; leaf << LEAF_SHIFT < n_blocks(d); leaf++)
			free(d->overlay[leaf]);
		free(d->overlay);
		memory_del_owner(d->mem, d->owner);
	}
	image_close(d->img);
	if (d->fd >= 0)
		close(d->fd);
	free(d->held);
	free(d->path);
	free(d);
}

uint64_t disk_sectors(const struct disk *d)
{
	return d->n_sectors;
}

enum disk_mode disk_mode(const struct disk *d)
{
	return d->mode;
}

bool disk_has_one_user(enum disk_mode mode)
{
	return mode == DISK_PRIVATE || mode == DISK_SCRATCH;
}

const char *disk_path(const struct disk *d)
{
	return d->path;
}

const struct disk_stats *disk_stats(const struct disk *d)
{
	return &d->stats;
}

/* ---- overlay ----------------------------------------------------------------------------- */

/* Frame + 1 of a modified block, or 0. */
static uint32_t overlay_get(const struct disk *d, uint32_t block)
{
	const uint32_t *leaf = d->overlay ? d->overlay[block >> LEAF_SHIFT] : NULL;

	return leaf ? leaf[block & (LEAF_BLOCKS - 1)] : 0;
}

/* Make mpn, of which the disk is a user already, the contents of `block`. */
static void overlay_put(struct disk *d, uint32_t block, uint32_t mpn)
{
	uint32_t **leaf = &d->overlay[block >> LEAF_SHIFT], *slot, old;

	if (!*leaf)
		*leaf = xcalloc(LEAF_BLOCKS, sizeof(**leaf));
	slot = &(*leaf)[block & (LEAF_BLOCKS - 1)];
	old = *slot - 1;
	*slot = mpn + 1;
	if (old == MPN_NONE) {
		d->stats.pages_private++;
		return;
	}
	/* What only the guest's memory still uses is the guest's, and no longer the disk's. */
	if (frame_users(d->mem, old) == 2 && frame_kind(d->mem, old) == FRAME_DISK) {
		frame_del_user(d->mem, old, block_user(d, block));
		if (owner_is_vm(frame_user(d->mem, old, 0).owner))
			frame_set_kind(d->mem, old, FRAME_PRIVATE);
		return;
	}
	frame_del_user(d->mem, old, block_user(d, block));
}

/* The frame that holds a block as this VM sees it. May allocate. */
static int block_frame(
	struct disk *d, uint32_t block, unsigned node, uint32_t *mpn, bool *in_memory)
{
	uint32_t held = overlay_get(d, block);

	if (!held) {
		int err = image_block(d->img, block, node, mpn, in_memory);

		if (!err && !*in_memory)
			memory_dma(d->mem, d->vm, frame_data(d->mem, *mpn), PAGE_SIZE, true);
		return err;
	}
	*mpn = held - 1;
	*in_memory = true;
	return 0;
}

/* By a device, from machine memory to machine memory. */
static void copy(const struct disk *d, void *to, const void *from, uint32_t bytes)
{
	memory_dma(d->mem, d->vm, from, bytes, false);
	memory_dma(d->mem, d->vm, to, bytes, true);
	memcpy(to, from, bytes);
}

/* Part of a block, as this VM sees it, to buf in machine memory. May allocate. */
static int block_copy(
	struct disk *d, uint32_t block, uint32_t offset, void *buf, uint32_t bytes, unsigned node)
{
	bool in_memory;
	uint32_t mpn;
	int err;

	if (!d->sharing && !overlay_get(d, block)) {
		uint64_t from = ((uint64_t)block << PAGE_SHIFT) + offset;
		uint64_t end = MAX(image_bytes(d->img), from);
		uint32_t there = (uint32_t)MIN((uint64_t)bytes, end - from);

		memory_dma(d->mem, d->vm, buf, bytes, true);
		memset((char *)buf + there, 0, bytes - there);
		return there ? image_read(d->img, from, buf, there) : 0;
	}
	err = block_frame(d, block, node, &mpn, &in_memory);
	if (err)
		return err;
	copy(d, buf, (char *)frame_data(d->mem, mpn) + offset, bytes);
	return 0;
}

/* A frame with the block's contents that is the overlay's alone, so that it may be written to. */
static int block_frame_writable(struct disk *d, uint32_t block, unsigned node, uint32_t *mpn)
{
	uint32_t held = overlay_get(d, block);
	int err;

	if (held && frame_users(d->mem, held - 1) == 1) {
		*mpn = held - 1;
		page_collapse(d->mem, *mpn); /* it is about to be written to in place */
		return 0;
	}
	*mpn = frame_alloc(d->mem, node, FRAME_DISK, true);
	if (*mpn == MPN_NONE)
		return -ENOMEM;
	frame_add_user(d->mem, *mpn, block_user(d, block));
	err = block_copy(d, block, 0, frame_data(d->mem, *mpn), PAGE_SIZE, node);
	if (err) {
		frame_del_user(d->mem, *mpn, block_user(d, block));
		return err;
	}
	overlay_put(d, block, *mpn);
	return 0;
}

void disk_clone(struct disk *d, const struct disk *from)
{
	uint64_t n_blocks;

	if (disk_has_one_user(from->mode) || d->mode != from->mode)
		die("disk %s: has one user", from->path);
	if (!from->overlay)
		return;
	n_blocks = (image_bytes(from->img) + PAGE_SIZE - 1) >> PAGE_SHIFT;
	for (uint32_t leaf = 0; (uint64_t)leaf << LEAF_SHIFT < n_blocks; leaf++) {
		const uint32_t *held = from->overlay[leaf];

		for (uint32_t i = 0; held && i < LEAF_BLOCKS; i++) {
			uint32_t block = leaf << LEAF_SHIFT | i;

			if (!held[i])
				continue;
			frame_add_user(d->mem, held[i] - 1, block_user(d, block));
			overlay_put(d, block, held[i] - 1);
		}
	}
}

/* ---- transfers on shared and ro disks ------------------------------------------------------ */

static int read_piece(struct disk *d, struct pmap *pm, unsigned node, const struct piece *p)
{
	bool in_memory, writable;
	uint32_t mpn;
	void *host;
	int err;

	if (p->bytes == PAGE_SIZE && d->sharing) {
		err = block_frame(d, p->block, node, &mpn, &in_memory);
		if (err)
			return err;
		pmap_share_in(pm, p->ppn, mpn,
			overlay_get(d, p->block) ? FRAME_DISK : frame_kind(d->mem, mpn));
		if (in_memory)
			d->stats.pages_mapped++;
		else
			d->stats.pages_filled++;
		return 0;
	}
	err = pmap_fault(pm, p->ppn, node, true, &host, &writable);
	if (!err)
		err = block_copy(d, p->block, p->block_offset, (char *)host + p->page_offset,
			p->bytes, node);
	if (err)
		return err;
	d->stats.bytes_copied += p->bytes;
	return 0;
}

static int write_piece(struct disk *d, struct pmap *pm, unsigned node, const struct piece *p)
{
	uint32_t mpn;
	bool writable;
	void *host;
	int err;

	if (p->bytes == PAGE_SIZE && d->sharing) {
		mpn = pmap_share_out(pm, p->ppn, node);
		if (mpn == MPN_NONE)
			return -ENOMEM;
		if (overlay_get(d, p->block) == mpn + 1)
			return 0; /* written again unchanged */
		frame_add_user(d->mem, mpn, block_user(d, p->block));
		if (frame_kind(d->mem, mpn) == FRAME_PRIVATE)
			frame_set_kind(d->mem, mpn, FRAME_DISK);
		overlay_put(d, p->block, mpn);
		return 0;
	}
	err = pmap_fault(pm, p->ppn, node, false, &host, &writable);
	if (!err)
		err = block_frame_writable(d, p->block, node, &mpn);
	if (err)
		return err;
	copy(d, (char *)frame_data(d->mem, mpn) + p->block_offset, (char *)host + p->page_offset,
		p->bytes);
	d->stats.bytes_copied += p->bytes;
	return 0;
}

typedef int piece_fn(struct disk *d, struct pmap *pm, unsigned node, const struct piece *p);

static int by_pieces(struct disk *d, struct pmap *pm, unsigned node, uint64_t sector,
	const struct disk_segment *seg, unsigned n, piece_fn *transfer)
{
	uint64_t pos = sector * SECTOR_SIZE;

	for (unsigned i = 0; i < n; i++) {
		uint64_t pa = seg[i].pa_offset, end = pa + seg[i].bytes;

		while (pa < end) {
			struct piece p = {
				.ppn = (uint32_t)(pa >> PAGE_SHIFT),
				.page_offset = pa & (PAGE_SIZE - 1),
				.block = (uint32_t)(pos >> PAGE_SHIFT),
				.block_offset = pos & (PAGE_SIZE - 1),
			};
			uint32_t room = PAGE_SIZE - MAX(p.page_offset, p.block_offset);
			int err;

			p.bytes = (uint32_t)MIN(end - pa, (uint64_t)room);
			err = transfer(d, pm, node, &p);
			if (err)
				return err;
			pa += p.bytes;
			pos += p.bytes;
		}
	}
	return 0;
}

/* ---- transfers on private and scratch disks ------------------------------------------------ */

/* Bytes at pos of a scratch disk were written, or some of them: their blocks take memory. */
static void hold(struct disk *d, uint64_t pos, uint64_t bytes)
{
	for (uint64_t b = pos >> PAGE_SHIFT; bytes && b <= (pos + bytes - 1) >> PAGE_SHIFT; b++) {
		uint8_t bit = (uint8_t)(1u << (b & 7));

		d->stats.pages_held += !(d->held[b / 8] & bit);
		d->held[b / 8] |= bit;
	}
}

/* All of iov at pos, whatever the system does in one call. */
static int file_transfer(int fd, bool write, struct iovec *iov, unsigned n, uint64_t pos)
{
	while (n) {
		ssize_t done = write ? pwritev(fd, iov, (int)n, (off_t)pos)
				     : preadv(fd, iov, (int)n, (off_t)pos);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return -EIO;
		pos += (uint64_t)done;
		while (n && (size_t)done >= iov->iov_len) {
			done -= (ssize_t)iov->iov_len;
			iov++;
			n--;
		}
		if (n) {
			iov->iov_base = (char *)iov->iov_base + done;
			iov->iov_len -= (size_t)done;
		}
	}
	return 0;
}

static int by_file(struct disk *d, struct pmap *pm, unsigned node, uint64_t sector,
	const struct disk_segment *seg, unsigned n, bool write)
{
	struct iovec iov[IOV_BATCH];
	uint64_t pos = sector * SECTOR_SIZE, gathered = 0;
	unsigned used = 0;
	int err;

	for (unsigned i = 0; i < n; i++) {
		uint64_t pa = seg[i].pa_offset, end = pa + seg[i].bytes;

		if (write && d->held)
			hold(d, pos + gathered, seg[i].bytes);
		while (pa < end) {
			uint64_t offset = pa & (PAGE_SIZE - 1),
				 bytes = MIN(end - pa, (uint64_t)PAGE_SIZE - offset);
			bool writable;
			void *host;

			err = pmap_fault(
				pm, (uint32_t)(pa >> PAGE_SHIFT), node, !write, &host, &writable);
			if (err)
				return err;
			iov[used++] = (struct iovec){(char *)host + offset, bytes};
			memory_dma(d->mem, d->vm, (char *)host + offset, bytes, !write);
			pa += bytes;
			gathered += bytes;
			if (used < IOV_BATCH)
				continue;
			err = file_transfer(d->fd, write, iov, used, pos);
			if (err)
				return err;
			pos += gathered;
			gathered = used = 0;
		}
	}
	err = file_transfer(d->fd, write, iov, used, pos);
	if (!err)
		for (unsigned i = 0; i < n; i++)
			d->stats.bytes_copied += seg[i].bytes;
	return err;
}

/* ---- requests ---------------------------------------------------------------------------- */

/* Bytes in all; -ERANGE unless they are whole sectors in the disk and lie in the VM's memory. */
static int check_range(const struct disk *d, const struct pmap *pm, uint64_t sector,
	const struct disk_segment *seg, unsigned n, uint64_t *total)
{
	uint64_t memory = (uint64_t)pmap_pages(pm) << PAGE_SHIFT;

	*total = 0;
	for (unsigned i = 0; i < n; i++) {
		if (seg[i].pa_offset > memory || seg[i].bytes > memory - seg[i].pa_offset)
			return -ERANGE;
		*total += seg[i].bytes;
	}
	if (*total % SECTOR_SIZE || sector > d->n_sectors ||
		*total / SECTOR_SIZE > d->n_sectors - sector)
		return -ERANGE;
	return 0;
}

int disk_read(struct disk *d, struct pmap *pm, unsigned node, uint64_t sector,
	const struct disk_segment *seg, unsigned n)
{
	uint64_t total;
	int err = check_range(d, pm, sector, seg, n, &total);

	if (err)
		return err;
	d->vm = pmap_id(pm);
	d->stats.reads++;
	err = d->fd >= 0 ? by_file(d, pm, node, sector, seg, n, false)
			 : by_pieces(d, pm, node, sector, seg, n, read_piece);
	if (!err)
		d->stats.bytes_read += total;
	return err;
}

int disk_write(struct disk *d, struct pmap *pm, unsigned node, uint64_t sector,
	const struct disk_segment *seg, unsigned n)
{
	uint64_t total;
	int err;

	if (d->mode == DISK_RO)
		return -EROFS;
	err = check_range(d, pm, sector, seg, n, &total);
	if (err)
		return err;
	d->vm = pmap_id(pm);
	d->stats.writes++;
	err = d->fd >= 0 ? by_file(d, pm, node, sector, seg, n, true)
			 : by_pieces(d, pm, node, sector, seg, n, write_piece);
	if (!err)
		d->stats.bytes_written += total;
	return err;
}

int disk_flush(struct disk *d)
{
	d->stats.flushes++;
	if (d->mode != DISK_PRIVATE)
		return 0;
	while (fdatasync(d->fd))
		if (errno != EINTR)
			return -EIO;
	return 0;
}
