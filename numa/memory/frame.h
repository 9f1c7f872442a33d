// SPDX-License-Identifier: MIT
/*
 * Machine memory: per-node pools of 4 KiB frames, and the memmap, which says for each frame what it
 * holds and who uses it (the paper's memmap, section 4.2.3). A user of a frame is an (owner, page)
 * pair: a pmap and a ppn, or a file image and a block index. These back-maps are what a shootdown
 * or a move walks; the count of users is what keeps a frame alive.
 *
 * Two phases. In the *run phase* several host threads execute, each the vCPUs of one VM at a time;
 * at the *boundary* one thread alone does everything that touches more than one VM. Functions below
 * are for the boundary only, unless they say "run phase": those touch nothing but frames that this
 * VM alone can reach. This is what makes frame numbers independent of host thread timing.
 *
 * A page may be in several frames: a master and its copies on other nodes (numa/memory/move.h).
 * Users, and all code that names a page by a frame, use the master.
 */
#ifndef NUMA_MEMORY_FRAME_H
#define NUMA_MEMORY_FRAME_H

#include <stdint.h>
#include <stdbool.h>

#include "numa/machine/machine.h"
#include "numa/util.h"

enum { PAGE_SHIFT = 12, PAGE_SIZE = 1 << PAGE_SHIFT };
#define MPN_NONE   UINT32_MAX
#define OWNER_NONE UINT32_MAX

enum frame_kind {
	FRAME_FREE,
	FRAME_RESERVED, /* set aside for a VM's next first touches; counted as free in reports */
	FRAME_PRIVATE,  /* one VM's own data, copy-on-write copies included */
	FRAME_TEXT,     /* kernel image, initrd, firmware: a page of a boot file, shared by all that
			   booted it */
	FRAME_CACHE,    /* a disk block as read: the global buffer cache */
	FRAME_DISK,     /* a block that a VM modified on a copy-on-write disk */
	FRAME_CLONED,   /* was one VM's own until others were cloned from it */
	FRAME_MONITOR,  /* the monitor's own: its code, one copy a node */
	FRAME_REPLICA,  /* a node's copy of a page whose master is on another */
	FRAME_SAME,     /* pages found to be identical, of one VM or several (sharing/content.h) */
	FRAME_ZERO,     /* a node's frame of zeroes: what pages are read from that have no frame */
	FRAME_KINDS
};

/* What is true of all frames of a kind. */
struct frame_kind_info {
	const char *name; /* in statistics and messages */
	bool guest;       /* a page of a guest: it has users, can move, get copies, and be merged */
	bool constant;    /* its bytes do not change while it is of this kind */
	bool of_file;     /* a block of a file of the host, which stays the file's */
};
extern const struct frame_kind_info frame_kind_info[FRAME_KINDS];

/* Owners of pages, by id. Each range is used from its first number up by the named part. */
enum owner_range {
	OWNER_VM = 0,             /* pmaps: the VM's id */
	OWNER_IMAGE = 0x80000000, /* images (sharing/image.h) */
	OWNER_DISK = 0xc0000000,  /* disks that VMs write to (sharing/disk.h) */
	OWNER_PACKET = 0xe0000000 /* packets of a subnet (sharing/packet.h) */
};

static inline bool owner_is_vm(uint32_t owner)
{
	return owner < OWNER_IMAGE;
}

struct frame_user {
	uint32_t owner;
	uint32_t page;
};

/*
 * What an owner must do when a frame it uses moves. A frame with a user whose owner has not
 * registered does not migrate. Called at the boundary; must not take or free frames.
 */
struct frame_owner_ops {
	/* `page` is in frame `to` from now on, with the same bytes; `from` is about to be freed. */
	void (*moved)(void *arg, uint32_t page, uint32_t from, uint32_t to);
	/* No CPU may use frame `old` for `page`, though the page is where it was. NULL: none does.
	 */
	void (*forget)(void *arg, uint32_t page, uint32_t old);
	/* `page` has one more copy: for statistics. May be NULL. */
	void (*replicated)(void *arg, uint32_t page);
	/* `page` is in frame `to` from now on, with the same bytes, and so are pages of others: a
	 * store must copy first. from == to: it was there, and the others come. NULL: as moved(),
	 * and nothing where it stays, for an owner that never stores to a frame with other users.
	 * */
	void (*merged)(void *arg, uint32_t page, uint32_t from, uint32_t to);
	/* Block stores to frame `mpn` for `page` until the current monitor operation completes;
	 * loads may continue. For engines whose CPUs also run at the boundary; may be NULL. */
	void (*write_block)(void *arg, uint32_t page, uint32_t mpn);
	/* die() unless each page this owner has is in a frame that knows it as a user; how many it
	 * has. For memory_check_owners(); may be NULL. */
	uint64_t (*check)(const void *arg);
};

/*
 * On which node a new page goes: of the owner and page `user`, first used by a CPU of `node`; `nth`
 * counts the pages this owner had placed before. A node that there is. Called in both phases, on
 * any thread: a pure function of its arguments.
 */
typedef unsigned place_fn(const void *arg, struct frame_user user, unsigned node, uint64_t nth);

enum move_refusal {
	MOVE_GONE,      /* the frame is free, or reserved, or a stale copy by now */
	MOVE_MONITOR,   /* not a guest's */
	MOVE_PINNED,    /* a transfer is under way */
	MOVE_PRESENT,   /* the page is on that node already */
	MOVE_NO_MEMORY, /* the node has no free frame */
	MOVE_OWNER,     /* a user whose owner has not registered */
	MOVE_REFUSALS
};

struct move_stats {
	uint64_t migrations, replications;
	uint64_t collapses;  /* pages whose copies a store or a transfer ended */
	uint64_t given_back; /* copies dropped because their node ran short */
	uint64_t shootdowns; /* (page, frame) pairs that CPUs were made to forget by the above */
	uint64_t refused[MOVE_REFUSALS];
};

struct memory {
	uint8_t *base;  /* host address of machine address 0; lazily backed */
	bool base_lent; /* by the caller of memory_create_at() */
	bool boundary;  /* true while the boundary's single thread runs */
	int give_back;  /* advice for madvise(2) */
	uint32_t n_frames;
	unsigned n_nodes;
	/* Called at the boundary when a pool is empty: give back up to `want` frames that no VM
	 * maps. Set by the buffer cache. Returns how many were freed. */
	uint32_t (*reclaim)(void *arg, uint32_t want);
	void *reclaim_arg;
	/* Called at the boundary before pages are moved: pmap_release_deferred() of every VM, in
	 * order. And when all pools are empty: take frames of the reserves of VMs back; how many.
	 * Both are set by the first pmap; NULL before. */
	void (*release_deferred)(struct memory *mem);
	uint32_t (*steal)(struct memory *mem);
	/* Called at the boundary when a frame comes to be one VM's alone (its pmap's id), to read
	 * and write or in reserve, and when that ends (OWNER_NONE; also again for a frame that was
	 * no VM's). A copy is as its master. For a memory model whose VMs run on different threads;
	 * may be NULL. Must not take or free frames. */
	void (*owned)(void *arg, uint32_t mpn, uint32_t owner);
	/* For the same model, or NULL: a device reads or writes (to_memory) bytes of one frame, for
	 * the VM whose pmap is `owner`: a frame of that VM alone, or one that several may read. Run
	 * phase, by that VM's thread, and boundary. */
	void (*dma)(void *arg, uint32_t owner, uint64_t ma, uint64_t bytes, bool to_memory);
	/* And: the monitor copies a page (MPN_NONE: zeroes) into a new frame of that VM. */
	void (*filled)(void *arg, uint32_t owner, uint32_t from, uint32_t to);
	void *model_arg;
	/* For page placement, or NULL: a move copies a page. Boundary. */
	void (*copied)(void *arg, uint32_t from, uint32_t to);
	void *copied_arg;
	/* Called at the boundary when a frame is freed; may be NULL. Must not take or free frames.
	 */
	void (*freed)(void *arg, uint32_t mpn);
	void *freed_arg;
	/* By node: the frame of zeroes its CPUs read from; MPN_NONE unless memory_share_zero(). */
	uint32_t zero[MACHINE_MAX_NODES];
	struct memory_private *p;
};

/* All free, but for each node's copy of the monitor's code. */
struct memory *memory_create(const struct machine *m);
/* The same in memory of the caller's, zeroes so far, which he frees after memory_destroy().
 * `give_back` is advice for madvise(2) that makes pages of it zero and the host's again. */
struct memory *memory_create_at(const struct machine *m, void *base, int give_back);
void memory_destroy(struct memory *mem);

/* Host address of a frame's 4096 bytes. Run phase. */
static inline void *frame_data(const struct memory *mem, uint32_t mpn)
{
	return mem->base + ((uint64_t)mpn << PAGE_SHIFT);
}

/* The frame a host address lies in; the address must be within machine memory. Run phase. */
static inline uint32_t frame_of(const struct memory *mem, const void *host)
{
	return (uint32_t)((uint64_t)((const uint8_t *)host - mem->base) >> PAGE_SHIFT);
}

/* A device reads or writes bytes of one frame, given by their host address. Say so before or after
 * they are copied, as is easier; run phase. */
static inline void memory_dma(
	const struct memory *mem, uint32_t owner, const void *host, uint64_t bytes, bool to_memory)
{
	if (unlikely(mem->dma != NULL))
		mem->dma(mem->model_arg, owner, (uint64_t)((const uint8_t *)host - mem->base),
			bytes, to_memory);
}

unsigned frame_node(const struct memory *mem, uint32_t mpn);        /* run phase */
enum frame_kind frame_kind(const struct memory *mem, uint32_t mpn); /* run phase */

/* What a CPU of `node` uses for the page whose master is mpn: the copy there, or the nearest. The
 * copies of a page have its bytes, and no CPU or device may store to one. Run phase. */
uint32_t frame_view(const struct memory *mem, uint32_t mpn, unsigned node);
bool frame_replicated(const struct memory *mem, uint32_t mpn); /* has copies; run phase */
/* The master of a copy; any other frame is its own. Run phase. */
uint32_t frame_master(const struct memory *mem, uint32_t mpn);

/*
 * Take a frame of `node`, or of the nearest node (by latency, then number) that has one; a node
 * short of frames gives copies of pages back, in the order of its frames, and when all are empty
 * the cache is asked. So an allocation may end the life of a copy but never of a master. Its bytes
 * are zero if `zero`. No user yet. MPN_NONE: machine memory is exhausted.
 */
uint32_t frame_alloc(struct memory *mem, unsigned node, enum frame_kind kind, bool zero);

/* Back-maps. Removing the last user frees the frame. Users are kept in no particular order. */
void frame_add_user(struct memory *mem, uint32_t mpn, struct frame_user user);
/* n users at once, none of which uses the frame yet: what cloning needs to be quick. */
void frame_add_users(struct memory *mem, uint32_t mpn, const struct frame_user *user, uint32_t n);
void frame_del_user(struct memory *mem, uint32_t mpn, struct frame_user user);
uint32_t frame_users(const struct memory *mem, uint32_t mpn);
struct frame_user frame_user(const struct memory *mem, uint32_t mpn, uint32_t index);
bool frame_has_user(const struct memory *mem, uint32_t mpn, struct frame_user user);
void frame_set_kind(struct memory *mem, uint32_t mpn, enum frame_kind kind);

/* Owners that are to hear of moves; an id is registered once, until removed. */
void memory_add_owner(
	struct memory *mem, uint32_t id, const struct frame_owner_ops *ops, void *arg);
void memory_del_owner(struct memory *mem, uint32_t id);

/*
 * From now on a page of zeroes needs no frame: take a FRAME_ZERO on each node (a node without
 * memory uses the nearest), for good. No CPU or device may store to one. Before any VM is created.
 */
void memory_share_zero(struct memory *mem);
/* Are all bytes of this frame zero? Run phase. */
bool frame_is_zero(const struct memory *mem, uint32_t mpn);

/* Set where new pages go (NULL: on the node that first uses them); before any page is taken. */
void memory_set_placement(struct memory *mem, place_fn *place, const void *arg);
/* The node for a new page `user`; counts it in *nth. Run phase, with the owner's own *nth. */
unsigned frame_place(
	const struct memory *mem, struct frame_user user, unsigned node, uint64_t *nth);
/* May a page go to another node than its first user's? Run phase. */
bool memory_spreads(const struct memory *mem);

/* From now on VMs' pages get neighbouring frames where that costs no VM a frame: see
 * numa/memory/superpage.c.
 * Before any VM is created, and not for engines with a run phase. */
void memory_take_runs(struct memory *mem);

/* Counts of frames, of one node or of all (node < 0). Reserved ones count as free. */
struct memory_usage {
	uint64_t total, free;
	uint64_t ready; /* free for any use: not in a VM's reserve */
	uint64_t kind[FRAME_KINDS];
};
void memory_usage(const struct memory *mem, int node, struct memory_usage *u);

/* Bytes of host memory the pools and the memmap itself take (touched part). */
uint64_t memory_overhead_bytes(const struct memory *mem);

/* Walk everything and die() with a message at the first inconsistency. For tests and debugging. */
void memory_check(const struct memory *mem);
/*
 * die() unless back-maps agree both ways: every owner's pages are in frames that name it as a user,
 * and every user of a frame is an owner that has that page. Calls ops->check of each owner, which
 * checks VMs' memories, images and disks.
 */
void memory_check_owners(const struct memory *mem);

#endif
