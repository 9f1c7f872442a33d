// SPDX-License-Identifier: MIT
/*
 * The SiFive test finisher: one register through which a guest ends its run, as on QEMU's `virt`
 * board. Low half: what happened; high half: the exit code of a failure. Linux reaches it through
 * the syscon-poweroff and syscon-reboot nodes that fdt.c adds when this device is present.
 */
#include <stdio.h>
#include <stdlib.h>

#include "monitor/vm/board.h"
#include "monitor/boot/fdt.h"
#include "numa/util.h"

enum { FAIL = 0x3333, PASS = 0x5555, RESET = 0x7777 };

static uint64_t test_read(struct device *d, struct vcpu *vcpu, uint64_t offset, unsigned size)
{
	(void)d, (void)vcpu, (void)offset, (void)size;
	return 0;
}

static void test_write(
	struct device *d, struct vcpu *vcpu, uint64_t offset, unsigned size, uint64_t value)
{
	struct vm *vm = d->vm;

	(void)vcpu;
	if (offset != 0 || size < 2)
		return;
	switch (value & 0xffff) {
	case PASS:
		vm_power_off(vm, 0);
		break;
	case FAIL:
		vm_power_off(vm, (int)(value >> 16 & 0xffff));
		break;
	case RESET:
		vm->reset_wanted = true;
		snprintf(vm->reason, sizeof(vm->reason), "reset");
		vm_power_off(vm, 0);
		break;
	}
}

static void test_fdt(struct device *d, void *fdt)
{
	static const char compatible[] = "sifive,test1\0sifive,test0\0syscon";

	fdt_device_begin(fdt, d, "test", compatible, sizeof(compatible));
	fdt_ok(fdt_property_u32(fdt, "phandle", PHANDLE_TEST));
	fdt_ok(fdt_end_node(fdt));
}

static void test_destroy(struct device *d)
{
	free(d);
}

/* It has no state. */
static int test_clone(struct device *d, const struct device *from)
{
	(void)d, (void)from;
	return 0;
}

static const struct device_ops test_ops = {
	.type = "test",
	.read = test_read,
	.write = test_write,
	.fdt = test_fdt,
	.destroy = test_destroy,
	.clone = test_clone,
};

struct device *testdev_create(struct vm *vm)
{
	struct device *d = xcalloc(1, sizeof(*d));

	d->ops = &test_ops;
	board_place(vm->board, PART_TEST, d);
	device_attach(vm, d);
	return d;
}
