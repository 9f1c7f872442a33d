// SPDX-License-Identifier: MIT
/*
 * The memory system of the simulated machine: for each CPU a split L1, a unified L2 that includes
 * it, and a TLB; a MESI directory at each line's home node; latencies from the machine's matrix;
 * miss counters for page placement. It holds no data, only where lines are: an access tells how
 * many cycles the CPU stalls. All addresses are machine addresses (`ma`; a frame's is mpn << 12).
 *
 * Caches. True LRU in each set; a free way is filled first. An L1 hit costs nothing and changes
 * nothing but the L1's order; whatever an L1 cannot answer is an access to the L2 and renews the
 * line there. What leaves the L2 leaves both L1s. Instruction caches do not see stores.
 *
 * What an access costs. The CPU is in order and waits for loads and stores alike, so it pays
 * exactly one of these. With r the CPU's node, h the line's home, w the owner's node, M the latency
 * matrix, and the way from a to b T(a,b) = max(0, M[a][b] - M[b][b]) / 2:
 *
 *   L1 hit                    0
 *   L2 hit                    l2_hit_ns
 *   clean at home             M[r][h]
 *   owned by another CPU      T(r,h) + T(h,w) + T(w,r) + M[h][h] + dirty_extra_ns
 *   store to a shared line    M[r][h] + max over the other sharers' nodes s of 2 T(h,s)
 *
 * each rounded to cycles, in the last line its two terms apart. A store hits if the line is
 * Modified, or Exclusive: then it becomes Modified without a message. A store to a shared
 * line is an upgrade if the CPU has the line and a miss if it does not. An Exclusive line costs
 * others what a Modified one does: the home cannot know and must ask (Laudon and Lenoski, "The SGI
 * Origin", ISCA 1997). An instruction fetch or a page walk is a read. Every replacement tells the
 * directory (Kuskin et al., "The Stanford FLASH", ISCA 1994: replacement hints), so it is exact;
 * neither that nor a write-back stalls a CPU.
 *
 * Phases and threads. In the run phase host threads simulate different tasks (a VM is one) at the
 * same time; which CPU works for which task is fixed for the quantum (memsys_quantum()). A frame is
 * *owned* by one task or by none; that too changes only at the boundary (memsys_own()). A CPU may
 * access frames of its own task and frames without owner, no others.
 *
 * Frames of its own task: the protocol acts at once, on the directory and on the caches of the
 * task's CPUs. Copies left behind in the cache of a CPU that works for another task or for none
 * leave the directory at once, but are taken from that cache (or downgraded) at the boundary.
 *
 * Frames without owner: the request is answered, and priced, from the directory as it was at the
 * last boundary. A read gets the line Shared (never Exclusive), a store gets it Modified, and what
 * that does to the directory and to other caches happens at the boundary. The CPU itself listed
 * there as owner counts as clean: it has written the line back since.
 *
 * A line that a cache drops leaves the directory at once if its frame is owned by the CPU's task,
 * else at the boundary.
 *
 * memsys_boundary() applies the deferred operations: CPU by CPU, each CPU's in its order. So
 * nothing a thread reads is written by another, and no result depends on which thread ran what, or
 * when. Frames shared between VMs are read-only to them, which makes the delay harmless; a store to
 * one is defined all the same. Between memsys_boundary() and memsys_quantum() one thread alone
 * calls, any CPU may access any frame, and everything acts at once. In use:
 *
 *   c = memsys_cpu(ms, n)                   once a quantum, for the vCPU on CPU n
 *   budget -= memsys_data(c, ma, write)     each access that crosses no L1 line
 *   budget -= memsys_fetch(c, ma)           each line of code entered
 *
 * Contention (memsys_options) lets requests wait for each other at the home's controller (upgrades,
 * write-backs and DMA lines are requests too) and, if they come from another node, at its network
 * port. How long is computed at each boundary from the requests of the quantum before and holds for
 * the next: see memsys_queue_cycles().
 */
#ifndef NUMA_MEMSYS_MEMSYS_H
#define NUMA_MEMSYS_MEMSYS_H

#include "numa/machine/machine.h"
#include "numa/util.h"

#define MEMSYS_NO_TASK ((uint16_t)0xffff) /* tasks are numbered 0 .. 0xfffe */

enum memsys_stall {
	STALL_L2,
	STALL_LOCAL,   /* misses to the CPU's own node, whichever cache or memory answered */
	STALL_REMOTE,  /* misses to another home */
	STALL_UPGRADE, /* stores to lines the CPU had Shared */
	STALL_TLB,     /* refills, and all stalls of page walks */
	STALL_QUEUE,   /* contention, in addition to the above */
	MEMSYS_STALLS
};
extern const char *const memsys_stall_name[MEMSYS_STALLS];

/* Of one CPU, since the start. An L2 miss is in exactly one of local .. remote_dirty. */
struct memsys_counts {
	uint64_t fetches, reads, writes, walks; /* accesses */
	uint64_t l1i_misses, l1d_misses;
	uint64_t local, remote;             /* L2 misses by home; memory had the line */
	uint64_t local_dirty, remote_dirty; /* L2 misses by home; another CPU owned the line */
	uint64_t upgrades;
	uint64_t invalidations; /* lines other CPUs, DMA or a move took from this CPU's L2 */
	uint64_t write_backs;   /* Modified lines it dropped, or gave up for others to read */
	uint64_t tlb_misses;
	uint64_t dma_reads, dma_writes; /* lines that I/O on this CPU's behalf read and wrote */
	uint64_t hot_dropped;           /* hot signals that found the log full */
	uint64_t stall[MEMSYS_STALLS];
};

struct memsys_cache {
	uint64_t *first;     /* most recently used line of each set: its address | flags, or ~0 */
	uint64_t set_mask;   /* sets - 1 */
	uint64_t line_bytes; /* at least 8: a line's address leaves three bits for flags */
	unsigned shift;      /* log2 line_bytes */
	unsigned ways;
	uint64_t *rest; /* the other ways - 1 lines of each set, most recent first */
};
#define MEMSYS_L1_WRITABLE 1ull /* the L2 has it Modified */

struct memsys_cpu {
	struct memsys_cache l1d, l1i;
	struct memsys_counts n;
	/* Private to numa/memsys/: */
	struct memsys_cache l2;
	struct memsys *ms;
	unsigned id, node;
	uint16_t task;
	uint32_t until_sample;
	struct memsys_tlb *tlb;
	struct memsys_log *log;
};

struct memsys_options {
	uint32_t hot_trigger; /* misses of one node to one frame that make it hot; 0: never */
	uint32_t sample;      /* count only each CPU's every n-th event; 0 is 1 */
	bool contention;
};

/* Caches empty, counters zero, at a boundary. The machine is read now and not kept. */
struct memsys *memsys_create(const struct machine *m, const struct memsys_options *o);
void memsys_destroy(struct memsys *ms);

/* A CPU, valid until memsys_destroy(). In the run phase only the thread of its task may use it. */
struct memsys_cpu *memsys_cpu(struct memsys *ms, unsigned cpu);

/* ---- accesses: run phase or boundary */

/* memsys_data() and memsys_fetch() after the L1's most recent line did not match; not for others.
 */
unsigned memsys_data_slow(struct memsys_cpu *c, uint64_t ma, bool write);
unsigned memsys_fetch_slow(struct memsys_cpu *c, uint64_t ma);

/* A load, store or atomic (a write) within one L1 line. Returns the cycles it stalls. */
static inline unsigned memsys_data(struct memsys_cpu *c, uint64_t ma, bool write)
{
	uint64_t e = c->l1d.first[ma >> c->l1d.shift & c->l1d.set_mask];

	if (write)
		c->n.writes++;
	else
		c->n.reads++;
	if (likely((e ^ ma) < c->l1d.line_bytes) && (!write || likely(e & MEMSYS_L1_WRITABLE)))
		return 0;
	return memsys_data_slow(c, ma, write);
}

/* Instructions within one L1 line; a fetch is counted each time. */
static inline unsigned memsys_fetch(struct memsys_cpu *c, uint64_t ma)
{
	uint64_t e = c->l1i.first[ma >> c->l1i.shift & c->l1i.set_mask];

	c->n.fetches++;
	if (likely((e ^ ma) < c->l1i.line_bytes))
		return 0;
	return memsys_fetch_slow(c, ma);
}

/* Instructions from byte `first` to byte `last`, if that is one line, the most recent of its set:
 * counted, free, and true. Otherwise nothing was done: memsys_fetch() line by line. */
static inline bool memsys_fetch_hit(struct memsys_cpu *c, uint64_t first, uint64_t last)
{
	uint64_t e = c->l1i.first[first >> c->l1i.shift & c->l1i.set_mask];

	if (unlikely(((e ^ first) | (e ^ last)) >= c->l1i.line_bytes))
		return false;
	c->n.fetches++;
	return true;
}

/* A page walk's read of one entry: as a data read, but counted as a walk and its stall as the
 * TLB's. */
unsigned memsys_walk(struct memsys_cpu *c, uint64_t ma);

/*
 * The CPU reads a frame and writes another, or writes one, or reads one, line by line (of the L1):
 * a page copied, zeroed, compared. Counted as that many reads and writes. Returns the stall alone;
 * the instructions it takes are the caller's to charge.
 */
uint64_t memsys_copy_page(struct memsys_cpu *c, uint32_t to_mpn, uint32_t from_mpn);
uint64_t memsys_zero_page(struct memsys_cpu *c, uint32_t mpn);
uint64_t memsys_read_page(struct memsys_cpu *c, uint32_t mpn);

/*
 * An I/O controller on `node` writes (to_memory) or reads [ma, ma + bytes), on behalf of c: in the
 * run phase its task's rights apply. Written lines leave every cache; read ones that a CPU owns
 * become Shared. Stalls no CPU; returns the cycles the transfer takes: the first line's latency
 * from `node`, and controller_ns for each other line (their latencies overlap). At least one byte,
 * all within memory. Not counted as misses of a frame.
 */
uint64_t memsys_dma(
	struct memsys_cpu *c, unsigned node, uint64_t ma, uint64_t bytes, bool to_memory);

/* ---- TLB: run phase or boundary */

/*
 * Asked only when the engine's own table of translations misses. The engine keeps no translation
 * that is not in the modelled TLB: it drops the victim's pages from its table, so that whatever
 * that table finds is a modelled hit, which is free on both sides. That works because replacement
 * is first in, first out in each set and needs no work on a hit. (The R10000 leaves the choice to
 * software; MIPS systems take it from the Random register, which does not look at hits either.)
 *
 * context: anything that tells address spaces apart; order: log2 of the pages the page-table leaf
 * maps. On a miss the translation is entered, the victim told (pages = 0: there was none), and
 * cost.tlb_refill counted as stall: the caller charges it, walks by memsys_walk(), and forgets
 * the victim. A page pair's entry holds both halves, as a MIPS refill loads both.
 */
struct memsys_tlb_victim {
	uint64_t context;
	uint64_t vpn; /* first page */
	uint64_t pages;
};
bool memsys_tlb_access(struct memsys_cpu *c, uint64_t context, uint64_t vpn, unsigned order,
	struct memsys_tlb_victim *evicted);
/* Forget all; one context; whatever maps this page in this context. */
void memsys_tlb_flush(struct memsys_cpu *c);
void memsys_tlb_flush_context(struct memsys_cpu *c, uint64_t context);
void memsys_tlb_flush_page(struct memsys_cpu *c, uint64_t context, uint64_t vpn);

/* ---- time: the single thread between quanta */

/* End of a quantum of `elapsed_cycles` cycles: apply the deferred operations. Call first at the
 * boundary. */
void memsys_boundary(struct memsys *ms, uint64_t elapsed_cycles);
/* A quantum begins. CPU n works for task_of_cpu[n]; with MEMSYS_NO_TASK it makes no access. */
void memsys_quantum(struct memsys *ms, const uint16_t *task_of_cpu);

/*
 * Wait of a request for a server (controller or network port of a home) that others use: they send
 * `requests` in `elapsed` cycles, each of `customers` CPUs one at a time, each occupying it for
 * `service` cycles; `wait` is what they waited then. Between its requests a customer spends
 * Z = customers * elapsed / requests - wait cycles apart from waiting, and with W it meets the
 * other customers' load rho = (customers - 1) * service / (Z + W). The mean wait of a queue with
 * constant service, W = service * rho / (2 (1 - rho)), then gives W = (sqrt(B^2 + 2 (customers - 1)
 * service^2) - B) / 2 with B = Z - (customers - 1) service which is 0 for one customer and
 * (customers - 1) * service when all do nothing but ask. All whole numbers, so the same on every
 * host.
 */
uint64_t memsys_queue_cycles(
	uint64_t customers, uint64_t requests, uint64_t elapsed, uint64_t service, uint64_t wait);

/* ---- frames: boundary */

/*
 * Give a frame to a task, or to none (MEMSYS_NO_TASK, as all are at first). To be told before a
 * quantum in which another task, or more than one, may access the frame: when a frame is set aside
 * for a VM, becomes shared, becomes exclusive, or is freed.
 */
void memsys_own(struct memsys *ms, uint32_t mpn, uint16_t task);

uint16_t memsys_owner(const struct memsys *ms, uint32_t mpn);

/* The frame's contents have moved or are gone: remove its lines from all caches, and reset its miss
 * counters. Charges no CPU. */
void memsys_frame_moved(struct memsys *ms, uint32_t mpn);

/* All caches and the directory are empty, as after running without the model. Charges no CPU. */
void memsys_flush(struct memsys *ms);

/*
 * Miss counters, kept by the home for each frame as FLASH's MAGIC did (SOSP 1997, section 4.2.3):
 * L2 misses by the node of the CPU, and stores the home was asked for (misses and upgrades),
 * each saturating at 65535. Monitor's own accesses count like any; DMA does not.
 */
unsigned memsys_frame_misses(const struct memsys *ms, uint32_t mpn, unsigned node);
unsigned memsys_frame_writes(const struct memsys *ms, uint32_t mpn);
/* Also run phase, for a frame of the caller's task. */
void memsys_frame_reset(struct memsys *ms, uint32_t mpn);
/* Every frame's: the reset interval of the policy. Takes time by frames ever counted. */
void memsys_frames_reset(struct memsys *ms);

/*
 * The hot signal: when a frame's counter of a node that is not its home reaches the trigger, twice
 * that, four times and so on (until reset), this is appended to the log of the CPU that missed. So
 * a page that was left where it is comes up again, ever more rarely. MEMSYS_HOT_MAX a CPU; beyond,
 * dropped and counted.
 */
enum { MEMSYS_HOT_MAX = 1024 };
struct memsys_hot {
	uint32_t mpn;
	uint32_t node;
};
/* A CPU's signals, oldest first; *n of them, valid until the next quantum. */
const struct memsys_hot *memsys_hot(const struct memsys *ms, unsigned cpu, unsigned *n);
void memsys_hot_clear(struct memsys *ms);

/* ---- queries: boundary */

const struct memsys_counts *memsys_counts(const struct memsys *ms, unsigned cpu);

/* Requests that home `node` has served so far, and of these those from other nodes. */
struct memsys_home {
	uint64_t requests, remote_requests;
	uint64_t controller_wait, link_wait; /* cycles, as of now; 0 without contention */
};
struct memsys_home memsys_home(const struct memsys *ms, unsigned node);

/* MESI state of a line in a CPU's L2. */
enum memsys_state { LINE_INVALID, LINE_SHARED, LINE_EXCLUSIVE, LINE_MODIFIED };
enum memsys_state memsys_state(const struct memsys *ms, unsigned cpu, uint64_t ma);
/* What the directory says: the CPUs that have the line, cpu n in bit n % 64 of set[n / 64]; true:
 * the only one owns it (Exclusive or Modified). */
bool memsys_sharers(const struct memsys *ms, uint64_t ma, uint64_t set[2]);

/* die() unless directory and caches agree, L2s include L1s, and owners are alone. */
void memsys_check(const struct memsys *ms);

#endif
