// SPDX-License-Identifier: MIT
/*
 * Loading a bzImage and starting it in long mode (Linux: Documentation/arch/x86/boot.rst, "64-bit
 * boot protocol"), without any firmware. Memory of a VM:
 *
 *   0x500     descriptor table           0x20000   command line
 *   0x7000    boot parameters            0xe0000   ACPI tables, reserved up to 1 MiB
 *   0x9000    page tables: the first     1 MiB     the kernel's 64-bit part, which unpacks itself
 * to 4 GiB as they are                    its preferred address end of RAM below the gap: initrd
 *
 * The kernel unpacks itself at once, over its own place or near it, so its pages are copied; the
 * initrd's are mapped from the image cache.
 */
#include <asm/bootparam.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/board.h"
#include "monitor/boot.h"
#include "monitor/engine/kvm/kvm.h"
#include "monitor/guestmem.h"
#include "numa/util.h"

#define MIB (1ull << 20)

enum {
	GDT_PA = 0x500,
	PARAMS_PA = 0x7000,
	TABLES_PA = 0x9000,
	CMDLINE_PA = 0x20000,
	LOW_END = 0x9fc00, /* of usable memory below the old adapters' place */
	KERNEL_PA = 0x100000,
	SETUP_HEADER_AT = 0x1f1,
	HEADER_MAGIC = 0x53726448, /* "HdrS" */
	BOOT_FLAG = 0xaa55,
	OLDEST = 0x20c, /* the 64-bit entry came with protocol 2.12 */
	ENTRY_64 = 0x200,
	LOADER_UNDEFINED = 0xff,
	LARGE = 1 << 7,
};

static uint64_t page_up(uint64_t bytes)
{
	return (bytes + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
}

static uint64_t setup_bytes(const struct setup_header *h)
{
	return ((h->setup_sects ? h->setup_sects : 4u) + 1u) * 512u;
}

static int read_header(struct image *img, struct setup_header *h)
{
	if (image_bytes(img) < SETUP_HEADER_AT + sizeof(*h) ||
		image_read(img, SETUP_HEADER_AT, h, sizeof(*h)))
		return complain(EINVAL, "%s: not a kernel: it is too small", image_name(img));
	if (h->boot_flag != BOOT_FLAG || h->header != HEADER_MAGIC)
		return complain(
			EINVAL, "%s: not a bzImage, the form of x86-64 kernels", image_name(img));
	if (h->version < OLDEST || !(h->xloadflags & XLF_KERNEL_64))
		return complain(EINVAL, "%s: a kernel without a 64-bit entry", image_name(img));
	if (setup_bytes(h) + ENTRY_64 >= image_bytes(img))
		return complain(EINVAL, "%s: a kernel that is cut off", image_name(img));
	return 0;
}

/* Where RAM ends that a kernel finds its initrd in. */
static uint64_t low_ram(const struct board *board, uint64_t ram_bytes, const struct setup_header *h)
{
	uint64_t end = MIN(ram_bytes, board->ram_gap);

	return MIN(end, h->initrd_addr_max & ~(uint64_t)(PAGE_SIZE - 1));
}

int kvm_boot_check(struct boot *b, uint64_t ram_bytes, uint64_t extra_bytes)
{
	struct setup_header h;
	uint64_t kernel_end, initrd;
	int err = read_header(b->kernel, &h);

	if (err)
		return err;
	if (strlen(b->files.append) > h.cmdline_size)
		return complain(
			E2BIG, "--append: this kernel takes at most %u characters", h.cmdline_size);
	kernel_end = MAX(
		h.pref_address + h.init_size, KERNEL_PA + image_bytes(b->kernel) - setup_bytes(&h));
	initrd = (b->initrd ? page_up(image_bytes(b->initrd)) : 0) + page_up(extra_bytes);
	if (kernel_end + initrd > low_ram(b->board, ram_bytes, &h))
		return complain(ENOSPC,
			"%lluM of memory are too little for %s%s%s: give --memory %lluM or more",
			(unsigned long long)(ram_bytes / MIB), image_name(b->kernel),
			b->initrd ? " and " : "", b->initrd ? image_name(b->initrd) : "",
			(unsigned long long)((kernel_end + initrd + MIB - 1) / MIB));
	return 0;
}

static int copy_kernel(const struct boot *b, struct vm *vm, uint64_t skip)
{
	uint64_t n = image_bytes(b->kernel) - skip;
	void *bytes = xcalloc(1, n);
	int err = image_read(b->kernel, skip, bytes, n);

	if (!err)
		err = gm_write(vm, KERNEL_PA, bytes, n);
	free(bytes);
	return err;
}

/* The first 4 GiB, each address to itself, in pages of 2 MiB. */
static int write_tables(struct vm *vm)
{
	enum { PRESENT_WRITE = 3, ENTRIES = 512, GIBS = 4 };
	uint64_t table[ENTRIES] = {TABLES_PA + PAGE_SIZE + PRESENT_WRITE};
	int err = gm_write(vm, TABLES_PA, table, sizeof(table));

	for (unsigned i = 0; i < ENTRIES; i++)
		table[i] = i < GIBS ? TABLES_PA + (2 + i) * PAGE_SIZE + PRESENT_WRITE : 0;
	if (!err)
		err = gm_write(vm, TABLES_PA + PAGE_SIZE, table, sizeof(table));
	for (unsigned gib = 0; !err && gib < GIBS; gib++) {
		for (uint64_t i = 0; i < ENTRIES; i++)
			table[i] = ((uint64_t)gib << 30 | i << 21) | LARGE | PRESENT_WRITE;
		err = gm_write(vm, TABLES_PA + (2 + gib) * PAGE_SIZE, table, sizeof(table));
	}
	return err;
}

static int write_gdt(struct vm *vm)
{
	/* Code at 0x10, data at 0x18, as the protocol wants. */
	static const uint64_t gdt[4] = {0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff};

	return gm_write(vm, GDT_PA, gdt, sizeof(gdt));
}

static int write_acpi(struct vm *vm)
{
	uint64_t room = PC_BIOS_END - PC_BIOS;
	uint8_t *tables = xcalloc(1, room);
	int err = gm_write(vm, PC_BIOS, tables, acpi_build(vm, tables, room, PC_BIOS));

	free(tables);
	return err;
}

static void add_memory(struct boot_params *p, uint64_t pa, uint64_t end, uint32_t type)
{
	if (end > pa)
		p->e820_table[p->e820_entries++] =
			(struct boot_e820_entry){.addr = pa, .size = end - pa, .type = type};
}

static int write_params(const struct boot *b, struct vm *vm, const struct setup_header *h,
	uint64_t initrd_pa, uint64_t initrd_bytes)
{
	enum { RAM = 1, RESERVED = 2 };
	const struct board *board = b->board;
	struct boot_params *p = xcalloc(1, sizeof(*p));
	uint64_t low = MIN(vm->ram_bytes, board->ram_gap);
	int err;

	p->hdr = *h;
	p->hdr.type_of_loader = LOADER_UNDEFINED;
	p->hdr.ramdisk_image = (uint32_t)initrd_pa;
	p->hdr.ramdisk_size = (uint32_t)initrd_bytes;
	p->hdr.cmd_line_ptr = CMDLINE_PA;
	p->acpi_rsdp_addr = PC_BIOS;
	add_memory(p, 0, LOW_END, RAM);
	add_memory(p, LOW_END, PC_BIOS_END, RESERVED);
	add_memory(p, PC_BIOS_END, low, RAM);
	add_memory(p, board->ram_high, board->ram_high + vm->ram_bytes - low, RAM);
	err = gm_write(vm, PARAMS_PA, p, sizeof(*p));
	free(p);
	if (!err)
		err = gm_write(vm, CMDLINE_PA, b->files.append, strlen(b->files.append) + 1);
	return err;
}

int kvm_boot_load(const struct boot *b, struct vm *vm, const void *extra, uint64_t extra_bytes)
{
	struct setup_header h;
	uint64_t initrd_pa, initrd_bytes;
	int err = read_header(b->kernel, &h);

	if (!err)
		err = boot_load_initrd(b, vm, low_ram(b->board, vm->ram_bytes, &h), extra,
			extra_bytes, &initrd_pa, &initrd_bytes);
	if (err)
		return err;
	err = copy_kernel(b, vm, setup_bytes(&h));
	if (!err)
		err = write_tables(vm);
	if (!err)
		err = write_gdt(vm);
	if (!err)
		err = write_acpi(vm);
	if (!err)
		err = write_params(b, vm, &h, initrd_pa, initrd_bytes);
	if (err)
		return complain(-err, "%s: cannot be loaded into %s: %s", image_name(b->kernel),
			vm->name, strerror(-err));
	vm->cluster->engine->vcpu_start(&vm->vcpu[0], KERNEL_PA + ENTRY_64, PARAMS_PA, TABLES_PA);
	return 0;
}
