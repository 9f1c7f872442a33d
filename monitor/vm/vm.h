// SPDX-License-Identifier: MIT
/*
 * Virtual machines, their vCPUs, and the cluster they form on one machine. All rooms of the monitor
 * share these structs; each field says which thread writes it. "Owner thread" is the host thread
 * that runs the VM in the run phase, or the boundary (see numa/memory/frame.h).
 */
#ifndef MONITOR_VM_VM_H
#define MONITOR_VM_VM_H

#include <signal.h>
#include <stdint.h>
#include <stdbool.h>

#include "numa/machine/machine.h"
#include "numa/memory/frame.h"
#include "numa/memory/pmap.h"
#include "numa/memsys/memsys.h"
#include "numa/policy/placement.h"
#include "monitor/vm/account.h"
#include "monitor/vm/counts.h"
#include "monitor/vm/device.h"
#include "monitor/vm/service.h"

struct board;

enum { VM_MAX_VCPUS = MACHINE_MAX_CPUS, VM_MAX_DEVICES = 64, CLUSTER_MAX_VMS = 1024 };
#define VM_RAM_BASE 0x80000000ull /* on the `virt` board, the simulator's */

enum vm_state {
	VM_RUNNING,
	VM_OFF,    /* the guest powered off; exit_code says how */
	VM_FAILED, /* crashed, or did what no guest may; reason says what */
};

/*
 * The magic instruction `slti x0, x0, N` (guests/mark), by which a program speaks to the monitor: N
 * changes the fidelity, opens or closes a region of interest, or is a label. It takes effect at the
 * next boundary. The VM's vCPUs wait for that, so that all that follows is on the other side.
 */
enum mark {
	MARK_FUNCTIONAL = 1, /* no caches from here on */
	MARK_NUMA = 2,       /* the memory-system model from here on */
	MARK_BEGIN = 3, /* a region of interest opens: its counters run while any VM is in one */
	MARK_END = 4,
	MARK_LABEL = 16, /* this and above: only recorded, with its time */
};
enum { VM_MAX_MARKS = 256 }; /* recorded for the statistics; later ones still act */

struct vm_mark {
	int32_t value;
	uint32_t vcpu;
	uint64_t at; /* cycles */
};

/* Interrupt inputs of a vCPU that devices drive; numbers are the RISC-V mip bits. */
enum vcpu_irq {
	IRQ_S_SOFT = 1,
	IRQ_M_SOFT = 3,
	IRQ_S_TIMER = 5,
	IRQ_M_TIMER = 7,
	IRQ_S_EXT = 9,
	IRQ_M_EXT = 11
};

enum vcpu_state { VCPU_STOPPED, VCPU_RUNNABLE, VCPU_IDLE };

struct vcpu {
	struct vm *vm;
	unsigned id;           /* hart number within the VM */
	enum vcpu_state state; /* owner thread */
	union {                /* the engine's part: registers, soft TLB */
		struct sim_vcpu *sim;
		struct kvm_vcpu *kvm;
	};

	/* Scheduler, boundary only. */
	unsigned cpu;        /* CPU it runs on or last ran on; its node is where first touches go */
	unsigned home;       /* CPU that it was placed on, so where its memory is */
	unsigned vnode;      /* of a virtual NUMA topology, else 0 */
	uint64_t ran_cycles; /* CPU time received */
	uint64_t dispatched_at; /* since when it holds its CPU (cycles) */
	uint64_t migrations;    /* moves to another CPU */

	/*
	 * Its share of what the memory system counts for each CPU: added up when it leaves a CPU,
	 * and when the run ends. model_cycles: of ran_cycles, those in numa fidelity; owner thread.
	 */
	struct memsys_counts counts;
	struct memsys_counts counts_at; /* of its CPU, when it was dispatched */
	uint64_t model_cycles, model_at;
};

struct stream; /* a console's bytes: monitor/vm/console.h */

struct vm {
	struct cluster *cluster;
	unsigned id;
	char name[32];
	const struct board *board; /* where things are in its physical memory: monitor/vm/board.h */
	uint64_t ram_bytes;        /* from board->ram_base on */
	struct pmap *pmap;
	struct content_log *log; /* of pages stored to, for cluster.content; NULL without it */
	unsigned n_vcpus;
	struct vcpu *vcpu; /* n_vcpus of them */
	/* The nodes that the guest is shown, those its vCPUs began on, in order of these; 0: none,
	 * the machine looks uniform. vCPUs stay on their nodes then, and so do first touches. */
	unsigned n_vnodes;
	struct vnode {
		unsigned node;       /* of the machine */
		uint32_t ppn, pages; /* its part of the memory */
	} vnode[MACHINE_MAX_NODES];
	bool bios;     /* starts in M-mode with its own firmware; else in S-mode over our SBI */
	uint64_t seed; /* of this VM; differs between VMs */

	struct device *device[VM_MAX_DEVICES];
	unsigned n_devices;
	bool deferred; /* some device wants io() */

	struct vm_mark mark[VM_MAX_MARKS];
	unsigned n_marks;       /* in all; the first VM_MAX_MARKS are kept */
	unsigned n_marks_acted; /* boundary: have taken effect */
	uint64_t marks_refused; /* executed while ignores_magic; owner thread */
	bool ignores_magic;     /* its magic instructions do nothing, as on other machines */
	unsigned regions;       /* MARK_BEGINs without their MARK_END */

	/* Of the cluster's regions of interest: where its time went in them, and had gone when the
	 * current one began. Boundary. */
	struct account region, region_began;
	/* What its kernel did, and how much of that in the regions. The first: owner thread. */
	struct services services, services_region, services_began;

	struct stream *console; /* the UART's, which the SBI's debug console shares; NULL if none */
	bool htif_reads;        /* a program waits for a character; boundary */

	/* Interrupt controller: device_irq() ends here. Set by the PLIC when it is attached. */
	void (*irq_line)(struct device *plic, unsigned irq, bool level);
	struct device *irq_chip;

	/* Boundary: what its vCPUs counted on the CPUs of each node, and paid for moves of pages.
	 */
	struct tally *on_node;
	uint64_t move_cycles;
	uint64_t interrupted; /* times a CPU that ran it had to forget a mapping; owner thread */

	/* Result; owner thread. */
	enum vm_state state;
	bool reset_wanted; /* the guest asked for a reboot: a power-off with reason "reset" */
	int exit_code;     /* from tohost, the test device or the agent; 0 otherwise */
	char reason[200];  /* why state is VM_FAILED */
	uint64_t started_at, stopped_at; /* cycles */

	union { /* the engine's part: code cache and the like */
		struct sim_vm *sim;
		struct kvm_vm *kvm;
	};
	uint32_t n_tables; /* frames that the engine's tables of translations take */
};

struct cluster {
	const struct machine *machine;
	const struct engine *engine;
	struct kvm_host *kvm; /* the kvm engine's part; NULL under another engine */
	struct memory *mem;
	struct image_cache *images;
	struct subnet *subnet;
	struct gateway *gateway; /* to hosts outside; NULL if the subnet has none */
	/* Scans for zero and identical pages; NULL if neither is shared. content_at and content_ran
	 * are as of its last scan: machine time, and the time all vCPUs have run. */
	struct content *content;
	uint64_t content_at, content_ran;
	enum mode mode; /* how it is virtualized; before any VM is created */
	unsigned share; /* enum share: the mechanisms of sharing that are on */
	unsigned n_vms;
	struct vm **vm;
	/* Of each CPU's time, the hundredths that others than VMs take, when VMs are placed: a
	 * simulated machine has no others. */
	uint8_t busy[MACHINE_MAX_CPUS];
	/*
	 * Fidelity. `numa` is what is wanted; the engine follows at the next boundary. memsys is
	 * the memory system while it is modelled, and stays with its counts afterwards; NULL until
	 * first wanted.
	 */
	bool numa;
	struct region region;                   /* all regions of interest together */
	struct region region_began;             /* running totals when the current one began */
	struct region region_list[REGIONS_MAX]; /* the first ones */
	unsigned n_regions;                     /* in all that have ended */
	uint64_t cpu_cycles[MACHINE_MAX_CPUS]; /* as vcpu.model_cycles, but of the CPUs; boundary */
	bool in_region;
	struct memsys *memsys;
	struct memsys_options memsys_options;
	const char *policy; /* of page placement: NAME[,PARAM=VALUE...]; the options' */
	struct placement
		*placement;   /* moves hot pages; NULL: pages stay where they were first touched */
	uint64_t interrupted; /* CPUs, by moves of pages */
	unsigned handler;     /* CPU + 1 that handles the signal of a hot page now; 0: none */
	struct placement_load load_before; /* memory's load in all, when the policy last asked */
	unsigned threads;                  /* host threads for the run phase */
	bool virtual_numa;     /* VMs see the nodes they are on; before any is created */
	bool waits_for_memory; /* a first touch that finds no frame waits; boundary writes */
	uint64_t now;          /* machine time in cycles; boundary writes, run phase reads */
	uint64_t stop_at;      /* end the run at this machine time (UINT64_MAX: never) */
	bool stop;             /* ask engine to return at the next boundary; boundary writes */
	/* Not 0: the user wants the run to end now, whatever it is doing. What is left of the
	 * quantum's work is not done, and the run ends at this boundary, so nothing can depend on
	 * where it was left. A signal's handler writes; NULL: no signal is waited for. */
	const volatile sig_atomic_t *interrupt;
	/*
	 * Called at each boundary after device work, before the next quantum: progress, console
	 * input, host timeouts; VMs may be added. NULL if not wanted. `idle_cycles` is how far
	 * machine time will jump next because every vCPU is idle (0: none); UINT64_MAX: nothing
	 * will ever happen without input from outside, so wait for it or set stop.
	 */
	void (*at_boundary)(struct cluster *c, void *arg, uint64_t idle_cycles);
	void *at_boundary_arg;
};

/* Any phase, any thread. */
static inline bool cluster_interrupted(const struct cluster *c)
{
	return c->interrupt && *c->interrupt;
}

/* Make a VM with memory, vCPUs (stopped) and an empty bus, and add it to the cluster. Never fails
 * for arguments the command line has checked. Before the run. */
struct vm *vm_create(struct cluster *c, const char *name, unsigned n_vcpus, uint64_t ram_bytes,
	bool bios, uint64_t seed);
void vm_destroy(struct vm *vm);

/* The guest is done for: record why (first reason stays), stop its vCPUs. Owner thread. */
void vm_fail(struct vm *vm, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The guest powered itself off. Owner thread. */
void vm_power_off(struct vm *vm, int exit_code);

/*
 * Walk all bookkeeping of the machine's memory, and die() at the first thing that is not as it
 * should be: frames and their users, VMs' memories, images and disks, the memory system's directory
 * and caches, what the engine's TLBs hold. Changes nothing. Boundary, after the devices' work.
 */
void cluster_check(const struct cluster *c);

/* vnodes.c: nodes for a new VM whose vCPUs have been placed. */
void vm_make_vnodes(struct vm *vm);
/*
 * What the guest is told about its memory as a whole or, with virtual nodes, of each: the i-th
 * range, whose node is *vnode. Where the board has a gap, a node's part may be two. False: there
 * are no more.
 */
bool vm_memory_range(
	const struct vm *vm, unsigned i, uint64_t *pa, uint64_t *bytes, unsigned *vnode);
/* Distance of virtual nodes as firmware tells it: 10 to itself. */
unsigned vm_vnode_distance(const struct vm *vm, unsigned from, unsigned to);

/* The node on which this VM's next page should be taken when no CPU is at hand: that of vCPU 0. */
unsigned vm_home_node(const struct vm *vm);

#endif
