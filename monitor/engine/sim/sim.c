// SPDX-License-Identifier: MIT
/*
 * The simulated machine's time. It advances in quanta. Within one, host threads execute different
 * VMs, each VM by one thread that alternates between its vCPUs in slices; between quanta, at the
 * boundary, one thread does all that reaches beyond a VM, in a fixed order. A run is therefore the
 * same on any number of host threads. When no vCPU wants a CPU, time jumps to the next timer.
 */
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "monitor/vm/board.h"
#include "monitor/vm/boundary.h"
#include "monitor/engine/sim/check.h"
#include "monitor/engine/sim/code.h"
#include "monitor/engine/sim/csr.h"
#include "monitor/engine/sim/exec.h"
#include "monitor/engine/sim/mmu.h"
#include "monitor/engine/sim/mode.h"
#include "monitor/engine/sim/numa.h"
#include "monitor/engine/sim/pool.h"
#include "monitor/engine/sim/sched.h"
#include "monitor/engine/sim/service.h"
#include "monitor/engine/sim/trap.h"
#include "sharing/content.h"
#include "sharing/subnet.h"

/* ---- one vCPU */

/* Let time pass without instructions, and book it under *as. */
static void advance(struct sim_vcpu *cpu, uint64_t to, uint64_t *as)
{
	if (cpu->now < to) {
		uint64_t passes = to - cpu->now;

		cpu->skew += passes;
		cpu->since += passes;
		*as += passes;
		cpu->now = to;
	}
}

static void spin(struct sim_vcpu *cpu, uint64_t to)
{
	uint64_t before = cpu->account.pause;

	advance(cpu, to, &cpu->account.pause);
	if (cpu->priv == PRIV_U)
		cpu->account.user_pause += cpu->account.pause - before;
}

/*
 * Execute until machine time `until`. `alone`: no other hart of this VM can change what a pause
 * waits for in this slice. A guest's instruction that would wait (pause) otherwise waits for the
 * next slice.
 */
static void vcpu_run(struct sim_vcpu *cpu, uint64_t until, bool alone)
{
	uint64_t begin = cpu->now;

	cpu->reserved_va = UINT64_MAX;
	cpu->evm->acting = cpu;
	while (cpu->now < until && cpu->vcpu->state == VCPU_RUNNABLE &&
		cpu->vm->state == VM_RUNNING) {
		if (cpu->now >= cpu->timer_at)
			timer_update(cpu);
		cpu->attention = cpu->yield = false;
		trap_interrupt(cpu);
		cpu->stop = MIN(until, cpu->timer_at);
		exec_run(cpu);
		if (cpu->waiting)
			break;
		if (cpu->yield && !alone && cpu->vcpu->state == VCPU_RUNNABLE)
			spin(cpu, until);
	}
	cpu->evm->acting = NULL;
	cpu->idled = cpu->vcpu->state == VCPU_IDLE;
	cpu->vcpu->ran_cycles += cpu->now - begin;
	if (cpu->model)
		cpu->vcpu->model_cycles += cpu->now - begin;
}

/* ---- one VM, one quantum */

struct quantum {
	struct vm **vm;
	unsigned n;
	uint64_t begin, end;
};

/* An idle hart's timer may be due before `until`: then it is at that time and awake. */
static void wake_by_timer(struct sim_vcpu *cpu, uint64_t from, uint64_t until)
{
	if (cpu->timer_at >= until)
		return;
	advance(cpu, MAX(from, cpu->timer_at), &cpu->account.idle);
	timer_update(cpu);
	cpu_wake(cpu);
}

static void vm_run(struct vm *vm, uint64_t begin, uint64_t end)
{
	struct sim_vcpu *picked[VM_MAX_VCPUS];
	uint64_t slice, next;
	unsigned n = 0;

	for (unsigned i = 0; i < vm->n_vcpus; i++)
		if (vm->vcpu[i].sim->picked)
			picked[n++] = vm->vcpu[i].sim;
	slice = n > 1 ? vm->cluster->machine->slice_cycles : end - begin;
	for (uint64_t t = begin;
		t < end && vm->state == VM_RUNNING && !cluster_interrupted(vm->cluster); t = next) {
		uint64_t until = MIN(t + slice, end), wake = end;
		bool busy = false;

		for (unsigned i = 0; i < n; i++) {
			struct sim_vcpu *cpu = picked[i];

			if (cpu->vcpu->state == VCPU_IDLE)
				wake_by_timer(cpu, t, until);
			if (cpu->vcpu->state == VCPU_RUNNABLE && !cpu->waiting) {
				advance(cpu, t,
					cpu->idled ? &cpu->account.idle : &cpu->account.wait);
				vcpu_run(cpu, until, n == 1);
				busy = true;
			}
			if (cpu->vcpu->state == VCPU_IDLE)
				wake = MIN(wake, cpu->timer_at);
		}
		next = busy ? until : MAX(until, wake); /* no vCPU runs: go on to the next timer */
	}
}

static void run_task(void *arg, unsigned i)
{
	struct quantum *q = arg;

	vm_run(q->vm[i], q->begin, q->end);
}

/* ---- the boundary */

/* Does any vCPU of this VM have something to do before `end`? */
static bool vm_wants(const struct vm *vm, uint64_t end)
{
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		if (vm->vcpu[i].sim->picked && cpu_wants(vm->vcpu[i].sim, end))
			return true;
	return false;
}

/* The vCPUs that have a CPU and something to do there pay for this, in equal parts. */
static void charge_busy(struct cluster *c, uint64_t cycles)
{
	for (int paying = 0, n = 0; paying < 2 && cycles; paying++)
		for (unsigned v = 0; v < c->n_vms; v++)
			for (unsigned i = 0; i < c->vm[v]->n_vcpus; i++) {
				struct vcpu *vcpu = &c->vm[v]->vcpu[i];

				if (vcpu->state != VCPU_RUNNABLE || !vcpu->sim->placed)
					continue;
				if (!paying)
					n++;
				else
					monitor_event(vcpu->sim, EVENT_SCAN, cycles / (unsigned)n);
			}
}

/* Stores to the pages just scanned must be logged again. */
static void forget_writes(struct cluster *c)
{
	for (unsigned v = 0; v < c->n_vms; v++) {
		struct vm *vm = c->vm[v];

		for (unsigned i = 0; i < vm->n_vcpus && vm->log->fresh; i++)
			tlb_forget_writes(vm->vcpu[i].sim);
		vm->log->fresh = false;
	}
}

static void scan(struct cluster *c)
{
	if (!c->content || cluster_interrupted(c))
		return;
	charge_busy(c, boundary_scan(c, true));
	forget_writes(c);
}

static void refill(struct vm *vm)
{
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		struct sim_vcpu *cpu = vm->vcpu[i].sim;

		cpu->waiting = false;
		if (cpu->picked)
			pmap_refill(vm->pmap, cpu->node);
	}
}

/* A VM none of whose harts can ever run again. */
static void check_stopped(struct vm *vm)
{
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		if (vm->vcpu[i].state != VCPU_STOPPED)
			return;
	vm_fail(vm, "every hart has stopped");
}

/* Machine time at which something happens by itself: the earliest timer of an idle vCPU, or the
 * arrival of a packet. */
static uint64_t next_event(const struct cluster *c)
{
	uint64_t t = c->subnet ? subnet_next(c->subnet) : UINT64_MAX;

	for (unsigned v = 0; v < c->n_vms; v++)
		for (unsigned i = 0; i < c->vm[v]->n_vcpus; i++)
			if (c->vm[v]->state == VM_RUNNING && c->vm[v]->vcpu[i].state == VCPU_IDLE)
				t = MIN(t, c->vm[v]->vcpu[i].sim->timer_at);
	return t;
}

/* Does any vCPU, or a device that could not do all its work at this boundary, need the next
 * quantum? */
static bool anyone_wants(const struct cluster *c, uint64_t end)
{
	for (unsigned v = 0; v < c->n_vms; v++)
		if (c->vm[v]->state == VM_RUNNING && c->vm[v]->deferred)
			return true;
	for (unsigned v = 0; v < c->n_vms; v++)
		for (unsigned i = 0; i < c->vm[v]->n_vcpus; i++)
			if (cpu_wants(c->vm[v]->vcpu[i].sim, end))
				return true;
	return false;
}

/* All is idle: tell the listener how long, then jump. */
static void pass_idle_time(struct cluster *c)
{
	uint64_t event = next_event(c), end = c->now + c->machine->quantum_cycles;
	uint64_t idle = event == UINT64_MAX ? UINT64_MAX : event - c->now;

	if (event > c->stop_at)
		idle = c->stop_at - c->now;
	if (c->at_boundary)
		c->at_boundary(c, c->at_boundary_arg, idle);
	else if (idle == UINT64_MAX)
		c->stop = true;
	if (idle != UINT64_MAX && !c->stop && !anyone_wants(c, end))
		c->now += idle;
}

static bool all_stopped(struct cluster *c)
{
	bool all = true;

	for (unsigned v = 0; v < c->n_vms; v++) {
		if (c->vm[v]->state == VM_RUNNING)
			check_stopped(c->vm[v]);
		all = all && c->vm[v]->state != VM_RUNNING;
	}
	return all;
}

static int sim_run(struct cluster *c)
{
	struct sched *sched = sched_create(c);
	struct pool *pool = pool_create(MAX(1u, c->threads));
	struct quantum q = {0};

	c->mem->boundary = true;
	for (;;) {
		boundary_release_deferred(c);
		scan(c);
		numa_follow(c);
		if (all_stopped(c) || c->stop || c->now >= c->stop_at)
			break;
		q.begin = c->now;
		q.end = c->now + c->machine->quantum_cycles;
		if (!anyone_wants(c, q.end)) {
			pass_idle_time(c);
			continue;
		}
		if (c->at_boundary)
			c->at_boundary(c, c->at_boundary_arg, 0);
		numa_follow(c); /* fidelity may have been asked for from outside */
		sched_pick(sched);
		q.n = 0;
		q.vm = xrealloc(q.vm, c->n_vms * sizeof(q.vm[0])); /* a listener may add VMs */
		for (unsigned v = 0; v < c->n_vms; v++)
			if (vm_wants(c->vm[v], q.end)) {
				refill(c->vm[v]);
				q.vm[q.n++] = c->vm[v];
			}
		numa_quantum(c);
		c->mem->boundary = false;
		pool_run(pool, run_task, &q, q.n);
		c->now = q.end;
		c->mem->boundary = true;
		numa_boundary(c, q.end - q.begin);
	}
	numa_end(c);
	if (c->at_boundary)
		c->at_boundary(c, c->at_boundary_arg, 0);
	free(q.vm);
	pool_destroy(pool);
	sched_destroy(sched);
	return 0;
}

/* ---- the engine */

static void sim_vm_init(struct vm *vm)
{
	const struct machine *m = vm->cluster->machine;

	vm->sim = xcalloc(1, sizeof(*vm->sim));
	code_init(vm);
	service_init(vm->sim);
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		struct vcpu *v = &vm->vcpu[i];

		v->sim = lazy_alloc(sizeof(*v->sim));
		v->sim->vcpu = v;
		v->sim->vm = vm;
		v->sim->ram = vm->cluster->mem->base;
		v->sim->evm = vm->sim;
		v->sim->hart = i;
		v->sim->tlb_used = (1u << TLB_CONTEXTS) - 1;
		v->sim->node = m->cpu_node[v->cpu];
		tlb_flush(v->sim);
		mmu_update_context(v->sim);
	}
	mode_init(vm);
}

static void sim_vm_free(struct vm *vm)
{
	mode_free(vm);
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		lazy_free(vm->vcpu[i].sim, sizeof(*vm->vcpu[i].sim));
	service_free(vm->sim);
	code_free(vm);
	free(vm->sim);
}

/*
 * Each CPU that runs a hart of the VM now may have the mapping; the others flushed it when they
 * took another one on, or wake from idleness later than the interrupt. A store's is paid by its
 * hart, a move's by placement. What transfers and clones remap at the boundary is many pages at a
 * time: one interrupt for all of them, which is theirs to charge.
 */
static void charge_shootdown(struct vm *vm)
{
	struct cluster *c = vm->cluster;
	struct sim_vcpu *initiator = vm->sim->acting;
	uint64_t n = 0;

	if ((!initiator && !c->handler) || c->mode == MODE_NATIVE)
		return;
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		struct vcpu *v = &vm->vcpu[i];

		if (!v->sim->placed || v->state != VCPU_RUNNABLE || v->sim == initiator ||
			(!initiator && v->cpu == c->handler - 1))
			continue;
		monitor_event(v->sim, EVENT_SHOOTDOWN, c->machine->cost.shootdown_interrupted);
		n++;
	}
	vm->interrupted += n;
	if (initiator) {
		initiator->account.count[EVENT_SHOOTDOWN] += n;
		monitor_charge(initiator, EVENT_SHOOTDOWN, n * c->machine->cost.shootdown);
	} else {
		c->interrupted += n;
		vm->move_cycles += n * c->machine->cost.shootdown_interrupted;
	}
}

static void sim_shootdown(void *engine, uint32_t ppn, uint32_t old)
{
	struct vm *vm = engine;

	(void)ppn;
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		tlb_forget_host(vm->vcpu[i].sim, frame_data(vm->cluster->mem, old), false);
	charge_shootdown(vm);
}

static void sim_vcpu_start(struct vcpu *vcpu, uint64_t pc, uint64_t a0, uint64_t a1)
{
	struct sim_vcpu *cpu = vcpu->sim;
	uint64_t now = MAX(cpu->now, vcpu->vm->cluster->now), skew = cpu->skew + (now - cpu->now);

	account_now(cpu);
	memset(cpu, 0, offsetof(struct sim_vcpu, vcpu));
	cpu->now = now;
	cpu->skew = skew;
	cpu->priv = vcpu->vm->bios ? PRIV_M : PRIV_S;
	csr_reset(cpu);
	tlb_flush(cpu);
	mmu_update_context(cpu);
	cpu->pc = pc;
	cpu->x[10] = a0;
	cpu->x[11] = a1;
	cpu->idled = false;
	account_begin(cpu);
	vcpu->state = VCPU_RUNNABLE;
}

static void sim_vm_clone(struct vm *to, const struct vm *from)
{
	for (unsigned i = 0; i < to->n_vcpus; i++) {
		const struct sim_vcpu *original = from->vcpu[i].sim;
		struct sim_vcpu *cpu = to->vcpu[i].sim;

		memcpy(cpu, original, offsetof(struct sim_vcpu, vcpu));
		/* The guest goes on reading the original's minstret, we count from here. */
		cpu->instret_offset += (int64_t)(original->now - original->skew);
		cpu->skew = cpu->now;
		cpu->charge = 0; /* what is owed is owed by the original */
		cpu->waiting = false;
		cpu->idled = from->vcpu[i].state == VCPU_IDLE;
		account_begin(cpu);
		tlb_flush(cpu); /* and with it the reservation */
		mmu_update_context(cpu);
		to->vcpu[i].state = from->vcpu[i].state;
	}
}

static void sim_vcpu_charge(struct vcpu *vcpu, uint64_t cycles)
{
	if (vcpu->sim->mode != MODE_NATIVE) /* there, devices have no need of the CPU */
		monitor_event(vcpu->sim, EVENT_TRANSFER, cycles);
}

static void sim_vcpu_irq(struct vcpu *vcpu, enum vcpu_irq irq, bool level)
{
	struct sim_vcpu *cpu = vcpu->sim;
	uint32_t bit = 1u << irq;

	if (irq == IRQ_S_EXT || irq == IRQ_M_EXT)
		cpu->ext_lines = level ? cpu->ext_lines | bit : cpu->ext_lines & ~bit;
	else
		cpu->mip = level ? cpu->mip | bit : cpu->mip & ~(uint64_t)bit;
	cpu->attention = true;
	cpu_wake(cpu);
}

static uint64_t sim_vcpu_now(const struct vcpu *vcpu)
{
	return MAX(vcpu->sim->now, vcpu->vm->cluster->now);
}

static void sim_vcpu_mtimecmp(struct vcpu *vcpu, uint64_t ticks)
{
	vcpu->sim->mtimecmp = ticks;
	timer_update(vcpu->sim);
	cpu_wake(vcpu->sim);
}

static void sim_page_written(struct vm *vm, uint32_t ppn)
{
	mem_code_written(vm->sim, ppn);
}

static uint64_t sim_vcpu_instructions(const struct vcpu *vcpu)
{
	return vcpu->sim->now - vcpu->sim->skew;
}

static uint64_t sim_vcpu_digest(const struct vcpu *vcpu)
{
	const struct sim_vcpu *c = vcpu->sim;
	const uint64_t state[] = {c->pc, c->now, c->skew, c->priv, vcpu->state, c->fflags, c->rm[7],
		c->mstatus, c->mie, c->mip, c->ext_lines, c->medeleg, c->mideleg, c->mtvec, c->mepc,
		c->mcause, c->mtval, c->mscratch, c->mcounteren, c->menvcfg, c->stvec, c->sepc,
		c->scause, c->stval, c->sscratch, c->scounteren, c->senvcfg, c->satp, c->stimecmp,
		c->mtimecmp};
	uint64_t h = XXH64(&c->x[1], 31 * sizeof(c->x[0]), 0);

	h = XXH64(c->f, sizeof(c->f), h);
	return XXH64(state, sizeof(state), h);
}

static uint64_t sim_vm_overhead_bytes(const struct vm *vm)
{
	const struct sim_vm *e = vm->sim;
	uint64_t pages = vm->ram_bytes >> PAGE_SHIFT;

	return sizeof(*e) + mode_overhead_bytes(vm) + service_overhead_bytes(e) +
	       (e->flushes ? ARENA_BYTES : e->arena_used) + HASH_BUCKETS * sizeof(e->hash[0]) +
	       pages * (sizeof(e->page_blocks[0]) + sizeof(e->page_code[0])) +
	       vm->n_vcpus * sizeof(struct sim_vcpu);
}

static const struct pmap_ops sim_pmap_ops = {.shootdown = sim_shootdown};

const struct engine engine_sim = {
	.name = "sim",
	.board = &board_virt,
	.vm_init = sim_vm_init,
	.vm_free = sim_vm_free,
	.pmap_ops = &sim_pmap_ops,
	.vcpu_start = sim_vcpu_start,
	.vm_clone = sim_vm_clone,
	.vcpu_charge = sim_vcpu_charge,
	.vcpu_irq = sim_vcpu_irq,
	.vcpu_now = sim_vcpu_now,
	.vcpu_mtimecmp = sim_vcpu_mtimecmp,
	.page_written = sim_page_written,
	.run = sim_run,
	.vcpu_account = sim_vcpu_account,
	.vcpu_instructions = sim_vcpu_instructions,
	.vcpu_digest = sim_vcpu_digest,
	.vm_overhead_bytes = sim_vm_overhead_bytes,
	.placement_ops = &numa_placement_ops,
	.check = sim_check,
};
