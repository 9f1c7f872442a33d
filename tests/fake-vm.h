// SPDX-License-Identifier: MIT
/*
 * A VM without a CPU, for testing devices: real machine memory and a real pmap, an engine that only
 * records what devices tell it, and the guest's side played by the test through mmio_read(),
 * mmio_write() and guest memory. Included by one C file of a program.
 */
#ifndef TESTS_FAKE_VM_H
#define TESTS_FAKE_VM_H

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/vm/board.h"
#include "monitor/vm/engine.h"
#include "monitor/vm/guestmem.h"
#include "numa/util.h"
#include "tests/virt-map.h"

enum { FAKE_VCPUS = 2, FAKE_RAM_BYTES = 4 << 20 };

struct fake_vm {
	struct machine machine;
	struct cluster cluster;
	struct vm vm;
	struct vcpu vcpu[FAKE_VCPUS];
	bool irq[FAKE_VCPUS][16]; /* levels by mip bit */
	uint64_t mtimecmp[FAKE_VCPUS];
	uint64_t now; /* cycles */
	unsigned pages_written;
	uint64_t charged[FAKE_VCPUS]; /* cycles */
	unsigned initiator;           /* the vCPU that mmio_read() and mmio_write() are of */
};

static struct fake_vm fake;

void vm_fail(struct vm *vm, const char *fmt, ...)
{
	va_list ap;

	if (vm->state != VM_RUNNING)
		return;
	vm->state = VM_FAILED;
	va_start(ap, fmt);
	vsnprintf(vm->reason, sizeof(vm->reason), fmt, ap);
	va_end(ap);
}

void vm_power_off(struct vm *vm, int exit_code)
{
	vm->state = VM_OFF;
	vm->exit_code = exit_code;
}

unsigned vm_home_node(const struct vm *vm)
{
	(void)vm;
	return 0;
}

static void fake_irq(struct vcpu *vcpu, enum vcpu_irq irq, bool level)
{
	fake.irq[vcpu->id][irq] = level;
}

static uint64_t fake_now(const struct vcpu *vcpu)
{
	(void)vcpu;
	return fake.now;
}

static void fake_mtimecmp(struct vcpu *vcpu, uint64_t ticks)
{
	fake.mtimecmp[vcpu->id] = ticks;
}

static void fake_page_written(struct vm *vm, uint32_t ppn)
{
	(void)ppn;
	if (vm == &fake.vm)
		fake.pages_written++;
}

static void fake_shootdown(void *engine, uint32_t ppn, uint32_t old)
{
	(void)engine, (void)ppn, (void)old;
}

static void fake_charge(struct vcpu *vcpu, uint64_t cycles)
{
	fake.charged[vcpu->id] += cycles;
}

static const struct pmap_ops fake_pmap_ops = {.shootdown = fake_shootdown};
static const struct engine fake_engine = {
	.name = "fake",
	.pmap_ops = &fake_pmap_ops,
	.vcpu_irq = fake_irq,
	.vcpu_now = fake_now,
	.vcpu_mtimecmp = fake_mtimecmp,
	.page_written = fake_page_written,
	.vcpu_charge = fake_charge,
};

/* A VM at the boundary, with an empty bus. The machine has `mem_bytes`. */
static inline struct vm *fake_vm_create(bool bios, uint64_t mem_bytes)
{
	struct machine *m = &fake.machine;

	memset(&fake, 0, sizeof(fake));
	m->n_nodes = m->n_cpus = 1;
	m->node[0] = (struct machine_node){0, 1, mem_bytes};
	m->clock_hz = 1000000000;
	m->timebase_hz = 10000000;
	fake.cluster.machine = m;
	fake.cluster.engine = &fake_engine;
	fake.cluster.mem = memory_create(m);
	fake.vm.cluster = &fake.cluster;
	fake.vm.board = &board_virt;
	fake.vm.ram_bytes = FAKE_RAM_BYTES;
	fake.vm.n_vcpus = FAKE_VCPUS;
	fake.vm.vcpu = fake.vcpu;
	fake.vm.bios = bios;
	fake.vm.seed = 1;
	for (unsigned i = 0; i < FAKE_VCPUS; i++)
		fake.vcpu[i] = (struct vcpu){.vm = &fake.vm, .id = i};
	fake.vm.pmap = pmap_create(
		fake.cluster.mem, 0, FAKE_RAM_BYTES >> PAGE_SHIFT, &fake_pmap_ops, &fake.vm);
	return &fake.vm;
}

/* By itself when what the devices use (images, a subnet) must go after them but before the memory.
 */
static inline void fake_devices_destroy(void)
{
	fake.cluster.mem->boundary = true;
	for (unsigned i = 0; i < fake.vm.n_devices; i++)
		fake.vm.device[i]->ops->destroy(fake.vm.device[i]);
	fake.vm.n_devices = 0;
}

static inline void fake_vm_destroy(void)
{
	fake_devices_destroy();
	pmap_destroy(fake.vm.pmap);
	memory_destroy(fake.cluster.mem);
}

/* Leave and enter the boundary; entering does what was deferred. */
static inline void fake_run_phase(void)
{
	fake.cluster.mem->boundary = false;
}

static inline void fake_boundary(void)
{
	fake.cluster.mem->boundary = true;
	pmap_release_deferred(fake.vm.pmap);
	device_run_deferred(&fake.vm);
}

static inline uint64_t mmio_read(uint64_t pa, unsigned size)
{
	struct device *d = device_find(&fake.vm, pa, size);

	return d ? d->ops->read(d, &fake.vcpu[fake.initiator], pa - d->base, size) : 0;
}

static inline void mmio_write(uint64_t pa, unsigned size, uint64_t value)
{
	struct device *d = device_find(&fake.vm, pa, size);

	if (d)
		d->ops->write(d, &fake.vcpu[fake.initiator], pa - d->base, size, value);
}

#endif
