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

enum {
	BOARD_TEST = 0x100000,
	BOARD_RTC = 0x101000,
	BOARD_GENID = 0x102000, /* not on QEMU's board; only where VMs are cloned */
	BOARD_ACLINT = 0x2000000,
	BOARD_PLIC = 0xc000000,
	BOARD_UART = 0x10000000,
	BOARD_VIRTIO = 0x10001000, /* slots of 4 KiB; QEMU has the first 8 */
	BOARD_VIRTIO_SLOTS = 16,
	BOARD_IRQ_VIRTIO = 1,       /* slot n < 8: 1 + n */
	BOARD_IRQ_VIRTIO_MORE = 32, /* the others: 32 + n */
	BOARD_IRQ_UART = 10,
	BOARD_IRQ_RTC = 11,
	BOARD_IRQ_GENID = 12,
};

struct boot;

/* Port n of a board that has I/O ports is at this address of the bus, which no memory access has.
 */
#define BOARD_PORT(n) (1ull << 63 | (n))

/* Where a board has what all boards have. */
struct board {
	const char *arch;   /* as Debian calls it: of the guest to fetch */
	const char *append; /* to a kernel command line that is not the user's */
	/* RAM begins at ram_base; what would be at ram_gap or above is at ram_high. */
	uint64_t ram_base, ram_gap, ram_high;
	uint64_t uart_base, uart_bytes;
	unsigned uart_irq;
	uint64_t virtio_base; /* slots of 4 KiB */
	uint8_t virtio_irq[BOARD_VIRTIO_SLOTS];
	/* Attach what a VM has beside UART and virtio devices: interrupt controller, power. */
	void (*add_platform)(struct vm *vm);
	/* The parts of boot_open() and boot_vm() that are the board's: after the files are open. */
	int (*boot_check)(struct boot *b, uint64_t ram_bytes, uint64_t extra_bytes);
	int (*boot_load)(
		const struct boot *b, struct vm *vm, const void *extra, uint64_t extra_bytes);
};

extern const struct board board_virt;

/* All attach themselves to the bus and return the device. */
struct device *plic_create(
	struct vm *vm); /* contexts: M and S per hart when vm->bios, else S per hart only */
struct device *aclint_create(
	struct vm *vm); /* MSWI and MTIMER (sifive,clint0); only when vm->bios */
struct device *testdev_create(
	struct vm *vm); /* sifive,test0/1: 0x5555 off, 0x3333 | code << 16 fail, 0x7777 reset */
struct device *rtc_create(struct vm *vm); /* goldfish-rtc, starting at a fixed date: a run never
					     reads the host's clock */
struct device *genid_create(
	struct vm *vm); /* microsoft,vmgenid: tells a guest that it was cloned; from vm->seed */
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

/*
 * Write the flattened device tree for `vm` with every attached device into buf. 0 or -ENOSPC.
 * bootargs and initrd (0, 0: none) go to /chosen.
 */
int board_fdt(struct vm *vm, const char *bootargs, uint64_t initrd_pa, uint64_t initrd_bytes,
	void *buf, int bytes);

#endif
