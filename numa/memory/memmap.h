// SPDX-License-Identifier: MIT
/*
 * The inside of the memmap, for the files that share it: numa/memory/frame.c (pools and users), numa/memory/move.c
 * (copies and moves), numa/policy/placement.c, and numa/memory/pmap.c with numa/memory/reserve.c and numa/memory/superpage.c (frames set
 * aside for a VM, and the few operations that are allowed in the run phase, where a VM's thread may touch only what no other VM can
 * reach). Nobody else includes this.
 */
#ifndef NUMA_MEMORY_MEMMAP_H
#define NUMA_MEMORY_MEMMAP_H

#include "numa/memory/frame.h"

struct pmap;
struct run;
struct user_set;

enum {
	FRAME_DIRTY = 1,      /* not known to be zero; kept for free and reserved frames */
	FRAME_REPLICATED = 2, /* a master: it has copies on other nodes, all with the same bytes */
	FRAME_COLLAPSED = 4,  /* was a master until a store in the run phase; its copies are stale,
				 seen by no CPU, and freed at the next boundary */
	FRAME_PINNED = 8,
};

struct frame {
	union {
		struct frame_user one; /* n_users == 1 */
		struct user_set *many; /* n_users > 1 */
		uint32_t next;         /* free: the next free frame of the node, or MPN_NONE */
		uint32_t master;       /* FRAME_REPLICA: the frame this is a copy of */
	};
	uint32_t n_users;
	uint8_t kind;   /* enum frame_kind */
	uint8_t flags;  /* FRAME_DIRTY ... */
	uint8_t moves;  /* see frame_moves() */
	uint8_t recent; /* moves since memory_new_interval() */
};
_Static_assert(sizeof(struct frame) == 16, "the memmap costs 16 bytes a frame");

/* The copies of one master. */
struct replicas {
	uint32_t n; /* copies, the master not counted */
	struct {
		uint32_t copy; /* on this node, or MPN_NONE */
		uint32_t view; /* what this node's CPUs use: the nearest of copies and master */
	} node[];
};

struct pool {
	uint32_t first, n; /* frames first .. first + n - 1 */
	uint32_t used;     /* frames ever handed out; those beyond have an all-zero record */
	uint32_t free;     /* head of the list of freed frames */
	uint32_t n_dirty;  /* dirty frames on that list, and in runs */
	uint32_t hand;     /* where to look for the next copy to give back */
	uint32_t in_runs;  /* reserved frames left over from superpage runs (superpage.c) */
	uint32_t kind[FRAME_KINDS]; /* relaxed atomics: the run phase turns reserved into private */
};

struct owner {
	uint32_t id;
	const struct frame_owner_ops *ops;
	void *arg;
};

struct memory_private {
	struct frame *frame;
	struct replicas **replicas; /* by master; lazily backed; valid where its flags say so */
	uint16_t *pins;             /* by frame; lazily backed; valid where FRAME_PINNED */
	struct pool pool[MACHINE_MAX_NODES];
	uint8_t order[MACHINE_MAX_NODES][MACHINE_MAX_NODES]; /* nodes by distance from each */
	uint8_t rank[MACHINE_MAX_NODES][MACHINE_MAX_NODES];  /* how many nodes are nearer to one */
	uint64_t set_bytes;                                  /* heap taken by user sets */
	uint64_t replica_bytes;                              /* and by tables of copies */
	uint64_t n_dels;      /* users removed so far; wraps harmlessly */
	uint64_t futile_dels; /* n_dels when the cache last had nothing to give back ... */
	bool futile;          /* ... if it had not */
	struct run *runs;     /* by stretch of frames, lazily backed; NULL: no runs are taken */
	struct pmap *pmaps;   /* in order of creation; numa/memory/pmap.c keeps this list */
	struct owner *owner;  /* by id */
	unsigned n_owners;
	place_fn *place;
	const void *place_arg;
	struct move_stats moves;
};

/*
 * Set a frame of `node`, or of the nearest node that has one, aside as FRAME_RESERVED; gives copies
 * back and reclaims, but does not take from the reserves of VMs. Its bytes need not be zero yet.
 * For the VM with this id. MPN_NONE: none left. Boundary.
 */
uint32_t frame_reserve(struct memory *mem, unsigned node, uint32_t owner);
/* Give a reserved frame back to its pool. Boundary. */
void frame_unreserve(struct memory *mem, uint32_t mpn);
/* The first of n neighbours that were never used, reserved for the VM `owner`: the node's frames
 * are counted from its first, and it is a multiple of n. MPN_NONE: there are none. Boundary. */
uint32_t frame_reserve_run(struct memory *mem, unsigned node, uint32_t n, uint32_t owner);
/* Turn a reserved frame into a private one with its first user. Run phase, by the reserve's VM. */
void frame_take_reserved(struct memory *mem, uint32_t mpn, struct frame_user user, bool zero);

/* A frame of `node` and no other, without making room for it, or MPN_NONE. Boundary. */
uint32_t frame_take_exact(struct memory *mem, unsigned node, enum frame_kind kind);
/* Tell mem->owned whose this frame is, as its users or its master's say. Boundary. */
void frame_tell_owned(struct memory *mem, uint32_t mpn);
/* Two frames of one VM change kinds. Run phase, by that VM. */
void frame_swap_kind(struct memory *mem, uint32_t a, uint32_t b);
/* Back to its pool, users or not; its copies must be gone. Boundary. */
void frame_free(struct memory *mem, uint32_t mpn);

/* The i-th nearest node to `node` (the 0th is `node` itself). Run phase. */
unsigned memory_nearest(const struct memory *mem, unsigned node, unsigned i);

/* How many pages `owner` uses over the whole machine: a walk, for pmap_check(). */
uint64_t memory_count_owner(const struct memory *mem, uint32_t owner);
const struct owner *memory_owner(const struct memory *mem, uint32_t id);

/* ---- numa/memory/move.c ---- */

/* Free every copy of mpn, with no word to any owner: nobody uses them. Boundary. */
void replicas_drop(struct memory *mem, uint32_t mpn);
/* Free one copy on `node`, telling the master's users. False: the node has none. Boundary. */
bool replicas_give_back(struct memory *mem, unsigned node);
/*
 * A store ends the replication of a private frame: what `node` saw is the page from now on and
 * returned; the stale copies wait for replicas_settle(), and the caller shoots them down first, by
 * replicas_each(). Run phase, by the VM that alone maps the frame.
 */
uint32_t replicas_collapse(struct memory *mem, uint32_t mpn, unsigned node);
/* At the next boundary, with what replicas_collapse() returned. */
void replicas_settle(struct memory *mem, uint32_t mpn);
/* fn() with each copy of mpn, by node. Run phase. */
void replicas_each(
	const struct memory *mem, uint32_t mpn, void (*fn)(void *arg, uint32_t copy), void *arg);
/* For memory_check(): what mpn is as a master or a copy is consistent, or die(). */
void replicas_check(const struct memory *mem, uint32_t mpn);

/* ---- numa/memory/superpage.c ---- */

/* A frame on `node` for the page in frame mpn, or for a copy of it: its place in a run, if one VM
 * alone uses it. MPN_NONE: it has none. Boundary. */
uint32_t run_take_for(struct memory *mem, uint32_t mpn, unsigned node, enum frame_kind kind);
/* A frame is freed: does it stay its page's place in a run? Then it is to be reserved. Boundary. */
bool run_keep(struct memory *mem, uint32_t mpn);
/* Break up a run on `node`, so that the pool has frames. False: there is none. Boundary. */
bool runs_give_back(struct memory *mem, unsigned node);
void runs_destroy(struct memory *mem);
/* For memory_check(). */
void runs_check(const struct memory *mem);

/* ---- numa/memory/pmap.c ---- */

/* pmap_settle() of every VM, in order. */
void pmap_settle_all(struct memory *mem);
/* Take frames of VMs' reserves back when the pools are empty; how many. */
uint32_t pmap_steal(struct memory *mem);

#endif
