// SPDX-License-Identifier: MIT
/*
 * Addresses and interrupts of QEMU's `virt` board, as its documentation gives them. Written apart
 * from the table in monitor/engine/sim/virt.c, so that a device at a wrong place fails a test.
 */
#ifndef TESTS_VIRT_MAP_H
#define TESTS_VIRT_MAP_H

enum {
	BOARD_TEST = 0x100000,
	BOARD_RTC = 0x101000,
	BOARD_GENID = 0x102000, /* not on QEMU's board; only where VMs are cloned */
	BOARD_ACLINT = 0x2000000,
	BOARD_PLIC = 0xc000000,
	BOARD_UART = 0x10000000,
	BOARD_VIRTIO = 0x10001000,  /* slots of 4 KiB; QEMU has the first 8 */
	BOARD_IRQ_VIRTIO = 1,       /* slot n < 8: 1 + n */
	BOARD_IRQ_VIRTIO_MORE = 32, /* the others: 32 + n */
	BOARD_IRQ_UART = 10,
	BOARD_IRQ_RTC = 11,
	BOARD_IRQ_GENID = 12,
};

#endif
