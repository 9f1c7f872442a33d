// SPDX-License-Identifier: MIT
/*
 * The generation identifier of a virtual machine (Microsoft, "Virtual Machine Generation ID", and
 * the device tree binding "microsoft,vmgenid"): 128 bits that are different after the machine was
 * cloned, and an interrupt that says so. Linux then seeds its random numbers anew at once, and
 * those of its programs with them; without it all clones would draw the same.
 *
 * The binding knows no acknowledgement, but our lines are level-triggered: reading the end of the
 * identifier, which is all a driver can do about the interrupt, lowers the line.
 */
#include <stdlib.h>
#include <string.h>

#include "monitor/vm/board.h"
#include "monitor/boot/fdt.h"
#include "numa/util.h"

enum { ID_BYTES = 16 };

struct genid {
	struct device dev;
	uint8_t id[ID_BYTES];
};

static uint64_t genid_read(struct device *d, struct vcpu *vcpu, uint64_t offset, unsigned size)
{
	struct genid *g = (struct genid *)d;
	uint64_t value = 0;

	(void)vcpu;
	if (offset >= ID_BYTES)
		return 0;
	memcpy(&value, g->id + offset, size);
	if (offset + size == ID_BYTES)
		device_irq(d, false);
	return value;
}

static void genid_write(
	struct device *d, struct vcpu *vcpu, uint64_t offset, unsigned size, uint64_t value)
{
	(void)d, (void)vcpu, (void)offset, (void)size, (void)value;
}

static void genid_fdt(struct device *d, void *fdt)
{
	static const char compatible[] = "microsoft,vmgenid";

	fdt_device_begin(fdt, d, "vmgenid", compatible, sizeof(compatible));
	fdt_device_irq(fdt, d);
	fdt_ok(fdt_end_node(fdt));
}

static void genid_destroy(struct device *d)
{
	free(d);
}

/* The clone's own identifier stays: that is the point. */
static int genid_clone(struct device *d, const struct device *from)
{
	(void)from;
	device_irq(d, true);
	return 0;
}

static const struct device_ops genid_ops = {
	.type = "genid",
	.read = genid_read,
	.write = genid_write,
	.fdt = genid_fdt,
	.destroy = genid_destroy,
	.clone = genid_clone,
};

struct device *genid_create(struct vm *vm)
{
	struct genid *g = xcalloc(1, sizeof(*g));
	uint64_t state = vm->seed ^ 0x67656e6964000000; /* "genid": not the stream of virtio-rng */

	for (unsigned i = 0; i < ID_BYTES; i += 8) {
		uint64_t word = splitmix64(&state);

		memcpy(g->id + i, &word, sizeof(word));
	}
	g->dev.ops = &genid_ops;
	board_place(vm->board, PART_GENID, &g->dev);
	device_attach(vm, &g->dev);
	return &g->dev;
}
