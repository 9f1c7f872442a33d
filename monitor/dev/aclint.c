// SPDX-License-Identifier: MIT
/*
 * Software and timer interrupts for firmware in M-mode: the ACLINT's MSWI and MTIMER devices in the
 * SiFive CLINT's layout (RISC-V ACLINT specification, chapters 2 and 3). The engine keeps time and
 * compares; this file only translates registers. mtime is read-only: machine time belongs to the
 * machine, not to one of its guests.
 */
#include <stdlib.h>
#include <string.h>

#include "monitor/vm/board.h"
#include "monitor/vm/engine.h"
#include "monitor/boot/fdt.h"
#include "numa/util.h"

enum { MSIP = 0x0, MTIMECMP = 0x4000, MTIME = 0xbff8 };

struct hart_timer {
	uint64_t mtimecmp;
	bool msip;
};

struct aclint {
	struct device dev;
	struct hart_timer hart[];
};

static uint64_t mtime(const struct vm *vm, const struct vcpu *vcpu)
{
	const struct machine *m = vm->cluster->machine;
	uint64_t now = vm->cluster->engine->vcpu_now(vcpu ? vcpu : &vm->vcpu[0]);

	return (uint64_t)((unsigned __int128)now * m->timebase_hz / m->clock_hz);
}

/* The part of a 64-bit register that an access of `size` at `offset` sees. */
static uint64_t part(uint64_t reg, uint64_t offset, unsigned size)
{
	reg >>= offset % 8 * 8;
	return size == 8 ? reg : (uint32_t)reg;
}

static uint64_t aclint_read(struct device *d, struct vcpu *vcpu, uint64_t offset, unsigned size)
{
	struct aclint *a = (struct aclint *)d;
	unsigned n = d->vm->n_vcpus;

	if (size < 4)
		return 0;
	if (offset < MSIP + 4 * n)
		return size == 4 ? a->hart[offset / 4].msip : 0;
	if (offset >= MTIMECMP && offset < MTIMECMP + 8 * n)
		return part(a->hart[(offset - MTIMECMP) / 8].mtimecmp, offset, size);
	if (offset >= MTIME && offset < MTIME + 8)
		return part(mtime(d->vm, vcpu), offset, size);
	return 0;
}

static void aclint_write(
	struct device *d, struct vcpu *vcpu, uint64_t offset, unsigned size, uint64_t value)
{
	struct aclint *a = (struct aclint *)d;
	struct vm *vm = d->vm;
	unsigned n = vm->n_vcpus;

	(void)vcpu;
	if (offset < MSIP + 4 * n && size == 4) {
		struct hart_timer *h = &a->hart[offset / 4];

		h->msip = value & 1;
		vm->cluster->engine->vcpu_irq(&vm->vcpu[offset / 4], IRQ_M_SOFT, h->msip);
	} else if (offset >= MTIMECMP && offset < MTIMECMP + 8 * n && size >= 4) {
		unsigned id = (unsigned)(offset - MTIMECMP) / 8;
		uint64_t *cmp = &a->hart[id].mtimecmp;

		if (size == 8)
			*cmp = value;
		else if (offset % 8)
			*cmp = (*cmp & UINT32_MAX) | value << 32;
		else
			*cmp = (*cmp & ~(uint64_t)UINT32_MAX) | (uint32_t)value;
		vm->cluster->engine->vcpu_mtimecmp(&vm->vcpu[id], *cmp);
	}
}

static void aclint_fdt(struct device *d, void *fdt)
{
	static const unsigned irq[] = {IRQ_M_SOFT, IRQ_M_TIMER};
	static const char compatible[] = "sifive,clint0\0riscv,clint0";

	fdt_device_begin(fdt, d, "clint", compatible, sizeof(compatible));
	fdt_cpu_interrupts(fdt, d, irq, 2);
	fdt_ok(fdt_end_node(fdt));
}

static void aclint_destroy(struct device *d)
{
	free(d);
}

/* The engine's part, compare values and pending interrupts, it copies itself. */
static int aclint_clone(struct device *d, const struct device *from)
{
	memcpy(((struct aclint *)d)->hart, ((const struct aclint *)from)->hart,
		d->vm->n_vcpus * sizeof(struct hart_timer));
	return 0;
}

static const struct device_ops aclint_ops = {
	.type = "aclint",
	.read = aclint_read,
	.write = aclint_write,
	.fdt = aclint_fdt,
	.destroy = aclint_destroy,
	.clone = aclint_clone,
};

struct device *aclint_create(struct vm *vm)
{
	struct aclint *a = xcalloc(1, sizeof(*a) + vm->n_vcpus * sizeof(a->hart[0]));

	a->dev.ops = &aclint_ops;
	board_place(vm->board, PART_ACLINT, &a->dev);
	device_attach(vm, &a->dev);
	/* The reset value is undefined; "never" spares a guest that uses no timer an interrupt. */
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		a->hart[i].mtimecmp = UINT64_MAX;
		vm->cluster->engine->vcpu_mtimecmp(&vm->vcpu[i], UINT64_MAX);
	}
	return &a->dev;
}
