// SPDX-License-Identifier: MIT
/*
 * The platform-level interrupt controller (RISC-V PLIC specification 1.0), laid out as on QEMU's
 * `virt` board. All lines are level-triggered. A source is pending while its line is high and no
 * hart has it claimed: like QEMU's, and unlike the specification's gateway, a line that falls
 * before a hart claims takes its request back, which saves the guest a spurious interrupt. A
 * completion with the line still high makes the source pending again.
 *
 * The three bitmaps are the whole state of the sources; the outputs to the harts are recomputed
 * from them at each change, which is a handful of word operations per context.
 */
#include <stdlib.h>
#include <string.h>

#include "monitor/vm/board.h"
#include "monitor/vm/engine.h"
#include "monitor/boot/fdt.h"
#include "numa/util.h"

enum {
	SOURCES = 96, /* numbered 1 .. 95: source 0 means "none" */
	WORDS = SOURCES / 32,
	MAX_PRIORITY = 7,

	PRIORITY = 0x0,
	PENDING = 0x1000,
	ENABLE = 0x2000,
	ENABLE_STRIDE = 0x80,
	CONTEXT = 0x200000, /* threshold at 0, claim/complete at 4 */
	CONTEXT_STRIDE = 0x1000,
};

struct context {
	uint32_t enable[WORDS];
	uint32_t threshold;
	bool raised; /* what the hart was last told */
};

struct plic {
	struct device dev;
	uint8_t priority[SOURCES];
	uint32_t level[WORDS];   /* lines as the devices drive them */
	uint32_t claimed[WORDS]; /* claimed and not yet completed */
	unsigned n_contexts;
	struct context context[];
};

static bool test_bit(const uint32_t *map, unsigned irq)
{
	return map[irq / 32] >> (irq % 32) & 1;
}

static uint32_t pending(const struct plic *p, unsigned word)
{
	return p->level[word] & ~p->claimed[word];
}

/* The pending, enabled source of highest priority above `floor`; lowest number first; 0: none. */
static unsigned best(const struct plic *p, const struct context *c, unsigned floor)
{
	unsigned found = 0;

	for (unsigned w = 0; w < WORDS; w++) {
		for (uint32_t m = pending(p, w) & c->enable[w]; m; m &= m - 1) {
			unsigned irq = w * 32 + (unsigned)__builtin_ctz(m);

			if (p->priority[irq] > floor) {
				floor = p->priority[irq];
				found = irq;
			}
		}
	}
	return found;
}

static void update(struct plic *p)
{
	struct vm *vm = p->dev.vm;

	for (unsigned i = 0; i < p->n_contexts; i++) {
		struct context *c = &p->context[i];
		bool raise = best(p, c, c->threshold) != 0;
		bool m_mode = vm->bios && i % 2 == 0;

		if (raise == c->raised)
			continue;
		c->raised = raise;
		vm->cluster->engine->vcpu_irq(
			&vm->vcpu[vm->bios ? i / 2 : i], m_mode ? IRQ_M_EXT : IRQ_S_EXT, raise);
	}
}

static void plic_line(struct device *d, unsigned irq, bool level)
{
	struct plic *p = (struct plic *)d;
	uint32_t bit = 1u << (irq % 32);

	if (test_bit(p->level, irq) == level)
		return;
	p->level[irq / 32] ^= bit;
	update(p);
}

/* Claiming disregards the threshold (PLIC specification, chapter 9); priority 0 never interrupts.
 */
static uint32_t claim(struct plic *p, struct context *c)
{
	unsigned irq = best(p, c, 0);

	if (irq) {
		p->claimed[irq / 32] |= 1u << (irq % 32);
		update(p);
	}
	return irq;
}

/* Ignored unless the source is enabled for the context (chapter 10). */
static void complete(struct plic *p, struct context *c, uint32_t irq)
{
	if (irq == 0 || irq >= SOURCES || !test_bit(c->enable, irq))
		return;
	p->claimed[irq / 32] &= ~(1u << (irq % 32));
	update(p);
}

static uint64_t plic_read(struct device *d, struct vcpu *vcpu, uint64_t offset, unsigned size)
{
	struct plic *p = (struct plic *)d;
	uint64_t i;

	(void)vcpu;
	if (size != 4)
		return 0;
	if (offset >= CONTEXT) {
		i = (offset - CONTEXT) / CONTEXT_STRIDE;
		if (i >= p->n_contexts)
			return 0;
		if (offset % CONTEXT_STRIDE == 0)
			return p->context[i].threshold;
		return offset % CONTEXT_STRIDE == 4 ? claim(p, &p->context[i]) : 0;
	}
	if (offset >= ENABLE) {
		i = (offset - ENABLE) / ENABLE_STRIDE;
		if (i >= p->n_contexts || offset % ENABLE_STRIDE >= SOURCES / 8)
			return 0;
		return p->context[i].enable[offset % ENABLE_STRIDE / 4];
	}
	if (offset >= PENDING)
		return offset < PENDING + SOURCES / 8 ? pending(p, (offset - PENDING) / 4) : 0;
	return offset < PRIORITY + 4 * SOURCES ? p->priority[offset / 4] : 0;
}

static void plic_write(
	struct device *d, struct vcpu *vcpu, uint64_t offset, unsigned size, uint64_t value)
{
	struct plic *p = (struct plic *)d;
	uint64_t i;

	(void)vcpu;
	if (size != 4)
		return;
	if (offset >= CONTEXT) {
		i = (offset - CONTEXT) / CONTEXT_STRIDE;
		if (i >= p->n_contexts)
			return;
		if (offset % CONTEXT_STRIDE == 0)
			p->context[i].threshold = value & MAX_PRIORITY;
		else if (offset % CONTEXT_STRIDE == 4)
			complete(p, &p->context[i], (uint32_t)value);
	} else if (offset >= ENABLE) {
		i = (offset - ENABLE) / ENABLE_STRIDE;
		if (i >= p->n_contexts || offset % ENABLE_STRIDE >= SOURCES / 8)
			return;
		p->context[i].enable[offset % ENABLE_STRIDE / 4] = (uint32_t)value;
	} else if (offset < PRIORITY + 4 * SOURCES && offset >= PRIORITY + 4) {
		p->priority[offset / 4] = value & MAX_PRIORITY;
	}
	update(p);
}

static void plic_fdt(struct device *d, void *fdt)
{
	static const unsigned both[] = {IRQ_M_EXT, IRQ_S_EXT};
	static const char compatible[] = "sifive,plic-1.0.0\0riscv,plic0";

	fdt_device_begin(fdt, d, "plic", compatible, sizeof(compatible));
	fdt_ok(fdt_property_u32(fdt, "phandle", PHANDLE_PLIC));
	fdt_ok(fdt_property_u32(fdt, "riscv,ndev", SOURCES - 1));
	fdt_ok(fdt_property_u32(fdt, "#interrupt-cells", 1));
	fdt_ok(fdt_property_u32(fdt, "#address-cells", 0));
	fdt_ok(fdt_property(fdt, "interrupt-controller", NULL, 0));
	if (d->vm->bios)
		fdt_cpu_interrupts(fdt, d, both, 2);
	else
		fdt_cpu_interrupts(fdt, d, both + 1, 1);
	fdt_ok(fdt_end_node(fdt));
}

static void plic_destroy(struct device *d)
{
	free(d);
}

static int plic_clone(struct device *d, const struct device *from)
{
	struct plic *p = (struct plic *)d;
	const struct plic *original = (const struct plic *)from;
	struct device dev = p->dev;

	memcpy(p, original, sizeof(*p) + p->n_contexts * sizeof(p->context[0]));
	p->dev = dev;
	return 0;
}

static const struct device_ops plic_ops = {
	.type = "plic",
	.read = plic_read,
	.write = plic_write,
	.fdt = plic_fdt,
	.destroy = plic_destroy,
	.clone = plic_clone,
};

struct device *plic_create(struct vm *vm)
{
	unsigned n = vm->n_vcpus * (vm->bios ? 2 : 1);
	struct plic *p = xcalloc(1, sizeof(*p) + n * sizeof(p->context[0]));

	p->dev.ops = &plic_ops;
	board_place(vm->board, PART_PLIC, &p->dev);
	p->n_contexts = n;
	device_attach(vm, &p->dev);
	vm->irq_chip = &p->dev;
	vm->irq_line = plic_line;
	return &p->dev;
}
