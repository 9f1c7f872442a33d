// SPDX-License-Identifier: MIT
/*
 * VMs of the simulated engine on a small machine, without devices or a guest: a test sets
 * registers, page tables and code by hand, and calls the engine's parts or runs it. The monitor is
 * at the boundary, as before a run. Included by one C file of a program.
 */
#ifndef TESTS_SIM_VM_H
#define TESTS_SIM_VM_H

#include <string.h>

#include "monitor/engine/sim/code.h"
#include "monitor/engine/sim/csr.h"
#include "monitor/engine/sim/exec.h"
#include "monitor/engine/sim/mmu.h"
#include "monitor/engine/sim/mode.h"
#include "monitor/engine/sim/numa.h"
#include "monitor/engine/sim/sbi.h"
#include "monitor/engine/sim/service.h"
#include "monitor/engine/sim/trap.h"
#include "monitor/vm/guestmem.h"
#include "tests/small-machine.h"

enum { SIM_RAM_BYTES = 8 << 20, SIM_NODE_BYTES = 64 << 20 };

static struct machine sim_machine;
static struct cluster sim;

/* A cluster without VMs on `nodes` nodes of one CPU. */
static inline void sim_create(unsigned nodes)
{
	struct machine *m = &sim_machine;

	memset(m, 0, sizeof(*m));
	m->n_nodes = m->n_cpus = nodes;
	for (unsigned i = 0; i < nodes; i++) {
		m->node[i] = (struct machine_node){i, 1, SIM_NODE_BYTES};
		m->cpu_node[i] = (uint8_t)i;
		for (unsigned j = 0; j < nodes; j++)
			m->latency_ns[i][j] = i == j ? 300 : 900;
	}
	m->clock_hz = 100000000;
	m->timebase_hz = 10000000;
	m->quantum_cycles = 10000;
	m->slice_cycles = 1000;
	m->timeslice_cycles = 100000;
	memset(&sim, 0, sizeof(sim));
	sim.machine = m;
	sim.engine = &engine_sim;
	sim.mem = memory_create(m);
	sim.mem->boundary = true;
	sim.threads = 1;
	sim.stop_at = UINT64_MAX;
}

/* One more VM, its first vCPU (with bios: all) started at the beginning of its memory. */
static inline struct vm *sim_vm(unsigned vcpus, bool bios)
{
	struct vm *vm = vm_create(&sim, "vm", vcpus, SIM_RAM_BYTES, bios, sim.n_vms + 1);

	for (unsigned i = 0; i < (bios ? vcpus : 1); i++)
		sim.engine->vcpu_start(&vm->vcpu[i], VM_RAM_BASE, i, 0);
	return vm;
}

static inline void sim_destroy(void)
{
	sim.mem->boundary = true;
	for (unsigned i = sim.n_vms; i-- > 0;)
		vm_destroy(sim.vm[i]);
	free(sim.vm);
	memory_check(sim.mem);
	memory_destroy(sim.mem);
}

static inline void put64(struct vm *vm, uint64_t pa, uint64_t v)
{
	ck_assert_int_eq(gm_write64(vm, pa, v), 0);
}

static inline uint64_t get64(struct vm *vm, uint64_t pa)
{
	uint64_t v = 0;

	ck_assert_int_eq(gm_read64(vm, pa, &v), 0);
	return v;
}

static inline void put_code(struct vm *vm, uint64_t pa, const uint32_t *words, unsigned n)
{
	ck_assert_int_eq(gm_write(vm, pa, words, n * sizeof(words[0])), 0);
}

static inline uint64_t csr_get(struct sim_vcpu *cpu, unsigned csr)
{
	uint64_t v = 0;

	ck_assert_msg(csr_access(cpu, csr, CSR_SET, 0, true, false, &v), "reading CSR 0x%x", csr);
	return v;
}

static inline void csr_set(struct sim_vcpu *cpu, unsigned csr, uint64_t v)
{
	uint64_t old;

	ck_assert_msg(
		csr_access(cpu, csr, CSR_WRITE, v, false, true, &old), "writing CSR 0x%x", csr);
}

static inline void set_privilege(struct sim_vcpu *cpu, enum priv priv)
{
	cpu->priv = priv;
	mmu_update_context(cpu);
}

/* Slow accesses as the executor makes them: what one leaves pending is raised. */
static inline int do_load(struct sim_vcpu *cpu, uint64_t va, unsigned size, uint64_t *value)
{
	int left = mem_load(cpu, va, size, value);

	trap_fault(cpu);
	return left;
}

static inline int do_store(struct sim_vcpu *cpu, uint64_t va, unsigned size, uint64_t value)
{
	int left = mem_store(cpu, va, size, value);

	trap_fault(cpu);
	return left;
}

static inline int do_atomic(
	struct sim_vcpu *cpu, uint64_t va, unsigned size, bool write, void **host)
{
	int left = mem_atomic(cpu, va, size, write, host);

	trap_fault(cpu);
	return left;
}

static inline int do_fetch_pa(struct sim_vcpu *cpu, uint64_t va, uint64_t *pa)
{
	int left = mem_fetch_pa(cpu, va, pa);

	trap_fault(cpu);
	return left;
}

/* Execute instructions from pc until `n` have passed or the hart stops by itself. */
static inline void step(struct sim_vcpu *cpu, unsigned n)
{
	cpu->stop = cpu->now + n;
	cpu->attention = cpu->yield = false;
	exec_run(cpu);
}

#endif
