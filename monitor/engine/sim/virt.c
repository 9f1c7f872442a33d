// SPDX-License-Identifier: MIT
/*
 * The board of VMs under the simulator: QEMU's `virt` for RISC-V (hw/riscv/virt.c there), so that
 * kernels and firmware built for that boot unchanged. Here are its memory map, the device tree that
 * describes it, and what is loaded into a VM's memory before its first instruction.
 *
 * Memory of a VM, from VM_RAM_BASE; QEMU does the same:
 *
 *   0            firmware (--bios), else nothing
 *   2 MiB        kernel: at its header's text_offset, or here when a firmware will start it
 *   ...
 *   top - 512K   initrd ends here, page-aligned; the VM's own small cpio archive is its last part
 *   top - 512K   device tree, with room for a firmware to let it grow
 *   top - 4K     with --bios: reset code and OpenSBI's fw_dynamic_info
 */
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/boot/boot.h"
#include "monitor/boot/fdt.h"
#include "monitor/engine/sim/virt.h"
#include "monitor/vm/board.h"
#include "monitor/vm/engine.h"
#include "monitor/vm/guestmem.h"
#include "numa/util.h"

static void add_platform(struct vm *vm);
static int boot_check(struct boot *b, uint64_t ram_bytes, uint64_t extra_bytes);
static int boot_load(const struct boot *b, struct vm *vm, const void *extra, uint64_t extra_bytes);

const struct board board_virt = {
	.arch = "riscv64",
	.append = " earlycon", /* a panic before the console is there is told, too */
	.ram_base = VM_RAM_BASE,
	.ram_gap = UINT64_MAX,
	.ram_high = UINT64_MAX,
	.map =
		{
			/* base, bytes, interrupt */
			[PART_TEST] = {0x100000, 0x1000, 0},
			[PART_RTC] = {0x101000, 0x1000, 11},
			[PART_GENID] = {0x102000, 0x1000, 12}, /* not QEMU's; only of clones */
			[PART_ACLINT] = {0x2000000, 0x10000, 0},
			[PART_PLIC] = {0xc000000, 0x600000, 0},
			[PART_UART] = {0x10000000, 0x100, 10},
			[PART_VIRTIO] = {0x10001000, 0x10000, 0},
		},
	/* QEMU has the first 8 */
	.virtio_irq = {1, 2, 3, 4, 5, 6, 7, 8, 40, 41, 42, 43, 44, 45, 46, 47},
	.add_platform = add_platform,
	.boot_check = boot_check,
	.boot_load = boot_load,
};

#define MIB        (1ull << 20)
#define FDT_AREA   (512ull << 10)
#define RESET_AREA 4096ull
#define FDT_ROOM   (128ull << 10) /* left for firmware to grow the tree in place */
#define KERNEL_RAW (2 * MIB)      /* where firmware expects its next stage */

enum { APPEND_MAX = 1023 };      /* riscv's COMMAND_LINE_SIZE, with the zero at its end */
enum { TREE_BYTES = 256 << 10 }; /* 128 CPUs take about 60 KiB */

static void add_platform(struct vm *vm)
{
	plic_create(vm);
	if (vm->bios)
		aclint_create(vm);
	testdev_create(vm);
	rtc_create(vm);
}

/* --- the device tree: each device writes its own node, here is the rest --- */

static const struct device *find(const struct vm *vm, const char *type)
{
	for (unsigned i = 0; i < vm->n_devices; i++)
		if (!strcmp(vm->device[i]->ops->type, type))
			return vm->device[i];
	return NULL;
}

static void chosen(
	struct vm *vm, void *fdt, const char *bootargs, uint64_t initrd_pa, uint64_t initrd_bytes)
{
	const struct device *uart = find(vm, "uart");
	uint64_t state =
		vm->seed ^ 0x726e672d73656564; /* "rng-seed": not the stream of virtio-rng */
	uint64_t seed[4];
	char path[64];

	fdt_begin(fdt, "chosen");
	if (bootargs && *bootargs)
		fdt_ok(fdt_property_string(fdt, "bootargs", bootargs));
	if (uart) {
		snprintf(path, sizeof(path), "/soc/serial@%" PRIx64, uart->base);
		fdt_ok(fdt_property_string(fdt, "stdout-path", path));
	}
	if (initrd_bytes) {
		fdt_ok(fdt_property_u64(fdt, "linux,initrd-start", initrd_pa));
		fdt_ok(fdt_property_u64(fdt, "linux,initrd-end", initrd_pa + initrd_bytes));
	}
	for (unsigned i = 0; i < ARRAY_SIZE(seed); i++)
		seed[i] = splitmix64(&state);
	fdt_ok(fdt_property(fdt, "rng-seed", seed, sizeof(seed)));
	fdt_end(fdt);
}

/* What the CPUs implement (insn.def, csr.c). */
static const char isa_string[] =
	"rv64imafdc_zicntr_zicsr_zifencei_zihintpause_zba_zbb_zbs_sstc_svadu";

/* "rv64imac_zicsr" as the list "i", "m", "a", "c", "zicsr", which newer kernels prefer. */
static void isa_extensions(void *fdt, const char *isa)
{
	char list[512];
	int n = 0;

	for (const char *p = isa + strlen("rv64"); *p && *p != '_'; p++) {
		list[n++] = *p;
		list[n++] = '\0';
	}
	for (const char *p = strchr(isa, '_'); p; p = strchr(p, '_')) {
		size_t len = strcspn(++p, "_");

		if (n + len + 1 > sizeof(list))
			die("device tree: the ISA string is too long");
		memcpy(list + n, p, len);
		list[n + (int)len] = '\0';
		n += (int)len + 1;
	}
	fdt_ok(fdt_property_string(fdt, "riscv,isa-base", "rv64i"));
	fdt_ok(fdt_property(fdt, "riscv,isa-extensions", list, n));
}

/* Devicetree bindings: numa.txt. */
static void numa_node(const struct vm *vm, void *fdt, unsigned vnode)
{
	if (vm->n_vnodes)
		fdt_ok(fdt_property_u32(fdt, "numa-node-id", vnode));
}

static void memory(const struct vm *vm, void *fdt)
{
	uint64_t pa, bytes;
	unsigned vnode;

	for (unsigned i = 0; vm_memory_range(vm, i, &pa, &bytes, &vnode); i++) {
		fdt_begin_at(fdt, "memory", pa);
		fdt_ok(fdt_property_string(fdt, "device_type", "memory"));
		fdt_reg(fdt, pa, bytes);
		numa_node(vm, fdt, vnode);
		fdt_end(fdt);
	}
}

static void distances(const struct vm *vm, void *fdt)
{
	static const char compatible[] = "numa-distance-map-v1";
	unsigned n = vm->n_vnodes;
	int bytes = (int)(3 * sizeof(fdt32_t) * n * n);
	fdt32_t *cell = xcalloc(1, (size_t)bytes), *at = cell;

	for (unsigned a = 0; a < n; a++)
		for (unsigned b = 0; b < n; b++) {
			*at++ = cpu_to_fdt32(a);
			*at++ = cpu_to_fdt32(b);
			*at++ = cpu_to_fdt32(vm_vnode_distance(vm, a, b));
		}
	fdt_begin(fdt, "distance-map");
	fdt_ok(fdt_property(fdt, "compatible", compatible, sizeof(compatible)));
	fdt_ok(fdt_property(fdt, "distance-matrix", cell, bytes));
	fdt_end(fdt);
	free(cell);
}

static void cpus(struct vm *vm, void *fdt)
{
	fdt_begin(fdt, "cpus");
	fdt_ok(fdt_property_u32(fdt, "#address-cells", 1));
	fdt_ok(fdt_property_u32(fdt, "#size-cells", 0));
	fdt_ok(fdt_property_u32(
		fdt, "timebase-frequency", (uint32_t)vm->cluster->machine->timebase_hz));
	for (unsigned hart = 0; hart < vm->n_vcpus; hart++) {
		fdt_begin_at(fdt, "cpu", hart);
		fdt_ok(fdt_property_string(fdt, "device_type", "cpu"));
		fdt_ok(fdt_property_u32(fdt, "reg", hart));
		numa_node(vm, fdt, vm->vcpu[hart].vnode);
		fdt_ok(fdt_property_string(fdt, "status", "okay"));
		fdt_ok(fdt_property_string(fdt, "compatible", "riscv"));
		fdt_ok(fdt_property_string(fdt, "riscv,isa", isa_string));
		isa_extensions(fdt, isa_string);
		fdt_ok(fdt_property_string(fdt, "mmu-type", "riscv,sv57"));
		fdt_begin(fdt, "interrupt-controller");
		fdt_ok(fdt_property_u32(fdt, "#interrupt-cells", 1));
		fdt_ok(fdt_property(fdt, "interrupt-controller", NULL, 0));
		fdt_ok(fdt_property_string(fdt, "compatible", "riscv,cpu-intc"));
		fdt_ok(fdt_property_u32(fdt, "phandle", PHANDLE_CPU_INTC + hart));
		fdt_end(fdt);
		fdt_end(fdt);
	}
	fdt_end(fdt);
}

/* How Linux's generic drivers end the machine through the test device. */
static void syscon(void *fdt, const char *name, const char *compatible, uint32_t value)
{
	fdt_begin(fdt, name);
	fdt_ok(fdt_property_string(fdt, "compatible", compatible));
	fdt_ok(fdt_property_u32(fdt, "regmap", PHANDLE_TEST));
	fdt_ok(fdt_property_u32(fdt, "offset", 0));
	fdt_ok(fdt_property_u32(fdt, "value", value));
	fdt_end(fdt);
}

int virt_fdt(struct vm *vm, const char *bootargs, uint64_t initrd_pa, uint64_t initrd_bytes,
	void *buf, int bytes)
{
	int size = TREE_BYTES + (int)(bootargs ? strlen(bootargs) : 0), total;
	void *fdt = xcalloc(1, (size_t)size);

	fdt_ok(fdt_create(fdt, size));
	fdt_ok(fdt_finish_reservemap(fdt));
	fdt_begin(fdt, "");
	fdt_ok(fdt_property_u32(fdt, "#address-cells", 2));
	fdt_ok(fdt_property_u32(fdt, "#size-cells", 2));
	fdt_ok(fdt_property_string(fdt, "compatible", "riscv-virtio"));
	fdt_ok(fdt_property_string(fdt, "model", "riscv-virtio,disco"));
	chosen(vm, fdt, bootargs, initrd_pa, initrd_bytes);
	memory(vm, fdt);
	cpus(vm, fdt);
	if (vm->n_vnodes)
		distances(vm, fdt);
	fdt_begin(fdt, "soc");
	fdt_ok(fdt_property_u32(fdt, "#address-cells", 2));
	fdt_ok(fdt_property_u32(fdt, "#size-cells", 2));
	fdt_ok(fdt_property_string(fdt, "compatible", "simple-bus"));
	fdt_ok(fdt_property(fdt, "ranges", NULL, 0));
	for (unsigned i = 0; i < vm->n_devices; i++)
		if (vm->device[i]->ops->fdt)
			vm->device[i]->ops->fdt(vm->device[i], fdt);
	fdt_end(fdt);
	if (find(vm, "test")) {
		syscon(fdt, "poweroff", "syscon-poweroff", 0x5555);
		syscon(fdt, "reboot", "syscon-reboot", 0x7777);
	}
	fdt_end(fdt);
	fdt_ok(fdt_finish(fdt));

	total = (int)fdt_totalsize(fdt);
	if (total <= bytes)
		memcpy(buf, fdt, (size_t)total);
	free(fdt);
	return total <= bytes ? 0 : -ENOSPC;
}

/* --- loading --- */

static int read_kernel_header(struct boot *b)
{
	uint64_t n = image_bytes(b->kernel);
	uint8_t head[KERNEL_HEADER_BYTES] = {0};
	int err = image_read(b->kernel, 0, head, MIN(n, sizeof(head)));

	if (err)
		return complain(-err, "%s: cannot be read", image_name(b->kernel));
	return kernel_header_parse(head, n, image_name(b->kernel), &b->header);
}

/* The part of RAM, from its start, that a raw or ELF file takes. */
static int extent(const struct image *img, const struct elf *e, uint64_t raw_offset,
	uint64_t ram_bytes, uint64_t *end)
{
	*end = raw_offset + image_bytes(img);
	return boot_extent(img, e, VM_RAM_BASE, ram_bytes, end);
}

static int check_fit(const struct boot *b, uint64_t ram_bytes, uint64_t extra_bytes)
{
	uint64_t end = 0, kernel_end = 0, top;
	uint64_t initrd = b->initrd ? boot_page_up(image_bytes(b->initrd)) : 0;
	int err = 0;

	if (b->bios)
		err = extent(b->bios, &b->bios_elf, 0, ram_bytes, &end);
	if (!err && b->bios && b->kernel)
		err = extent(b->kernel, &b->kernel_elf, KERNEL_RAW, ram_bytes, &kernel_end);
	if (err)
		return err;
	if (b->bios && b->kernel && !b->bios_elf.n_segments && !b->kernel_elf.n_segments &&
		image_bytes(b->bios) > KERNEL_RAW)
		return complain(EFBIG,
			"%s: %llu bytes reach into the kernel, which is loaded at 2 "
			"MiB",
			image_name(b->bios), (unsigned long long)image_bytes(b->bios));
	if (!b->bios)
		kernel_end = b->header.text_offset + b->header.image_bytes;
	end = MAX(end, kernel_end);
	top = FDT_AREA + boot_page_up(extra_bytes) + initrd;
	if (end > ram_bytes || top > ram_bytes - end)
		return complain(ENOSPC,
			"%lluM of memory are too little for %s%s%s: give --memory %lluM "
			"or more",
			(unsigned long long)(ram_bytes / MIB),
			image_name(b->kernel ? b->kernel : b->bios), b->initrd ? " and " : "",
			b->initrd ? image_name(b->initrd) : "",
			(unsigned long long)((end + top + MIB - 1) / MIB));
	return 0;
}

/* UEFI's firmware volumes (PI specification, volume 3, section 3.2.1) run from flash memory. */
static int refuse_flash(struct image *img)
{
	uint8_t head[44] = {0};
	int err = image_read(img, 0, head, MIN(image_bytes(img), sizeof(head)));

	if (err)
		return complain(-err, "%s: cannot be read", image_name(img));
	if (memcmp(head + 40, "_FVH", 4))
		return 0;
	return complain(EINVAL,
		"%s: UEFI firmware (EDK2) runs from flash memory, which this board lacks; U-Boot "
		"boots the same systems: --bios fw_dynamic.bin --kernel u-boot.bin",
		image_name(img));
}

static int boot_check(struct boot *b, uint64_t ram_bytes, uint64_t extra_bytes)
{
	int err = b->bios ? refuse_flash(b->bios) : 0;

	if (!err && !b->bios && strlen(b->files.append) > APPEND_MAX)
		err = complain(EINVAL, "--append: %zu bytes, but Linux keeps %d of a command line",
			strlen(b->files.append), APPEND_MAX);
	if (!err && b->bios)
		err = boot_read_elf(b->bios, EM_RISCV, &b->bios_elf);
	if (!err && b->bios && b->kernel)
		err = boot_read_elf(b->kernel, EM_RISCV, &b->kernel_elf);
	if (!err && !b->bios)
		err = read_kernel_header(b);
	return err ? err : check_fit(b, ram_bytes, extra_bytes);
}

static int load_raw_or_elf(
	struct vm *vm, struct image *img, const struct elf *e, uint64_t offset, uint64_t *entry_pa)
{
	*entry_pa = e->n_segments ? e->entry : VM_RAM_BASE + offset;
	return e->n_segments ? boot_load_segments(vm, img, e) : boot_map_image(vm, img, offset);
}

static int load_fdt(const struct boot *b, struct vm *vm, uint64_t initrd_pa, uint64_t initrd_bytes,
	uint64_t *pa)
{
	uint64_t room = FDT_AREA - RESET_AREA - FDT_ROOM;
	void *fdt = xcalloc(1, room);
	int err = virt_fdt(vm, b->files.append, initrd_pa, initrd_bytes, fdt, (int)room);

	*pa = VM_RAM_BASE + vm->ram_bytes - FDT_AREA;
	if (!err)
		err = gm_write(vm, *pa, fdt, fdt_totalsize(fdt));
	free(fdt);
	if (err)
		return complain(-err, "the device tree of %s cannot be written: %s", vm->name,
			strerror(-err));
	return 0;
}

/*
 * The engine starts a vCPU with a0 and a1; OpenSBI's fw_dynamic also wants a2. As on QEMU's board,
 * a few instructions of reset code load it and jump on.
 */
static int load_reset_code(struct vm *vm, uint64_t entry_pa, uint64_t next_pa, uint64_t *reset_pa)
{
	struct {
		uint32_t code[4];
		uint64_t entry;
		uint64_t info[6]; /* OpenSBI include/sbi/fw_dynamic.h, version 2 */
	} reset = {
		.code =
			{
				0x00000297, /* auipc t0, 0 */
				0x01828613, /* addi a2, t0, offsetof(info) */
				0x0102b303, /* ld t1, offsetof(entry)(t0) */
				0x00030067, /* jr t1 */
			},
		.entry = entry_pa,
		/* magic "OSBI", version, next_addr, next_mode = S, options, boot_hart */
		.info = {0x4942534f, 2, next_pa, 1, 0, 0},
	};

	*reset_pa = VM_RAM_BASE + vm->ram_bytes - RESET_AREA;
	if (gm_write(vm, *reset_pa, &reset, sizeof(reset)))
		return complain(ENOMEM, "machine memory is exhausted while %s is loaded", vm->name);
	return 0;
}

static int boot_load(const struct boot *b, struct vm *vm, const void *extra, uint64_t extra_bytes)
{
	const struct engine *engine = vm->cluster->engine;
	uint64_t pc = 0, next_pa = VM_RAM_BASE + KERNEL_RAW, initrd_pa, initrd_bytes, fdt_pa;
	unsigned starting = b->bios ? vm->n_vcpus : 1;
	int err = boot_load_initrd(
		b, vm, vm->ram_bytes - FDT_AREA, extra, extra_bytes, &initrd_pa, &initrd_bytes);

	if (initrd_bytes)
		initrd_pa += VM_RAM_BASE;
	if (!err)
		err = load_fdt(b, vm, initrd_pa, initrd_bytes, &fdt_pa);
	if (!err && b->bios) {
		err = load_raw_or_elf(vm, b->bios, &b->bios_elf, 0, &pc);
		if (!err && b->kernel)
			err = load_raw_or_elf(vm, b->kernel, &b->kernel_elf, KERNEL_RAW, &next_pa);
		if (!err)
			err = load_reset_code(vm, pc, next_pa, &pc);
	} else if (!err) {
		err = boot_map_image(vm, b->kernel, b->header.text_offset);
		pc = VM_RAM_BASE + b->header.text_offset;
	}
	for (unsigned i = 0; !err && i < starting; i++)
		engine->vcpu_start(&vm->vcpu[i], pc, i, fdt_pa);
	return err;
}
