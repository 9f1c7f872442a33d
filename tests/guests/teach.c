// SPDX-License-Identifier: MIT
/*
 * A kernel as courses write them for QEMU's `virt` board, in miniature and in M-mode: the disk is the
 * first virtio device (0x10001000, interrupt 1) and QEMU's, its driver writes the low 32 feature bits
 * alone, and each byte of output waits for the UART's transmitter-empty interrupt, which reading IIR
 * acknowledges. Prints the disk's first 16 bytes and powers the board off.
 */
#include <stdint.h>

#define REG32(a) (*(volatile uint32_t *)(uintptr_t)(a))
#define REG8(a)  (*(volatile uint8_t *)(uintptr_t)(a))
#define UART     0x10000000
#define DISK     0x10001000
#define PLIC     0xc000000
#define CLAIM    (PLIC + 0x200004)
#define POWER    0x100000

enum { IRQ_DISK = 1, IRQ_UART = 10, QUEUE = 8, NEXT = 1, WRITE = 2 };

static struct {
	uint64_t pa;
	uint32_t bytes;
	uint16_t flags, next;
} desc[QUEUE] __attribute__((aligned(4096)));
static struct {
	uint16_t flags, index, ring[QUEUE], unused;
} avail __attribute__((aligned(4096)));
static volatile struct {
	uint16_t flags, index;
	struct {
		uint32_t id, bytes;
	} ring[QUEUE];
} used __attribute__((aligned(4096)));
static struct {
	uint32_t type, reserved;
	uint64_t sector;
} request;
static uint8_t sector[512];
static volatile uint8_t status = 0xff;

static void end(uint32_t code)
{
	REG32(POWER) = code ? code << 16 | 0x3333 : 0x5555;
	for (;;)
		;
}

/* The interrupt that comes next. */
static uint32_t wait_interrupt(void)
{
	uint32_t irq;

	do {
		__asm__ volatile("wfi" ::: "memory");
		irq = REG32(CLAIM);
	} while (!irq);
	return irq;
}

static void put(char c)
{
	uint32_t irq;

	REG8(UART) = (uint8_t)c;
	irq = wait_interrupt();
	if (irq != IRQ_UART)
		end(10 + irq);
	if ((REG8(UART + 2) & 0xf) != 2) /* transmitter empty */
		end(3);
	if ((REG8(UART + 2) & 0xf) != 1) /* and no more */
		end(4);
	REG32(CLAIM) = irq;
}

static void disk_init(void)
{
	if (REG32(DISK) != 0x74726976 || REG32(DISK + 4) != 2 || REG32(DISK + 8) != 2 ||
		REG32(DISK + 0xc) != 0x554d4551)
		end(5);
	REG32(DISK + 0x70) = 0;
	REG32(DISK + 0x70) = 1;
	REG32(DISK + 0x70) = 3;
	REG32(DISK + 0x20) = REG32(DISK + 0x10) & ~(1u << 5 | 1u << 28 | 1u << 29);
	REG32(DISK + 0x70) = 11;
	if (!(REG32(DISK + 0x70) & 8))
		end(6);
	REG32(DISK + 0x30) = 0;
	REG32(DISK + 0x38) = QUEUE;
	REG32(DISK + 0x80) = (uint32_t)(uintptr_t)desc;
	REG32(DISK + 0x90) = (uint32_t)(uintptr_t)&avail;
	REG32(DISK + 0xa0) = (uint32_t)(uintptr_t)&used;
	REG32(DISK + 0x44) = 1;
	REG32(DISK + 0x70) = 15;
}

static void disk_read(void)
{
	uint32_t irq;

	desc[0].pa = (uintptr_t)&request, desc[0].bytes = 16, desc[0].flags = NEXT,
	desc[0].next = 1;
	desc[1].pa = (uintptr_t)sector, desc[1].bytes = 512, desc[1].flags = NEXT | WRITE,
	desc[1].next = 2;
	desc[2].pa = (uintptr_t)&status, desc[2].bytes = 1, desc[2].flags = WRITE;
	__sync_synchronize();
	avail.index = 1;
	__sync_synchronize();
	REG32(DISK + 0x50) = 0;
	irq = wait_interrupt();
	if (irq != IRQ_DISK)
		end(10 + irq);
	REG32(DISK + 0x64) = REG32(DISK + 0x60) & 3;
	REG32(CLAIM) = irq;
	if (used.index != 1 || status)
		end(7);
}

int main(void)
{
	REG32(PLIC + 4 * IRQ_DISK) = 1;
	REG32(PLIC + 4 * IRQ_UART) = 1;
	REG32(PLIC + 0x2000) = 1u << IRQ_DISK | 1u << IRQ_UART;
	REG32(PLIC + 0x200000) = 0;
	__asm__ volatile(
		"csrs mie, %0" ::"r"(1 << 11)); /* external interrupts end wfi; none is taken */
	disk_init();
	disk_read();
	REG8(UART + 2) = 7; /* FIFOs on and empty */
	REG8(UART + 1) = 2; /* raises the interrupt: the transmitter is empty */
	if (wait_interrupt() != IRQ_UART || (REG8(UART + 2) & 0xf) != 2)
		end(8);
	REG32(CLAIM) = IRQ_UART;
	for (int i = 0; i < 16; i++)
		put((char)sector[i]);
	put('\n');
	return 0;
}
