// SPDX-License-Identifier: MIT
/*
 * The inside of the memmap, for the files that share it. From the bottom up; each calls only those
 * before it:
 *
 *   pool.c       records of frames, and which are free
 *   users.c      back-maps, and the table of owners
 *   replica.c    copies of a page on other nodes
 *   frame.c      allocation; the life of a frame with its users and copies
 *   move.c       migration, replication, merging
 *   superpage.c  runs of neighbouring frames, set aside for a VM
 *   reserve.c    frames set aside for a VM's first touches in the run phase
 *   pmap.c       one VM's pages
 *
 * Also numa/policy/placement.c. No other file may include this. In the run phase a VM's thread may
 * touch only what no other VM can reach; the few operations that are allowed then say so.
 */
#ifndef NUMA_MEMORY_MEMMAP_H
#define NUMA_MEMORY_MEMMAP_H

#include "numa/memory/frame.h"

struct pmap;
struct superpage_run;
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
	uint32_t hand;     /* where the search for the next copy to give back begins */
	uint32_t in_runs;  /* reserved frames left over from superpage runs (superpage.c) */
	uint32_t kind[FRAME_KINDS]; /* relaxed atomics: the run phase turns reserved into private */
};

struct owner {
	uint32_t id;
	const struct frame_owner_ops *ops;
	void *arg;
};

/* Runs of neighbouring frames (superpage.c), of which the files below it know no more than this.
 * All functions are for the boundary. */
struct superpages {
	/* A frame is freed. True: it stays its page's place in a run, and must become reserved. */
	bool (*keep)(struct memory *mem, uint32_t mpn);
	/* Break up a run on `node`, so that the pool has frames. False: there is none. */
	bool (*give_back)(struct memory *mem, unsigned node);
	/* A frame on `node` for the page in frame mpn, or for a copy of it: its place in a run, if
	 * one VM alone uses the page. MPN_NONE: it has none. */
	uint32_t (*take_for)(struct memory *mem, uint32_t mpn, unsigned node, enum frame_kind kind);
	void (*destroy)(struct memory *mem);
	void (*check)(const struct memory *mem); /* for memory_check() */
	struct superpage_run *run;               /* by stretch of frames, lazily backed */
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
	uint64_t n_dels;               /* users removed so far; wraps harmlessly */
	uint64_t futile_dels;          /* n_dels when the cache last had nothing to give back, or
				 UINT64_MAX */
	struct superpages *superpages; /* NULL: no runs are taken */
	struct pmap *pmaps;  /* in order of creation; numa/memory/pmap.c keeps this list */
	struct owner *owner; /* by id */
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
/* Tell mem->owned that this frame is `owner`'s. Boundary. */
void frame_set_owned(struct memory *mem, uint32_t mpn, uint32_t owner);
/* The same for the owner that its users, or its master's users, say. Boundary. */
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

/* ---- numa/memory/users.c ---- */

/* Enter n users of a frame, none of which uses it yet. How many it had. Boundary. */
uint32_t users_add(struct memory *mem, uint32_t mpn, const struct frame_user *user, uint32_t n);
/* Remove one, which must be there, or die(). How many are left. Boundary. */
uint32_t users_del(struct memory *mem, uint32_t mpn, struct frame_user user);
/* For memory_check(): die() unless each user can be found. The heap bytes of the set. */
uint64_t users_check(const struct memory *mem, uint32_t mpn);

/* ---- numa/memory/replica.c ---- */

/* An empty table of copies for a master that has none. Boundary. */
struct replicas *replicas_new(struct memory *mem, uint32_t master);
/* Free the table. The copies, if any, must be freed by the caller. Boundary. */
void replicas_free(struct memory *mem, uint32_t master);
/* Tell the CPUs of every user of the page to forget frame `old`. Boundary. */
void replicas_forget(struct memory *mem, uint32_t master, uint32_t old);
/* After copies came or went: every node's view, and CPUs forget the frames they used before.
 * Boundary. */
void replicas_update_views(struct memory *mem, uint32_t master);
/* The table `r` of `from` becomes that of `to`, where the master moves. Nodes whose view was `from`
 * get another at once, because an engine may ask for the view when it is told to forget `from`.
 * Boundary. */
void replicas_change_master(struct memory *mem, struct replicas *r, uint32_t from, uint32_t to);
/* Count a move of the page for frame_moves(). Run phase, by the VM that alone maps the frame. */
void frame_count_move(struct frame *f);

/* Free all copies of mpn without telling any owner: no CPU uses them. Boundary. */
void replicas_drop(struct memory *mem, uint32_t mpn);
/* Free one copy on `node` and tell the master's users. False: the node has none. Boundary. */
bool replicas_give_back(struct memory *mem, unsigned node);
/*
 * A store ends the replication of a private frame: what `node` saw is the page from now on and
 * returned; the stale copies wait for replicas_release(), and the caller shoots them down first, by
 * replicas_each(). Run phase, by the VM that alone maps the frame.
 */
uint32_t replicas_collapse(struct memory *mem, uint32_t mpn, unsigned node);
/* At the next boundary, with what replicas_collapse() returned. */
void replicas_release(struct memory *mem, uint32_t mpn);
/* fn() with each copy of mpn, by node. Run phase. */
void replicas_each(
	const struct memory *mem, uint32_t mpn, void (*fn)(void *arg, uint32_t copy), void *arg);
/* For memory_check(): what mpn is as a master or a copy is consistent, or die(). */
void replicas_check(const struct memory *mem, uint32_t mpn);

#endif
