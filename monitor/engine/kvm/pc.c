// SPDX-License-Identifier: MIT
/*
 * The board of VMs under KVM: a PC without legacy, as far as Linux permits. Interrupt controllers and
 * timers are KVM's. Here are the registers by which a guest powers off and resets (ACPI 6.4, section
 * 4.8.3.7, for hardware-reduced machines; the keyboard controller's reset line, which Linux tries
 * too) and the interrupt lines. map.h has their addresses.
 *
 * A line is an input of the I/O APIC, and its interrupts are edges: those of virtio devices come by
 * eventfd (doorbell.c). Devices get lines above 15 first: kernels make assumptions about the others,
 * which were ISA interrupts.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "monitor/engine/kvm/boot.h"
#include "monitor/engine/kvm/map.h"
#include "monitor/engine/kvm/pc.h"
#include "monitor/engine/kvm/vm.h"
#include "numa/util.h"

enum {
	SLEEP_ENABLE = 1 << 5,
	SLEEP_TYPE_SHIFT = 2,
	SLEEP_TYPE_MASK = 7,
	KEYBOARD_COMMAND = 4, /* port 0x64 */
	KEYBOARD_RESET = 0xfe,
};

static void reset(struct vm *vm)
{
	vm->reset_wanted = true;
	snprintf(vm->reason, sizeof(vm->reason), "reset");
	vm_power_off(vm, 0);
}

static uint64_t nothing_read(struct device *d, struct vcpu *vcpu, uint64_t offset, unsigned size)
{
	(void)d, (void)vcpu, (void)offset, (void)size;
	return 0;
}

static void power_write(
	struct device *d, struct vcpu *vcpu, uint64_t offset, unsigned size, uint64_t value)
{
	(void)vcpu, (void)size;
	if (offset == PC_POWER - PC_POWER && value & SLEEP_ENABLE &&
		(value >> SLEEP_TYPE_SHIFT & SLEEP_TYPE_MASK) == PC_SLEEP_OFF)
		vm_power_off(d->vm, 0);
	else if (offset == PC_RESET - PC_POWER && value == PC_RESET_VALUE)
		reset(d->vm);
}

static void keyboard_write(
	struct device *d, struct vcpu *vcpu, uint64_t offset, unsigned size, uint64_t value)
{
	(void)vcpu, (void)size;
	if (offset == KEYBOARD_COMMAND && value == KEYBOARD_RESET)
		reset(d->vm);
}

static void destroy(struct device *d)
{
	free(d);
}

static const struct device_ops power_ops = {
	.type = "power", .read = nothing_read, .write = power_write, .destroy = destroy};
static const struct device_ops keyboard_ops = {
	.type = "keyboard", .read = nothing_read, .write = keyboard_write, .destroy = destroy};

static struct device *attach(
	struct vm *vm, const struct device_ops *ops, uint64_t port, uint64_t bytes)
{
	struct device *d = xcalloc(1, sizeof(*d));

	d->ops = ops;
	d->base = BOARD_PORT(port);
	d->size = bytes;
	device_attach(vm, d);
	return d;
}

static void line(struct device *d, unsigned irq, bool level)
{
	struct kvm_vm *e = d->vm->kvm;
	struct kvm_irq_level l = {.irq = irq, .level = level};
	uint64_t one = 1;

	if (e->irqfd[irq] >= 0) {
		if (level && write(e->irqfd[irq], &one, sizeof(one)) != sizeof(one))
			die("eventfd: %s", strerror(errno));
		return;
	}
	if ((e->lines >> irq & 1) == level)
		return;
	e->lines ^= 1u << irq;
	if (ioctl(e->fd, KVM_IRQ_LINE, &l))
		die("KVM: interrupt line %u of %s: %s", irq, d->vm->name, strerror(errno));
}

static void add_platform(struct vm *vm)
{
	attach(vm, &keyboard_ops, PC_KEYBOARD, 5);
	vm->irq_chip = attach(vm, &power_ops, PC_POWER, 4);
	vm->irq_line = line;
}

/*
 * init_on_alloc=0: pages from the monitor are zeroed already. A kernel that clears a page before the
 * disk fills it stores to the frame that the page shared before: a fault and a copy each time.
 */
const struct board board_pc = {
	.arch = "amd64",
	.append = " nokaslr no_timer_check init_on_alloc=0",
	.ram_base = 0,
	.ram_gap = PC_GAP,
	.ram_high = 1ull << 32,
	.map =
		{
			[PART_UART] = {BOARD_PORT(PC_UART), 8, PC_IRQ_UART},
			[PART_VIRTIO] = {PC_VIRTIO, 0x10000, 0},
		},
	.virtio_irq = {16, 17, 18, 19, 20, 21, 22, 23, 5, 6, 7, 10, 11, 12, 14, 15},
	.add_platform = add_platform,
	.boot_check = kvm_boot_check,
	.boot_load = kvm_boot_load,
};
