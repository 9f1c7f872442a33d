// SPDX-License-Identifier: MIT
/*
 * Loading a kernel and starting it without any firmware. There are two forms. A bzImage begins in
 * long mode at its 64-bit entry (Linux: Documentation/arch/x86/boot.rst, "64-bit boot protocol")
 * and unpacks itself at once, over its own place or near it, so its pages are copied. An ELF file,
 * as `vmlinux` is before it is packed, begins in protected mode where its PVH note says (Xen:
 * docs/misc/pvh.pandoc, public/arch-x86/hvm/start_info.h); its pages are where they will be used,
 * and are mapped from the image cache, as those of an initrd are. Memory of a VM:
 *
 *   0x500     descriptor table           0x20000   command line
 *   0x6000    PVH: start info            0xe0000   ACPI tables, reserved up to 1 MiB
 *   0x7000    boot parameters            1 MiB     bzImage: the 64-bit part, which unpacks itself
 *   0x9000    page tables: the first               to its preferred address; ELF: where it says
 * to 4 GiB as they are                    end of RAM below the gap: initrd
 */
#include <asm/bootparam.h>
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/boot/boot.h"
#include "monitor/engine/kvm/acpi.h"
#include "monitor/engine/kvm/boot.h"
#include "monitor/engine/kvm/map.h"
#include "monitor/vm/board.h"
#include "monitor/vm/engine.h"
#include "monitor/vm/guestmem.h"
#include "numa/util.h"

#define MIB (1ull << 20)

enum {
	GDT_PA = 0x500,
	START_INFO_PA = 0x6000,
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
	COMMAND_LINE_MAX = 2047, /* of Linux; PVH has no limit */
};

/* A kernel's demands: a bzImage's header, or the other fields from an ELF file. */
struct kernel {
	struct setup_header header;
	uint64_t end;          /* of the memory it takes */
	uint64_t initrd_limit; /* an initrd must end there */
	uint64_t cmdline_max;
};

/* The argument of a kernel that starts by PVH. */
struct pvh_module {
	uint64_t pa, bytes, cmdline_pa, reserved;
};
struct pvh_memory {
	uint64_t pa, bytes;
	uint32_t type, reserved;
};
struct pvh_start_info {
	uint32_t magic, version, flags, n_modules;
	uint64_t modules_pa, cmdline_pa, rsdp_pa, memory_pa;
	uint32_t n_memory, reserved;
};

static uint64_t page_up(uint64_t bytes)
{
	return (bytes + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
}

static uint64_t setup_bytes(const struct setup_header *h)
{
	return ((h->setup_sects ? h->setup_sects : 4u) + 1u) * UINT64_C(512);
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

static int read_bzimage(const struct boot *b, struct kernel *k)
{
	const struct setup_header *h = &k->header;
	int err = read_header(b->kernel, &k->header);

	if (err)
		return err;
	k->end = MAX(h->pref_address + h->init_size,
		KERNEL_PA + image_bytes(b->kernel) - setup_bytes(h));
	k->initrd_limit = h->initrd_addr_max & ~(uint64_t)(PAGE_SIZE - 1);
	k->cmdline_max = h->cmdline_size;
	return 0;
}

static int read_elf_kernel(const struct boot *b, uint64_t ram_bytes, struct kernel *k)
{
	const struct elf *e = &b->kernel_elf;

	if (!e->pvh || e->pvh > UINT32_MAX)
		return complain(EINVAL,
			"%s: an ELF file that cannot be started by PVH (no note of it)",
			image_name(b->kernel));
	for (unsigned i = 0; i < e->n_segments; i++)
		if (e->segment[i].pa < KERNEL_PA)
			return complain(EINVAL, "%s: a segment at 0x%llx, below 1 MiB",
				image_name(b->kernel), (unsigned long long)e->segment[i].pa);
	k->initrd_limit = b->board->ram_gap;
	k->cmdline_max = COMMAND_LINE_MAX;
	return boot_extent(
		b->kernel, e, b->board->ram_base, MIN(ram_bytes, b->board->ram_gap), &k->end);
}

static int read_kernel(const struct boot *b, uint64_t ram_bytes, struct kernel *k)
{
	memset(k, 0, sizeof(*k));
	return b->kernel_elf.n_segments ? read_elf_kernel(b, ram_bytes, k) : read_bzimage(b, k);
}

/* Where RAM ends that a kernel finds its initrd in. */
static uint64_t low_ram(const struct board *board, uint64_t ram_bytes, const struct kernel *k)
{
	uint64_t end = MIN(ram_bytes, board->ram_gap);

	return MIN(end, k->initrd_limit);
}

int kvm_boot_check(struct boot *b, uint64_t ram_bytes, uint64_t extra_bytes)
{
	uint64_t initrd = (b->initrd ? page_up(image_bytes(b->initrd)) : 0) + page_up(extra_bytes);
	struct kernel k;
	int err = boot_read_elf(b->kernel, EM_X86_64, &b->kernel_elf);

	if (!err)
		err = read_kernel(b, ram_bytes, &k);
	if (err)
		return err;
	if (strlen(b->files.append) > k.cmdline_max)
		return complain(E2BIG, "--append: this kernel takes at most %llu characters",
			(unsigned long long)k.cmdline_max);
	if (k.end + initrd > low_ram(b->board, ram_bytes, &k))
		return complain(ENOSPC,
			"%lluM of memory are too little for %s%s%s: give --memory %lluM or more",
			(unsigned long long)(ram_bytes / MIB), image_name(b->kernel),
			b->initrd ? " and " : "", b->initrd ? image_name(b->initrd) : "",
			(unsigned long long)((k.end + initrd + MIB - 1) / MIB));
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

/* RAM and its reserved ranges. Returns the number of entries, 4 at most. */
static unsigned memory_map(const struct vm *vm, struct pvh_memory map[4])
{
	enum { RAM = 1, RESERVED = 2 };
	const struct board *board = vm->board;
	uint64_t low = MIN(vm->ram_bytes, board->ram_gap), high = vm->ram_bytes - low;

	map[0] = (struct pvh_memory){.pa = 0, .bytes = LOW_END, .type = RAM};
	map[1] = (struct pvh_memory){
		.pa = LOW_END, .bytes = PC_BIOS_END - LOW_END, .type = RESERVED};
	map[2] = (struct pvh_memory){.pa = PC_BIOS_END, .bytes = low - PC_BIOS_END, .type = RAM};
	map[3] = (struct pvh_memory){.pa = board->ram_high, .bytes = high, .type = RAM};
	return high ? 4 : 3;
}

static int write_params(
	struct vm *vm, const struct setup_header *h, uint64_t initrd_pa, uint64_t initrd_bytes)
{
	struct boot_params *p = xcalloc(1, sizeof(*p));
	struct pvh_memory map[4];
	int err;

	p->hdr = *h;
	p->hdr.type_of_loader = LOADER_UNDEFINED;
	p->hdr.ramdisk_image = (uint32_t)initrd_pa;
	p->hdr.ramdisk_size = (uint32_t)initrd_bytes;
	p->hdr.cmd_line_ptr = CMDLINE_PA;
	p->acpi_rsdp_addr = PC_BIOS;
	p->e820_entries = (uint8_t)memory_map(vm, map);
	for (unsigned i = 0; i < p->e820_entries; i++)
		p->e820_table[i] = (struct boot_e820_entry){
			.addr = map[i].pa, .size = map[i].bytes, .type = map[i].type};
	err = gm_write(vm, PARAMS_PA, p, sizeof(*p));
	free(p);
	return err;
}

static int write_start_info(struct vm *vm, uint64_t initrd_pa, uint64_t initrd_bytes)
{
	struct {
		struct pvh_start_info info;
		struct pvh_module initrd;
		struct pvh_memory memory[4];
	} start = {
		.info = {.magic = 0x336ec578,
			.version = 1,
			.n_modules = initrd_bytes > 0,
			.modules_pa = START_INFO_PA + sizeof(start.info),
			.cmdline_pa = CMDLINE_PA,
			.rsdp_pa = PC_BIOS,
			.memory_pa = START_INFO_PA + sizeof(start.info) + sizeof(start.initrd)},
		.initrd = {.pa = initrd_pa, .bytes = initrd_bytes},
	};

	start.info.n_memory = memory_map(vm, start.memory);
	return gm_write(vm, START_INFO_PA, &start, sizeof(start));
}

static int load_bzimage(const struct boot *b, struct vm *vm, const struct setup_header *h,
	uint64_t initrd_pa, uint64_t initrd_bytes)
{
	int err = copy_kernel(b, vm, setup_bytes(h));

	if (!err)
		err = write_tables(vm);
	if (!err)
		err = write_gdt(vm);
	return err ? err : write_params(vm, h, initrd_pa, initrd_bytes);
}

int kvm_boot_load(const struct boot *b, struct vm *vm, const void *extra, uint64_t extra_bytes)
{
	const struct elf *e = &b->kernel_elf;
	uint64_t initrd_pa, initrd_bytes;
	struct kernel k;
	int err = read_kernel(b, vm->ram_bytes, &k);

	if (!err)
		err = boot_load_initrd(b, vm, low_ram(b->board, vm->ram_bytes, &k), extra,
			extra_bytes, &initrd_pa, &initrd_bytes);
	if (!err && e->n_segments)
		err = boot_load_segments(vm, b->kernel, e);
	if (err)
		return err;
	err = e->n_segments ? write_start_info(vm, initrd_pa, initrd_bytes)
			    : load_bzimage(b, vm, &k.header, initrd_pa, initrd_bytes);
	if (!err)
		err = write_acpi(vm);
	if (!err)
		err = gm_write(vm, CMDLINE_PA, b->files.append, strlen(b->files.append) + 1);
	if (err)
		return complain(-err, "%s: cannot be loaded into %s: %s", image_name(b->kernel),
			vm->name, strerror(-err));
	if (e->n_segments)
		vm->cluster->engine->vcpu_start(&vm->vcpu[0], e->pvh, START_INFO_PA, 0);
	else
		vm->cluster->engine->vcpu_start(
			&vm->vcpu[0], KERNEL_PA + ENTRY_64, PARAMS_PA, TABLES_PA);
	return 0;
}
