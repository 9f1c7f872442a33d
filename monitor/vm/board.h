// SPDX-License-Identifier: MIT
/*
 * Boards: what surrounds a VM's vCPUs. Every VM of the `sim` engine sees QEMU's `virt` (its
 * documented memory map), so that kernels and firmware built for it boot unchanged; one of the
 * `kvm` engine sees a PC without legacy (monitor/engine/kvm/pc.h). One constructor per device; each
 * lives in its own file under monitor/dev/ and is freed by its ops->destroy.
 */
#ifndef MONITOR_VM_BOARD_H
#define MONITOR_VM_BOARD_H

#include "monitor/vm/vm.h"
#include "monitor/vm/console.h"
#include "sharing/disk.h"
#include "sharing/subnet.h"
#include "sharing/tree.h"

enum { BOARD_VIRTIO_SLOTS = 16, BOARD_VIRTIO_BYTES = 4096 /* of a slot */ };

/* What has a fixed place on a board. */
enum board_part {
	PART_TEST,
	PART_RTC,
	PART_GENID,
	PART_ACLINT,
	PART_PLIC,
	PART_UART,
	PART_VIRTIO, /* all slots */
	BOARD_PARTS
};

struct board_range {
	uint64_t base, bytes;
	unsigned irq; /* input of the interrupt controller; 0: none, or one per slot */
};

struct boot;

/* Where port n of a board with I/O ports is on the bus: an address that no memory access has. */
#define BOARD_PORT(n) (1ull << 63 | (n))

/* Where a board has what all boards have. */
struct board {
	const char *arch;   /* as Debian calls it: of the guest to fetch */
	const char *append; /* to a kernel command line that is not the user's */
	/* RAM begins at ram_base; what would be at ram_gap or above is at ram_high. */
	uint64_t ram_base, ram_gap, ram_high;
	struct board_range map[BOARD_PARTS]; /* bytes 0: the board has no such part */
	uint8_t virtio_irq[BOARD_VIRTIO_SLOTS];
	/* Attach what a VM has beside UART and virtio devices: interrupt controller, power. */
	void (*add_platform)(struct vm *vm);
	/* The parts of boot_open() and boot_vm() that are the board's: after the files are open. */
	int (*boot_check)(struct boot *b, uint64_t ram_bytes, uint64_t extra_bytes);
	int (*boot_load)(
		const struct boot *b, struct vm *vm, const void *extra, uint64_t extra_bytes);
};

/* The simulator's (monitor/engine/sim/virt.c). */
extern const struct board board_virt;

/* Give the device the part's place and interrupt; before device_attach(). */
static inline void board_place(const struct board *b, enum board_part part, struct device *d)
{
	d->base = b->map[part].base;
	d->size = b->map[part].bytes;
	d->irq = b->map[part].irq;
}

/* All attach themselves to the bus and return the device. */
/* Contexts: M and S per hart when vm->bios, else S per hart only. */
struct device *plic_create(struct vm *vm);
/* MSWI and MTIMER (sifive,clint0); only when vm->bios. */
struct device *aclint_create(struct vm *vm);
/* sifive,test0/1: 0x5555 off, 0x3333 | code << 16 fail, 0x7777 reset. */
struct device *testdev_create(struct vm *vm);
/* goldfish-rtc, starting at a fixed date: a run never reads the host's clock. */
struct device *rtc_create(struct vm *vm);
/* microsoft,vmgenid: tells a guest that it was cloned; from vm->seed. */
struct device *genid_create(struct vm *vm);
struct device *uart_create(struct vm *vm, struct stream *s);
struct device *virtio_blk_create(struct vm *vm, unsigned slot, struct disk *disk); /* owns disk */
/* Blocks of 4 KiB that the host holds for this device's scratch disk; 0 for any other device. */
uint64_t virtio_blk_held(const struct device *d);
struct device *virtio_console_create(struct vm *vm, unsigned slot, struct stream *s);
struct device *virtio_net_create(
	struct vm *vm, unsigned slot, struct subnet *net, const uint8_t mac[6]);
/* The tree is shared with other VMs and stays the caller's. share: whole pages of files are mapped,
 * not copied. `tag`: at most 36 bytes. */
struct device *virtio_fs_create(
	struct vm *vm, unsigned slot, const char *tag, struct tree *tree, bool share);
struct device *virtio_rng_create(struct vm *vm, unsigned slot); /* seeded from vm->seed */

#endif
