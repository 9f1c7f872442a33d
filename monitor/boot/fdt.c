// SPDX-License-Identifier: MIT
/*
 * The flattened device tree of a VM, in the shape of QEMU's `virt` board. Each device writes its
 * own node; here is what belongs to no device: memory, CPUs, /chosen, and how to power off. The
 * tree is written into a buffer that is large enough for any board, then copied, so that the
 * writers need no error paths.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/vm/board.h"
#include "monitor/boot/boot.h"
#include "monitor/vm/engine.h"
#include "monitor/boot/fdt.h"
#include "numa/util.h"

enum { TREE_BYTES = 256 << 10 }; /* 128 CPUs take about 60 KiB */

void fdt_ok(int err)
{
	if (err)
		die("device tree: %s", fdt_strerror(err));
}

static void begin(void *fdt, const char *name)
{
	fdt_ok(fdt_begin_node(fdt, name));
}

static void begin_at(void *fdt, const char *name, uint64_t unit)
{
	char full[64];

	snprintf(full, sizeof(full), "%s@%" PRIx64, name, unit);
	begin(fdt, full);
}

static void end(void *fdt)
{
	fdt_ok(fdt_end_node(fdt));
}

static void reg(void *fdt, uint64_t base, uint64_t bytes)
{
	fdt64_t cells[] = {cpu_to_fdt64(base), cpu_to_fdt64(bytes)};

	fdt_ok(fdt_property(fdt, "reg", cells, sizeof(cells)));
}

void fdt_device_begin(void *fdt, const struct device *d, const char *name, const char *compatible,
	int n_compatible)
{
	begin_at(fdt, name, d->base);
	fdt_ok(fdt_property(fdt, "compatible", compatible, n_compatible));
	reg(fdt, d->base, d->size);
}

void fdt_device_irq(void *fdt, const struct device *d)
{
	fdt_ok(fdt_property_u32(fdt, "interrupt-parent", PHANDLE_PLIC));
	fdt_ok(fdt_property_u32(fdt, "interrupts", d->irq));
}

void fdt_cpu_interrupts(void *fdt, const struct device *d, const unsigned *irq, unsigned n)
{
	unsigned n_vcpus = d->vm->n_vcpus;
	int bytes = (int)(n_vcpus * n * 2 * sizeof(fdt32_t));
	fdt32_t *cell = xcalloc(1, (size_t)bytes), *at = cell;

	for (unsigned hart = 0; hart < n_vcpus; hart++) {
		for (unsigned i = 0; i < n; i++) {
			*at++ = cpu_to_fdt32(PHANDLE_CPU_INTC + hart);
			*at++ = cpu_to_fdt32(irq[i]);
		}
	}
	fdt_ok(fdt_property(fdt, "interrupts-extended", cell, bytes));
	free(cell);
}

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

	begin(fdt, "chosen");
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
	end(fdt);
}

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
		begin_at(fdt, "memory", pa);
		fdt_ok(fdt_property_string(fdt, "device_type", "memory"));
		reg(fdt, pa, bytes);
		numa_node(vm, fdt, vnode);
		end(fdt);
	}
}

static void distances(const struct vm *vm, void *fdt)
{
	static const char compatible[] = "numa-distance-map-v1";
	unsigned n = vm->n_vnodes;
	int bytes = (int)(n * n * 3 * sizeof(fdt32_t));
	fdt32_t *cell = xcalloc(1, (size_t)bytes), *at = cell;

	for (unsigned a = 0; a < n; a++)
		for (unsigned b = 0; b < n; b++) {
			*at++ = cpu_to_fdt32(a);
			*at++ = cpu_to_fdt32(b);
			*at++ = cpu_to_fdt32(vm_vnode_distance(vm, a, b));
		}
	begin(fdt, "distance-map");
	fdt_ok(fdt_property(fdt, "compatible", compatible, sizeof(compatible)));
	fdt_ok(fdt_property(fdt, "distance-matrix", cell, bytes));
	end(fdt);
	free(cell);
}

static void cpus(struct vm *vm, void *fdt)
{
	begin(fdt, "cpus");
	fdt_ok(fdt_property_u32(fdt, "#address-cells", 1));
	fdt_ok(fdt_property_u32(fdt, "#size-cells", 0));
	fdt_ok(fdt_property_u32(
		fdt, "timebase-frequency", (uint32_t)vm->cluster->machine->timebase_hz));
	for (unsigned hart = 0; hart < vm->n_vcpus; hart++) {
		begin_at(fdt, "cpu", hart);
		fdt_ok(fdt_property_string(fdt, "device_type", "cpu"));
		fdt_ok(fdt_property_u32(fdt, "reg", hart));
		numa_node(vm, fdt, vm->vcpu[hart].vnode);
		fdt_ok(fdt_property_string(fdt, "status", "okay"));
		fdt_ok(fdt_property_string(fdt, "compatible", "riscv"));
		fdt_ok(fdt_property_string(fdt, "riscv,isa", sim_isa_string));
		isa_extensions(fdt, sim_isa_string);
		fdt_ok(fdt_property_string(fdt, "mmu-type", sim_mmu_type));
		begin(fdt, "interrupt-controller");
		fdt_ok(fdt_property_u32(fdt, "#interrupt-cells", 1));
		fdt_ok(fdt_property(fdt, "interrupt-controller", NULL, 0));
		fdt_ok(fdt_property_string(fdt, "compatible", "riscv,cpu-intc"));
		fdt_ok(fdt_property_u32(fdt, "phandle", PHANDLE_CPU_INTC + hart));
		end(fdt);
		end(fdt);
	}
	end(fdt);
}

/* How Linux's generic drivers end the machine through the test device. */
static void syscon(void *fdt, const char *name, const char *compatible, uint32_t value)
{
	begin(fdt, name);
	fdt_ok(fdt_property_string(fdt, "compatible", compatible));
	fdt_ok(fdt_property_u32(fdt, "regmap", PHANDLE_TEST));
	fdt_ok(fdt_property_u32(fdt, "offset", 0));
	fdt_ok(fdt_property_u32(fdt, "value", value));
	end(fdt);
}

static void add_platform(struct vm *vm)
{
	plic_create(vm);
	if (vm->bios)
		aclint_create(vm);
	testdev_create(vm);
	rtc_create(vm);
}

const struct board board_virt = {
	.arch = "riscv64",
	.ram_base = VM_RAM_BASE,
	.ram_gap = UINT64_MAX,
	.ram_high = UINT64_MAX,
	.uart_base = BOARD_UART,
	.uart_bytes = 0x100,
	.uart_irq = BOARD_IRQ_UART,
	.virtio_base = BOARD_VIRTIO,
	.append = "",
	.add_platform = add_platform,
	.boot_check = boot_virt_check,
	.boot_load = boot_virt_load,
	.virtio_irq = {1, 2, 3, 4, 5, 6, 7, 8, 40, 41, 42, 43, 44, 45, 46, 47},
};

int board_fdt(struct vm *vm, const char *bootargs, uint64_t initrd_pa, uint64_t initrd_bytes,
	void *buf, int bytes)
{
	int size = TREE_BYTES + (int)(bootargs ? strlen(bootargs) : 0), total;
	void *fdt = xcalloc(1, (size_t)size);

	fdt_ok(fdt_create(fdt, size));
	fdt_ok(fdt_finish_reservemap(fdt));
	begin(fdt, "");
	fdt_ok(fdt_property_u32(fdt, "#address-cells", 2));
	fdt_ok(fdt_property_u32(fdt, "#size-cells", 2));
	fdt_ok(fdt_property_string(fdt, "compatible", "riscv-virtio"));
	fdt_ok(fdt_property_string(fdt, "model", "riscv-virtio,disco"));
	chosen(vm, fdt, bootargs, initrd_pa, initrd_bytes);
	memory(vm, fdt);
	cpus(vm, fdt);
	if (vm->n_vnodes)
		distances(vm, fdt);
	begin(fdt, "soc");
	fdt_ok(fdt_property_u32(fdt, "#address-cells", 2));
	fdt_ok(fdt_property_u32(fdt, "#size-cells", 2));
	fdt_ok(fdt_property_string(fdt, "compatible", "simple-bus"));
	fdt_ok(fdt_property(fdt, "ranges", NULL, 0));
	for (unsigned i = 0; i < vm->n_devices; i++)
		if (vm->device[i]->ops->fdt)
			vm->device[i]->ops->fdt(vm->device[i], fdt);
	end(fdt);
	if (find(vm, "test")) {
		syscon(fdt, "poweroff", "syscon-poweroff", 0x5555);
		syscon(fdt, "reboot", "syscon-reboot", 0x7777);
	}
	end(fdt);
	fdt_ok(fdt_finish(fdt));

	total = (int)fdt_totalsize(fdt);
	if (total <= bytes)
		memcpy(buf, fdt, (size_t)total);
	free(fdt);
	return total <= bytes ? 0 : -ENOSPC;
}
