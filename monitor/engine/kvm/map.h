/* SPDX-License-Identifier: MIT */
/*
 * Addresses of the PC board: its memory map, I/O ports and interrupt lines.
 */
#ifndef MONITOR_ENGINE_KVM_MAP_H
#define MONITOR_ENGINE_KVM_MAP_H

enum {
	PC_GAP = 0xc0000000u, /* RAM beyond this is above 4 GiB */
	PC_VIRTIO = 0xd0000000u,
	PC_IOAPIC = 0xfec00000u,
	PC_LAPIC = 0xfee00000u,
	PC_BIOS = 0xe0000, /* where the tables are */
	PC_BIOS_END = 0x100000,
	/* ports */
	PC_KEYBOARD = 0x60,
	PC_UART = 0x3f8,
	PC_POWER = 0x600, /* ACPI sleep control, sleep status, reset */
	PC_POWER_STATUS = 0x601,
	PC_RESET = 0x602,
	/* values written there */
	PC_RESET_VALUE = 1,
	PC_SLEEP_OFF = 5, /* SLP_TYP of S5 */
	/* interrupt lines */
	PC_IRQ_UART = 4,
};

#endif
