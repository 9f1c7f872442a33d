// SPDX-License-Identifier: MIT
/*
 * What executes vCPUs: `sim` (monitor/engine/sim) or, on a NUMA Linux host, KVM. The engine owns
 * registers, address translation and time; memory, devices and policy are not its business.
 */
#ifndef MONITOR_VM_ENGINE_H
#define MONITOR_VM_ENGINE_H

#include "monitor/vm/vm.h"

struct engine {
	const char *name;
	const struct board *board; /* that its VMs see */
	bool host_time;            /* machine time is that of the host's clock */
	/* Allocate its own part of vm and of each vcpu; called by vm_create(). */
	void (*vm_init)(struct vm *vm);
	void (*vm_free)(struct vm *vm);
	/* The pmap functions with vm as their argument. */
	const struct pmap_ops *pmap_ops;
	/* Make a vCPU runnable at pc with a0, a1 (S-mode, or M-mode when vm->bios). Owner thread.
	 */
	void (*vcpu_start)(struct vcpu *vcpu, uint64_t pc, uint64_t a0, uint64_t a1);
	/* The vCPUs of `to`, which has as many and has never run, are where those of `from` are:
	 * registers, timers, pending interrupts. Their instructions are counted from 0. Boundary.
	 */
	void (*vm_clone)(struct vm *to, const struct vm *from);
	/* The monitor worked `cycles` cycles on the CPU that runs this vCPU. Owner thread. */
	void (*vcpu_charge)(struct vcpu *vcpu, uint64_t cycles);
	/* Level of an interrupt input; wakes an idle vCPU. Owner thread. */
	void (*vcpu_irq)(struct vcpu *vcpu, enum vcpu_irq irq, bool level);
	/* Machine time in cycles as this vCPU sees it now. Owner thread. */
	uint64_t (*vcpu_now)(const struct vcpu *vcpu);
	/* Set the vCPU's M-mode timer compare value, in timebase ticks (ACLINT). Owner thread. */
	void (*vcpu_mtimecmp)(struct vcpu *vcpu, uint64_t ticks);
	/* The guest wrote pages behind the CPU's back (DMA, loader): decoded code of ppn is stale
	 * after the guest's next fence.i. Owner thread. */
	void (*page_written)(struct vm *vm, uint32_t ppn);
	/*
	 * NULL, or: the monitor is about to give other frames to n pages (then, `done`: it has),
	 * for engines to which one change of many pages costs less than many changes. Boundary.
	 */
	void (*pages_replaced)(struct vm *vm, uint32_t ppn, uint32_t n, bool done);
	/*
	 * Run until every VM has stopped, machine time reaches cluster->stop_at or cluster->stop is
	 * set. 0, or a negative errno after one line on stderr.
	 */
	int (*run)(struct cluster *c);
	/* Where the time of a vCPU went since it was started, up to now. Boundary. */
	void (*vcpu_account)(const struct vcpu *vcpu, struct account *out);
	/* Guest instructions executed by a vCPU. Boundary. */
	uint64_t (*vcpu_instructions)(const struct vcpu *vcpu);
	/* Fold registers and CSRs of a vCPU into the run's digest: XXH64 over architectural state.
	 * Boundary. */
	uint64_t (*vcpu_digest)(const struct vcpu *vcpu);
	/* What page placement needs to know and to have done; the argument is the cluster. */
	const struct placement_ops *placement_ops;
	/* die() unless what the engine remembers of VMs' memory agrees with their pmaps. Boundary,
	 * after the devices' work. */
	void (*check)(const struct cluster *c);
	/* NULL, or: open what the engine needs and make c->mem for its machine, which is sized for
	 * it, at most `limit` bytes (0: none), of the host's huge pages if `huge`. 0, or a negative
	 * errno after one line on stderr. */
	int (*open)(struct cluster *c, struct machine *m, uint64_t limit, bool huge);
	void (*close)(struct cluster *c); /* after memory_destroy(); NULL like open */
	/* NULL, or: files and directory trees that it opens to read during a run; NULL ends. */
	const char *const *reads;
	/* NULL, or: adds what the engine counted to its JSON object in the statistics. */
	void (*stats)(const struct cluster *c, struct json_t *object);
	/* Host bytes this VM's engine part takes. */
	uint64_t (*vm_overhead_bytes)(const struct vm *vm);
};

extern const struct engine engine_sim, engine_kvm;

/* Where the time of all a VM's vCPUs went; as vcpu_account. */
struct account account_of_vm(const struct vm *vm);

/* The engine called "sim", "kvm" or "auto": kvm where it can run. NULL: no such engine. */
const struct engine *engine_find(const char *name);
/* Can this host run VMs under KVM? Opens what that needs, and closes it. */
bool kvm_possible(void);

#endif
