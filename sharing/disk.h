// SPDX-License-Identifier: MIT
/*
 * Virtual disks as sequences of pages. The kinds (paper, section 4.2.2, has the first two):
 *
 *   shared: copy-on-write and non-persistent. Every VM opens the same image; what a VM writes stays
 *   in frames of its own and is gone with it. A read that covers whole pages maps the frame that is
 *   already in memory, read-only, and copies nothing.
 *
 *   private: exclusive and persistent. One VM; writes go through to the file. After a flush they
 *   are on stable storage.
 *
 *   ro: like shared, but writes are refused.
 *
 *   scratch: like private, but its file has no name, is all zeroes at first and is gone with the
 *   disk. It is a disk of the machine as any other, so it takes none of the machine's memory; what
 *   was written takes the host's.
 *
 * A disk knows nothing of virtio: the device model hands it lists of guest pages. All calls are for
 * the boundary (see numa/memory/frame.h).
 */
#ifndef SHARING_DISK_H
#define SHARING_DISK_H

#include "numa/memory/pmap.h"
#include "sharing/image.h"

enum disk_mode { DISK_SHARED, DISK_PRIVATE, DISK_RO, DISK_SCRATCH };
enum { SECTOR_SIZE = 512 };

struct disk; /* one VM's use of one image or file */

/*
 * owner: unique id for back-maps, OWNER_DISK | n, chosen by the caller.
 * 0, or a negative errno after one line on stderr: missing, no permission, size not a multiple of
 * 512 (rounded down with no complaint for shared and ro), already open private by another process
 * (flock).
 */
int disk_open(struct image_cache *c, const char *path, enum disk_mode mode, uint32_t owner,
	struct disk **out);
/* A scratch disk of `bytes` bytes, a multiple of 512. 0, or a negative errno after one line on
 * stderr: the host gives no file. */
int disk_open_scratch(struct image_cache *c, uint64_t bytes, struct disk **out);
/* Whether reads and writes of whole pages map frames, as they do at first, or copy as a machine
 * without a common buffer cache does: a block read leaves nothing in memory but the guest's copy.
 */
void disk_set_sharing(struct disk *d, bool on);
void disk_close(struct disk *d);

/*
 * Make d, a disk just opened on the same image, hold what `from` holds: modified blocks stay in
 * their frames, which both now use and which the next write to either leaves behind. Not for
 * disks that have one user (die()).
 */
void disk_clone(struct disk *d, const struct disk *from);
/* Whether disks of this mode have one user: private and scratch. */
bool disk_has_one_user(enum disk_mode mode);

uint64_t disk_sectors(const struct disk *d);
enum disk_mode disk_mode(const struct disk *d);
const char *disk_path(const struct disk *d);

/* One contiguous run of guest physical memory, bounds already checked by the caller against the
 * pmap. */
struct disk_segment {
	uint64_t pa_offset; /* from the start of the VM's memory: ppn = pa_offset >> 12 */
	uint32_t bytes;     /* multiple of 512 */
};

/*
 * Transfer between sectors starting at `sector` and the segments in order. The total is a multiple
 * of 512 and must lie in the disk, else -ERANGE with nothing done. Whole pages aligned in both disk
 * and memory are mapped, not copied, on shared and ro disks. `node`: where new frames are taken. 0,
 * -EIO, -ENOMEM, -EROFS (write to ro), -ERANGE.
 */
int disk_read(struct disk *d, struct pmap *pm, unsigned node, uint64_t sector,
	const struct disk_segment *seg, unsigned n);
int disk_write(struct disk *d, struct pmap *pm, unsigned node, uint64_t sector,
	const struct disk_segment *seg, unsigned n);
/* Returns when all earlier writes are on stable storage (private; nothing to do for the others).
 * 0 or -EIO. */
int disk_flush(struct disk *d);

struct disk_stats {
	uint64_t reads, writes, flushes; /* requests */
	uint64_t bytes_read, bytes_written;
	uint64_t pages_mapped;  /* read by mapping a frame that was in memory */
	uint64_t pages_filled;  /* read by mapping a frame just filled from the file */
	uint64_t bytes_copied;  /* read or written by copying */
	uint64_t pages_private; /* shared: modified blocks held in frames now */
	uint64_t pages_held;    /* scratch: blocks written, held in the host's memory */
};
const struct disk_stats *disk_stats(const struct disk *d);

#endif
