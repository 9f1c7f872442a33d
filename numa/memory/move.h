// SPDX-License-Identifier: MIT
/*
 * Moving pages: migration, replication, and their undoing (paper, section 4.2.3).
 *
 * Replication is a property of a frame and not of one VM's pmap. A *master* may have copies on
 * other nodes, at most one a node. pmap entries, images and disks go on naming the master, and what
 * a CPU uses is frame_view(): the copy on its node, or the nearest. So a frame that many VMs share
 * copy-on-write (hot kernel text, a cached disk block) is copied once a node for all of them.
 *
 * What ends replication: a store to a page that one VM has for itself (collapse); the last user's
 * going; a node running short of frames, which takes its copies back before anything else. A store
 * to a copy-on-write page makes the private copy it makes anyway and leaves the others' replicas.
 *
 * All here is for the boundary. A move takes the target node's free frames only: it never pushes
 * out another copy, or two hot pages could take a node's last frame from each other in turn.
 */
#ifndef NUMA_MEMORY_MOVE_H
#define NUMA_MEMORY_MOVE_H

#include "numa/memory/frame.h"

/*
 * Move a page to `node`: new frame, copy, every user's table changed, shootdown, old frame freed.
 * Of a page with copies the master moves, and the copies stay; a copy on `node` becomes the master,
 * with nothing copied. So a policy can take a page from a node whose CPUs no longer read it.
 * mpn may be any frame, also one freed meanwhile. On 0 *to (may be NULL) is the new frame. Refused,
 * and counted by reason:
 *   -ENOENT   not the master of a page in use   -EPERM   a frame of the monitor's
 *   -EBUSY    pinned                            -EEXIST  the page (the master) is there already
 *   -ENOSPC   the node has no free frame        -ENOTSUP a user's owner is not registered
 */
int page_migrate(struct memory *mem, uint32_t mpn, unsigned node, uint32_t *to);

/* Give `node` a copy of the page of its own. mpn may be the master or any copy. Errors as above. */
int page_replicate(struct memory *mem, uint32_t mpn, unsigned node, uint32_t *to);

/* Block stores to this frame until the current monitor operation completes: its bytes can be copied
 * or compared. Moves do this themselves. */
void frame_write_block(struct memory *mem, uint32_t mpn);

/*
 * Two pages with the same bytes become one: the users of `from` use `to`, copy-on-write, and `from`
 * is freed, with its copies. `to` keeps its kind, but a private one becomes FRAME_SAME. The caller
 * has compared them while their stores were blocked. -EINVAL: one of them is not the master of a
 * page of a guest, or both are the same; -EBUSY: one is pinned; -ENOTSUP: an owner of `from` is
 * not registered.
 */
int page_merge(struct memory *mem, uint32_t from, uint32_t to);

/* Drop all copies, so that the master may be written to in place. Harmless where there are none. */
void page_collapse(struct memory *mem, uint32_t mpn);

/* While pinned (a transfer is under way) a frame stays the page's; the caller that pins it
 * makes sure that it keeps a user. Pins nest, up to 65535. */
void page_pin(struct memory *mem, uint32_t mpn);
void page_unpin(struct memory *mem, uint32_t mpn);
bool frame_pinned(const struct memory *mem, uint32_t mpn);

/* Moves of the page that can go to and fro, migrations and collapses: since its frame was taken, or
 * since memory_new_interval(). At most 255. They stay with the page when it moves. */
unsigned frame_moves(const struct memory *mem, uint32_t mpn);
unsigned frame_recent_moves(const struct memory *mem, uint32_t mpn);
void memory_new_interval(struct memory *mem);

/* Nodes that have the page of this master or copy, as a bit set. Run phase. */
uint64_t frame_nodes(const struct memory *mem, uint32_t mpn);
/* The page's frame on `node`, or MPN_NONE. Run phase. */
uint32_t frame_on(const struct memory *mem, uint32_t mpn, unsigned node);

const struct move_stats *memory_moves(const struct memory *mem);
extern const char *const move_refusal_name[MOVE_REFUSALS];

#endif
