// SPDX-License-Identifier: MIT
/*
 * The ACPI tables of a VM (ACPI specification 6.4): RSDP, XSDT, a FADT that says
 * "hardware-reduced", a MADT with a local APIC for each vCPU and one I/O APIC, and a DSDT with the
 * serial port and one device LNRO0005 for each virtio-mmio slot in use; with virtual nodes SRAT and
 * SLIT, too. The AML is short, so this file writes it byte by byte as section 20 has it: no compiler
 * on the host is needed. Package lengths always take three bytes, which the encoding allows, because
 * they are not known beforehand.
 */
#include <stdio.h>
#include <string.h>

#include "monitor/engine/kvm/acpi.h"
#include "monitor/engine/kvm/map.h"
#include "monitor/vm/board.h"
#include "numa/util.h"

enum {
	HEADER_BYTES = 36,
	FADT_BYTES = 276,
	FADT_FLAG_RESET = 1 << 10,
	FADT_FLAG_REDUCED = 1 << 20,
	FADT_FLAG_WBINVD = 1,
	FADT_BOOT_NO_VGA = 1 << 2,
	FADT_BOOT_NO_CMOS_CLOCK = 1 << 5,
	GAS_BYTES = 12,
	IRQ_EDGE = 1 << 1,
};

/* The bytes written so far; `at` is the next one. */
struct out {
	uint8_t *buf;
	uint64_t bytes, at;
	uint64_t pa; /* of buf */
};

static void put(struct out *o, const void *what, uint64_t n)
{
	if (n > o->bytes - o->at)
		die("the ACPI tables have more than %llu bytes", (unsigned long long)o->bytes);
	memcpy(o->buf + o->at, what, n);
	o->at += n;
}

static void put8(struct out *o, unsigned v)
{
	uint8_t byte = (uint8_t)v;

	put(o, &byte, 1);
}

static void put16(struct out *o, unsigned v)
{
	uint16_t word = (uint16_t)v;

	put(o, &word, 2);
}

static void put32(struct out *o, uint32_t v)
{
	put(o, &v, 4);
}

static void put64(struct out *o, uint64_t v)
{
	put(o, &v, 8);
}

static void fill(struct out *o, uint64_t n)
{
	while (n--)
		put8(o, 0);
}

/* ---- AML */

static void name(struct out *o, const char *four)
{
	put(o, four, 4);
}

/* PkgLength follows an opcode; where it was, for end(). */
static uint64_t begin(struct out *o)
{
	fill(o, 3);
	return o->at - 3;
}

static void end(struct out *o, uint64_t at)
{
	uint64_t n = o->at - at;

	o->buf[at] = (uint8_t)(2 << 6 | (n & 15));
	o->buf[at + 1] = (uint8_t)(n >> 4);
	o->buf[at + 2] = (uint8_t)(n >> 12);
}

static void named(struct out *o, const char *four)
{
	put8(o, 0x08);
	name(o, four);
}

static void string(struct out *o, const char *s)
{
	put8(o, 0x0d);
	put(o, s, strlen(s) + 1);
}

static void integer(struct out *o, unsigned v)
{
	put8(o, 0x0a);
	put8(o, v);
}

static void interrupt(struct out *o, unsigned irq)
{
	put8(o, 0x89);
	put16(o, 6);
	put8(o, 1 | IRQ_EDGE); /* a consumer; active high, not shared */
	put8(o, 1);
	put32(o, irq);
}

/* A Name(_CRS, Buffer) whose bytes follow; its size is a word in front of them. */
static uint64_t begin_resources(struct out *o)
{
	uint64_t at;

	named(o, "_CRS");
	put8(o, 0x11);
	at = begin(o);
	put8(o, 0x0b);
	put16(o, 0);
	return at;
}

static void end_resources(struct out *o, uint64_t at)
{
	uint64_t n;

	put16(o, 0x79); /* end tag; no checksum */
	n = o->at - (at + 6);
	o->buf[at + 4] = (uint8_t)n;
	o->buf[at + 5] = (uint8_t)(n >> 8);
	end(o, at);
}

static uint64_t begin_device(struct out *o, const char *four, const char *hid, unsigned uid)
{
	uint64_t at;

	put8(o, 0x5b);
	put8(o, 0x82);
	at = begin(o);
	name(o, four);
	named(o, "_HID");
	string(o, hid);
	named(o, "_UID");
	integer(o, uid);
	return at;
}

static void serial(struct out *o)
{
	uint64_t device = begin_device(o, "COM1", "PNP0501", 0), crs = begin_resources(o);

	put8(o, 0x47); /* ports */
	put8(o, 1);
	put16(o, PC_UART);
	put16(o, PC_UART);
	put8(o, 1);
	put8(o, 8);
	interrupt(o, PC_IRQ_UART);
	end_resources(o, crs);
	end(o, device);
}

static void virtio(struct out *o, unsigned slot, const struct device *d)
{
	char four[5];
	uint64_t device, crs;

	snprintf(four, sizeof(four), "VR%02X", slot & 0xff);
	device = begin_device(o, four, "LNRO0005", slot);
	named(o, "_CCA");
	put8(o, 1);
	crs = begin_resources(o);
	put8(o, 0x86); /* fixed memory, writable */
	put16(o, 9);
	put8(o, 1);
	put32(o, (uint32_t)d->base);
	put32(o, (uint32_t)d->size);
	interrupt(o, d->irq);
	end_resources(o, crs);
	end(o, device);
}

/* Name(\_S5_, Package() {PC_SLEEP_OFF, 0, 0, 0}) */
static void power_off(struct out *o)
{
	uint64_t at;

	named(o, "_S5_");
	put8(o, 0x12);
	at = begin(o);
	put8(o, 4);
	integer(o, PC_SLEEP_OFF);
	fill(o, 3);
	end(o, at);
}

/* ---- tables */

/* Where the table begins; the length and checksum are for table_end(). */
static uint64_t table_begin(struct out *o, const char *signature, unsigned revision)
{
	uint64_t at;

	fill(o, (16 - o->at % 16) % 16);
	at = o->at;
	put(o, signature, 4);
	fill(o, 4);
	put8(o, revision);
	fill(o, 1);
	put(o, "DISCO ", 6);
	put(o, "DISCOVM ", 8);
	put32(o, 1);
	put(o, "DSCO", 4);
	put32(o, 1);
	return at;
}

static uint8_t checksum(const uint8_t *p, uint64_t n)
{
	uint8_t sum = 0;

	while (n--)
		sum = (uint8_t)(sum + *p++);
	return (uint8_t)-sum;
}

/* Its physical address. */
static uint64_t table_end(struct out *o, uint64_t at)
{
	uint32_t n = (uint32_t)(o->at - at);

	memcpy(o->buf + at + 4, &n, 4);
	o->buf[at + 9] = 0;
	o->buf[at + 9] = checksum(o->buf + at, n);
	return o->pa + at;
}

static uint64_t dsdt(struct out *o, const struct vm *vm)
{
	uint64_t at = table_begin(o, "DSDT", 2), scope;

	power_off(o);
	put8(o, 0x10);
	scope = begin(o);
	put8(o, '\\');
	name(o, "_SB_");
	serial(o);
	for (unsigned i = 0; i < vm->n_devices; i++) {
		const struct device *d = vm->device[i];
		uint64_t slot = (d->base - PC_VIRTIO) >> PAGE_SHIFT;

		if (d->base >= PC_VIRTIO && slot < BOARD_VIRTIO_SLOTS)
			virtio(o, (unsigned)slot, d);
	}
	end(o, scope);
	return table_end(o, at);
}

/* A generic address structure (section 5.2.3.2): a register of one byte in port space. */
static void set_port(uint8_t *gas, unsigned port)
{
	const uint8_t bytes[GAS_BYTES] = {1, 8, 0, 1, (uint8_t)port, (uint8_t)(port >> 8)};

	memcpy(gas, bytes, sizeof(bytes));
}

static uint64_t fadt(struct out *o, uint64_t dsdt_pa)
{
	uint64_t at = table_begin(o, "FACP", 6);
	const uint32_t flags = FADT_FLAG_WBINVD | FADT_FLAG_RESET | FADT_FLAG_REDUCED;
	const uint16_t arch = FADT_BOOT_NO_VGA | FADT_BOOT_NO_CMOS_CLOCK;
	uint8_t *t;

	fill(o, FADT_BYTES - HEADER_BYTES);
	t = o->buf + at;
	memcpy(t + 109, &arch, 2);
	memcpy(t + 112, &flags, 4);
	set_port(t + 116, PC_RESET);
	t[128] = PC_RESET_VALUE;
	t[131] = 4; /* minor revision */
	memcpy(t + 140, &dsdt_pa, 8);
	set_port(t + 244, PC_POWER);
	set_port(t + 256, PC_POWER_STATUS);
	memcpy(t + 268, "DISCO\0\0", 8);
	return table_end(o, at);
}

static uint64_t madt(struct out *o, const struct vm *vm)
{
	uint64_t at = table_begin(o, "APIC", 5);

	put32(o, PC_LAPIC);
	put32(o, 0);
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		put8(o, 0);
		put8(o, 8);
		put8(o, i); /* processor, APIC */
		put8(o, i);
		put32(o, 1);
	}
	put8(o, 1);
	put8(o, 12);
	put8(o, 0);
	put8(o, 0);
	put32(o, PC_IOAPIC);
	put32(o, 0);
	return table_end(o, at);
}

/* Section 5.2.16. */
static uint64_t srat(struct out *o, const struct vm *vm)
{
	uint64_t at = table_begin(o, "SRAT", 3), pa, bytes;
	unsigned vnode;

	put32(o, 1);
	put64(o, 0);
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		put8(o, 0);
		put8(o, 16);
		put8(o, vm->vcpu[i].vnode); /* there are fewer than 256 */
		put8(o, i);
		put32(o, 1); /* enabled */
		put64(o, 0);
	}
	for (unsigned i = 0; vm_memory_range(vm, i, &pa, &bytes, &vnode); i++) {
		put8(o, 1);
		put8(o, 40);
		put32(o, vnode);
		put16(o, 0);
		put64(o, pa);
		put64(o, bytes);
		put32(o, 0);
		put32(o, 1); /* enabled */
		put64(o, 0);
	}
	return table_end(o, at);
}

/* Section 5.2.17. */
static uint64_t slit(struct out *o, const struct vm *vm)
{
	uint64_t at = table_begin(o, "SLIT", 1);

	put64(o, vm->n_vnodes);
	for (unsigned a = 0; a < vm->n_vnodes; a++)
		for (unsigned b = 0; b < vm->n_vnodes; b++)
			put8(o, vm_vnode_distance(vm, a, b));
	return table_end(o, at);
}

static uint64_t xsdt(struct out *o, const uint64_t *table_pa, unsigned n)
{
	uint64_t at = table_begin(o, "XSDT", 1);

	for (unsigned i = 0; i < n; i++)
		put64(o, table_pa[i]);
	return table_end(o, at);
}

uint64_t acpi_build(const struct vm *vm, uint8_t *buf, uint64_t bytes, uint64_t pa)
{
	struct out o = {.buf = buf, .bytes = bytes, .pa = pa};
	uint64_t table_pa[4], xsdt_pa;
	unsigned n = 0;

	/* Section 5.2.5.3. */
	put(&o, "RSD PTR ", 8);
	put8(&o, 0);
	put(&o, "DISCO ", 6);
	put8(&o, 2);
	put32(&o, 0);
	put32(&o, 36);
	fill(&o, 12);
	table_pa[n++] = fadt(&o, dsdt(&o, vm));
	table_pa[n++] = madt(&o, vm);
	if (vm->n_vnodes) {
		table_pa[n++] = srat(&o, vm);
		table_pa[n++] = slit(&o, vm);
	}
	xsdt_pa = xsdt(&o, table_pa, n);
	memcpy(buf + 24, &xsdt_pa, 8);
	buf[8] = checksum(buf, 20);
	buf[32] = checksum(buf, 36);
	return o.at;
}
