// SPDX-License-Identifier: MIT
/*
 * What can be known of the PC board without KVM: the ACPI tables are well-formed, and say what is
 * there (a disassembler that is not ours agrees), registers power off and reset, memory goes on
 * behind the gap, and a bzImage or an ELF kernel is loaded as its protocol wants.
 */
#include <check.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "monitor/boot/boot.h"
#include "monitor/engine/kvm/acpi.h"
#include "monitor/engine/kvm/map.h"
#include "monitor/engine/kvm/pc.h"
#include "monitor/engine/kvm/vm.h"
#include "sharing/share.h"
#include "tests/fake-vm.h"
#include "tests/small-machine.h"

enum { TABLE_ROOM = 0x20000, DISKS = 3 };

static uint8_t tables[TABLE_ROOM];

static struct vm *pc_create(void)
{
	struct vm *vm = fake_vm_create(false, 64 << 20);

	vm->board = &board_pc;
	vm->kvm = xcalloc(1, sizeof(*vm->kvm));
	memset(vm->kvm->irqfd, 0xff, sizeof(vm->kvm->irqfd));
	board_pc.add_platform(vm);
	return vm;
}

static void pc_destroy(struct vm *vm)
{
	free(vm->kvm);
	fake_vm_destroy();
}

static uint64_t at64(uint64_t at)
{
	uint64_t v;

	memcpy(&v, tables + at, 8);
	return v;
}

static uint32_t at32(uint64_t at)
{
	uint32_t v;

	memcpy(&v, tables + at, 4);
	return v;
}

static unsigned sum(const uint8_t *p, uint64_t n)
{
	uint8_t s = 0;

	while (n--)
		s = (uint8_t)(s + *p++);
	return s;
}

/* The offset of a table that the XSDT names; its sum is 0. */
static uint64_t find(const char *signature)
{
	uint64_t xsdt = at64(24) - PC_BIOS;

	ck_assert_mem_eq(tables + xsdt, "XSDT", 4);
	ck_assert_uint_eq(sum(tables + xsdt, at32(xsdt + 4)), 0);
	for (uint64_t i = xsdt + 36; i < xsdt + at32(xsdt + 4); i += 8) {
		uint64_t t = at64(i) - PC_BIOS;

		ck_assert_uint_eq(sum(tables + t, at32(t + 4)), 0);
		if (!memcmp(tables + t, signature, 4))
			return t;
	}
	ck_abort_msg("no table %s", signature);
	return 0;
}

START_TEST(tables_are_found_from_the_root)
{
	struct vm *vm = pc_create();
	uint64_t n, fadt, madt, dsdt;

	for (unsigned i = 0; i < DISKS; i++)
		virtio_rng_create(vm, i);
	n = acpi_build(vm, tables, sizeof(tables), PC_BIOS);
	ck_assert_uint_lt(n, sizeof(tables));
	ck_assert_mem_eq(tables, "RSD PTR ", 8);
	ck_assert_uint_eq(sum(tables, 20), 0);
	ck_assert_uint_eq(sum(tables, 36), 0);
	fadt = find("FACP");
	ck_assert_uint_eq(at32(fadt + 112) & 1u << 20, 1u << 20);
	dsdt = at64(fadt + 140) - PC_BIOS;
	ck_assert_mem_eq(tables + dsdt, "DSDT", 4);
	ck_assert_uint_eq(sum(tables + dsdt, at32(dsdt + 4)), 0);
	madt = find("APIC");
	/* An entry of 8 bytes for each vCPU, one of 12 for the I/O APIC. */
	ck_assert_uint_eq(at32(madt + 4), 44 + 8 * FAKE_VCPUS + 12);
	pc_destroy(vm);
}
END_TEST

/* Two nodes, the second with memory on both sides of the gap. */
START_TEST(nodes_are_described_when_there_are_any)
{
	static const unsigned vnode[FAKE_VCPUS] = {[FAKE_VCPUS - 1] = 1};
	struct machine machine = {.n_nodes = 3};
	struct cluster cluster = {.machine = &machine};
	struct vm *vm = pc_create();
	struct cluster *before = vm->cluster;
	uint64_t ram = vm->ram_bytes, srat, slit, at;

	machine.latency_ns[0][0] = machine.latency_ns[2][2] = 100;
	machine.latency_ns[0][2] = machine.latency_ns[2][0] = 210;
	vm->cluster = &cluster;
	vm->ram_bytes = 4ull << 30;
	vm->n_vnodes = 2;
	vm->vnode[0] = (struct vnode){0, 0, 1 << 18};
	vm->vnode[1] = (struct vnode){2, 1 << 18, 3 << 18};
	for (unsigned i = 0; i < FAKE_VCPUS; i++)
		vm->vcpu[i].vnode = vnode[i];
	acpi_build(vm, tables, sizeof(tables), PC_BIOS);
	srat = find("SRAT");
	ck_assert_uint_eq(at32(srat + 4), 48 + 16 * FAKE_VCPUS + 3 * 40);
	at = srat + 48 + 16 * (FAKE_VCPUS - 1);
	ck_assert_uint_eq(tables[at + 2], 1);
	ck_assert_uint_eq(tables[at + 3], FAKE_VCPUS - 1);
	at += 16;
	for (unsigned i = 0; i < 3; i++, at += 40) {
		static const uint64_t base[] = {0, 1ull << 30, 4ull << 30};
		static const uint64_t bytes[] = {1ull << 30, 2ull << 30, 1ull << 30};

		ck_assert_uint_eq(tables[at], 1);
		ck_assert_uint_eq(at32(at + 2), i > 0);
		ck_assert_uint_eq(at64(at + 8), base[i]);
		ck_assert_uint_eq(at64(at + 16), bytes[i]);
		ck_assert_uint_eq(at32(at + 28), 1);
	}
	slit = find("SLIT");
	ck_assert_uint_eq(at32(slit + 4), 44 + 4);
	ck_assert_uint_eq(at64(slit + 36), 2);
	ck_assert_mem_eq(tables + slit + 44, "\x0a\x15\x15\x0a", 4);
	vm->n_vnodes = 0;
	vm->ram_bytes = ram;
	vm->cluster = before;
	pc_destroy(vm);
}
END_TEST

static unsigned count(const char *text, const char *what)
{
	unsigned n = 0;

	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

START_TEST(a_disassembler_reads_the_tables)
{
	struct vm *vm = pc_create();
	char dir[] = "/tmp/disco-acpi-XXXXXX", command[200], path[64], *text = xcalloc(1, 1 << 20);
	uint64_t dsdt;
	FILE *f;

	if (system("command -v iasl >/dev/null 2>&1")) {
		fprintf(stderr, "iasl is missing: the tables are not disassembled\n");
		free(text);
		pc_destroy(vm);
		return;
	}
	for (unsigned i = 0; i < DISKS; i++)
		virtio_rng_create(vm, i);
	acpi_build(vm, tables, sizeof(tables), PC_BIOS);
	dsdt = at64(find("FACP") + 140) - PC_BIOS;
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/dsdt.aml", dir);
	f = fopen(path, "w");
	ck_assert_uint_eq(fwrite(tables + dsdt, 1, at32(dsdt + 4), f), at32(dsdt + 4));
	fclose(f);
	snprintf(command, sizeof(command),
		"cd %s && iasl -d dsdt.aml >/dev/null 2>err && iasl -tc dsdt.dsl >/dev/null 2>>err",
		dir);
	ck_assert_int_eq(system(command), 0);
	snprintf(path, sizeof(path), "%s/dsdt.dsl", dir);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_gt(fread(text, 1, (1 << 20) - 1, f), 0);
	fclose(f);
	ck_assert_uint_eq(count(text, "\"LNRO0005\""), DISKS);
	ck_assert_uint_eq(count(text, "\"PNP0501\""), 1);
	ck_assert_uint_eq(count(text, "Memory32Fixed (ReadWrite,"), DISKS);
	ck_assert_uint_eq(count(text, "Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive"),
		DISKS + 1); /* and the UART */
	ck_assert_uint_eq(count(text, "0xD0002000"), 1);
	ck_assert_uint_eq(count(text, "Name (_S5"), 1);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	ck_assert_int_eq(system(command), 0);
	free(text);
	pc_destroy(vm);
}
END_TEST

static void port_write(struct vm *vm, unsigned port, uint8_t value)
{
	struct device *d = device_find(vm, BOARD_PORT(port), 1);

	ck_assert_ptr_nonnull(d);
	d->ops->write(d, &vm->vcpu[0], BOARD_PORT(port) - d->base, 1, value);
}

START_TEST(a_guest_ends_itself)
{
	struct vm *vm = pc_create();

	port_write(vm, PC_POWER, 5 << 2); /* without the bit that makes it so */
	port_write(vm, PC_POWER, 4 << 2 | 1 << 5);
	port_write(vm, PC_RESET, 0);
	port_write(vm, 0x64, 0xff);
	ck_assert_int_eq(vm->state, VM_RUNNING);
	port_write(vm, PC_POWER, PC_SLEEP_OFF << 2 | 1 << 5);
	ck_assert_int_eq(vm->state, VM_OFF);
	ck_assert(!vm->reset_wanted);
	vm->state = VM_RUNNING;
	port_write(vm, PC_RESET, PC_RESET_VALUE);
	ck_assert(vm->reset_wanted);
	vm->state = VM_RUNNING;
	vm->reset_wanted = false;
	port_write(vm, 0x64, 0xfe);
	ck_assert(vm->reset_wanted);
	ck_assert_int_eq(vm->state, VM_OFF);
	pc_destroy(vm);
}
END_TEST

START_TEST(memory_goes_on_behind_the_gap)
{
	struct vm *vm = pc_create();
	uint64_t gib = 1ull << 30;

	ck_assert(gm_valid(vm, 0, FAKE_RAM_BYTES));
	ck_assert(!gm_valid(vm, 1, FAKE_RAM_BYTES));
	ck_assert(!gm_valid(vm, 4 * gib, 1));
	vm->ram_bytes = 4 * gib;
	ck_assert(gm_valid(vm, 3 * gib - 8, 8));
	ck_assert(!gm_valid(vm, 3 * gib - 8, 9));
	ck_assert(!gm_valid(vm, 3 * gib, 1));
	ck_assert(!gm_valid(vm, 4 * gib - 1, 2));
	ck_assert(gm_valid(vm, 4 * gib, gib));
	ck_assert(!gm_valid(vm, 4 * gib, gib + 1));
	ck_assert(!gm_valid(vm, 5 * gib, 1));
	ck_assert(!gm_valid(vm, UINT64_MAX, 2));
	ck_assert_uint_eq(gm_offset(vm, 3 * gib - 1), 3 * gib - 1);
	ck_assert_uint_eq(gm_offset(vm, 4 * gib), 3 * gib);
	vm->ram_bytes = FAKE_RAM_BYTES;
	pc_destroy(vm);
}
END_TEST

/* ---- a kernel */

enum { SETUP_SECTS = 3, KERNEL_BYTES = 9000 };

static void make_kernel(const char *path, unsigned version, uint32_t init_size)
{
	uint8_t *k = xcalloc(1, KERNEL_BYTES);
	const uint16_t flag = 0xaa55, flags = 1, v = (uint16_t)version;
	const uint32_t addr_max = 0x7fffffff, cmdline = 100;
	const uint64_t preferred = 1 << 20;
	FILE *f = fopen(path, "w");

	for (unsigned i = (SETUP_SECTS + 1) * 512; i < KERNEL_BYTES; i++)
		k[i] = (uint8_t)(i * 7);
	k[0x1f1] = SETUP_SECTS;
	memcpy(k + 0x1fe, &flag, 2);
	memcpy(k + 0x202, "HdrS", 4);
	memcpy(k + 0x206, &v, 2);
	memcpy(k + 0x22c, &addr_max, 4);
	memcpy(k + 0x236, &flags, 2);
	memcpy(k + 0x238, &cmdline, 4);
	memcpy(k + 0x258, &preferred, 8);
	memcpy(k + 0x260, &init_size, 4);
	ck_assert_uint_eq(fwrite(k, 1, KERNEL_BYTES, f), KERNEL_BYTES);
	fclose(f);
	free(k);
}

static uint64_t started[3];

static void fake_start(struct vcpu *vcpu, uint64_t pc, uint64_t a0, uint64_t a1)
{
	(void)vcpu;
	started[0] = pc;
	started[1] = a0;
	started[2] = a1;
}

START_TEST(a_kernel_is_loaded_by_its_protocol)
{
	char path[] = "/tmp/disco-bzimage-XXXXXX";
	struct boot_files files = {.kernel = path, .append = "console=ttyS0"};
	struct vm *vm = pc_create();
	struct engine engine = fake_engine;
	struct image_cache *cache = image_cache_create(fake.cluster.mem);
	static const char extra[] = "an archive";
	uint8_t page[4096];
	uint64_t entry;
	uint32_t word;
	struct boot b;

	close(mkstemp(path));
	engine.vcpu_start = fake_start;
	fake.cluster.engine = &engine;
	make_kernel(path, 0x20f, 1 << 20);
	ck_assert_int_eq(boot_open(&b, cache, &files, &board_pc, FAKE_RAM_BYTES, sizeof(extra)), 0);
	ck_assert_int_eq(boot_vm(&b, vm, extra, sizeof(extra)), 0);
	ck_assert_uint_eq(started[0], 0x100200);
	/* The part after the setup is at 1 MiB. */
	ck_assert_int_eq(gm_read(vm, 0x100000, page, sizeof(page)), 0);
	for (unsigned i = 0; i < sizeof(page); i++)
		ck_assert_uint_eq(page[i], (uint8_t)((i + (SETUP_SECTS + 1) * 512) * 7));
	/* Command line, archive as initrd, memory map. */
	ck_assert_int_eq(gm_read32(vm, started[1] + 0x228, &word), 0);
	ck_assert_int_eq(gm_read(vm, word, page, 14), 0);
	ck_assert_str_eq((char *)page, files.append);
	ck_assert_int_eq(gm_read32(vm, started[1] + 0x218, &word), 0);
	ck_assert_int_eq(gm_read(vm, word, page, sizeof(extra)), 0);
	ck_assert_str_eq((char *)page, extra);
	ck_assert_int_eq(gm_read(vm, started[1] + 0x1e8, page, 1), 0);
	ck_assert_uint_eq(page[0], 3);
	/* The address of the entry is itself: three levels down to a page of 2 MiB. */
	ck_assert_int_eq(gm_read64(vm, started[2], &entry), 0);
	ck_assert_int_eq(gm_read64(vm, entry & ~4095ull, &entry), 0);
	ck_assert_int_eq(gm_read64(vm, entry & ~4095ull, &entry), 0);
	ck_assert_uint_eq(entry, 0x83);
	boot_close(&b);
	fake_devices_destroy();
	image_cache_destroy(cache);
	unlink(path);
	pc_destroy(vm);
}
END_TEST

START_TEST(what_is_no_kernel_is_refused)
{
	char path[] = "/tmp/disco-bzimage-XXXXXX";
	static char text[120];
	struct boot_files files = {.kernel = path, .append = text};
	struct vm *vm = pc_create();
	struct image_cache *cache = image_cache_create(fake.cluster.mem);
	struct boot b;

	close(mkstemp(path));
	make_kernel(path, 0x20b, 1 << 20);
	ck_assert_int_eq(boot_open(&b, cache, &files, &board_pc, FAKE_RAM_BYTES, 0), -EINVAL);
	boot_close(&b);
	make_kernel(path, 0x20f, 3 << 20);
	ck_assert_int_eq(boot_open(&b, cache, &files, &board_pc, FAKE_RAM_BYTES, 1), -ENOSPC);
	boot_close(&b);
	memset(text, 'x', sizeof(text) - 1);
	make_kernel(path, 0x20f, 1 << 20);
	ck_assert_int_eq(boot_open(&b, cache, &files, &board_pc, FAKE_RAM_BYTES, 0), -E2BIG);
	boot_close(&b);
	ck_assert_int_eq(truncate(path, 600), 0);
	text[0] = '\0';
	ck_assert_int_eq(boot_open(&b, cache, &files, &board_pc, FAKE_RAM_BYTES, 0), -EINVAL);
	boot_close(&b);
	image_cache_destroy(cache);
	unlink(path);
	pc_destroy(vm);
}
END_TEST

/* ---- an ELF kernel: a segment of two and a half pages with as much again of zeroes, not at a
 * page's begin in the file for `odd`, and the note of its entry */

enum { ELF_PA = 0x180000, ELF_TEXT = 10240, ELF_ENTRY = ELF_PA + 0x40 };

static void make_elf(const char *path, Elf64_Half machine, bool note, uint64_t pa, unsigned odd)
{
	struct {
		Elf64_Ehdr h;
		Elf64_Phdr p[2];
		Elf64_Nhdr n;
		char name[4];
		uint64_t entry;
	} head = {
		.h = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB},
			.e_type = ET_EXEC,
			.e_machine = machine,
			.e_phoff = sizeof(head.h),
			.e_phentsize = sizeof(head.p[0]),
			.e_phnum = 2},
		.p = {{.p_type = PT_LOAD,
			      .p_offset = PAGE_SIZE + odd,
			      .p_paddr = pa,
			      .p_filesz = ELF_TEXT,
			      .p_memsz = 2 * ELF_TEXT},
			{.p_type = note ? PT_NOTE : PT_NULL,
				.p_offset = sizeof(head.h) + sizeof(head.p),
				.p_filesz =
					sizeof(head.n) + sizeof(head.name) + sizeof(head.entry)}},
		.n = {4, 8, 18},
		.name = "Xen",
		.entry = ELF_ENTRY,
	};
	FILE *f = fopen(path, "w");

	ck_assert_uint_eq(fwrite(&head, sizeof(head), 1, f), 1);
	fseek(f, (long)(PAGE_SIZE + odd), SEEK_SET);
	for (unsigned i = 0; i < ELF_TEXT; i++)
		fputc((int)(i * 7 + 1), f);
	/* More of the file follows, which is not the segment's. */
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		fputc(0xee, f);
	fclose(f);
}

START_TEST(an_elf_kernel_is_loaded_by_pvh)
{
	char path[] = "/tmp/disco-vmlinux-XXXXXX";
	struct boot_files files = {.kernel = path, .append = "console=ttyS0"};
	struct vm *vm = pc_create();
	struct engine engine = fake_engine;
	struct image_cache *cache = image_cache_create(fake.cluster.mem);
	static const char extra[] = "an archive";
	uint64_t at, bytes, map;
	uint8_t *text = xcalloc(1, 2 * ELF_TEXT);
	uint32_t word;
	char line[20];
	struct boot b;

	close(mkstemp(path));
	engine.vcpu_start = fake_start;
	fake.cluster.engine = &engine;
	fake.cluster.share = _i & 2 ? SHARE_BOOT : 0;
	make_elf(path, EM_X86_64, true, ELF_PA, _i & 1 ? 100 : 0);
	ck_assert_int_eq(boot_open(&b, cache, &files, &board_pc, FAKE_RAM_BYTES, sizeof(extra)), 0);
	/* What was there before must not be seen through zeroes. */
	memset(text, 0xaa, ELF_TEXT);
	ck_assert_int_eq(gm_write(vm, ELF_PA + ELF_TEXT, text, ELF_TEXT - 100), 0);
	ck_assert_int_eq(boot_vm(&b, vm, extra, sizeof(extra)), 0);
	ck_assert_uint_eq(started[0], ELF_ENTRY);
	ck_assert_uint_eq(started[2], 0);
	ck_assert_int_eq(gm_read(vm, ELF_PA, text, 2 * ELF_TEXT), 0);
	for (unsigned i = 0; i < 2 * ELF_TEXT; i++)
		ck_assert_uint_eq(text[i], i < ELF_TEXT ? (uint8_t)(i * 7 + 1) : 0);
	/* Whole pages are the file's own frames, where VMs share these and it is laid out so. */
	ck_assert_uint_eq(pmap_stats(vm->pmap)->shared_in, _i == 2 ? ELF_TEXT / PAGE_SIZE : 0);

	ck_assert_int_eq(gm_read32(vm, started[1], &word), 0);
	ck_assert_uint_eq(word, 0x336ec578);
	ck_assert_int_eq(gm_read64(vm, started[1] + 24, &at), 0);
	ck_assert_int_eq(gm_read(vm, at, line, 14), 0);
	ck_assert_str_eq(line, files.append);
	ck_assert_int_eq(gm_read64(vm, started[1] + 32, &at), 0);
	ck_assert_int_eq(gm_read(vm, at, line, 8), 0);
	ck_assert_mem_eq(line, "RSD PTR ", 8);
	ck_assert_int_eq(gm_read32(vm, started[1] + 12, &word), 0);
	ck_assert_uint_eq(word, 1);
	ck_assert_int_eq(gm_read64(vm, started[1] + 16, &at), 0);
	ck_assert_int_eq(gm_read64(vm, at + 8, &bytes), 0);
	ck_assert_uint_eq(bytes, sizeof(extra));
	ck_assert_int_eq(gm_read64(vm, at, &at), 0);
	ck_assert_int_eq(gm_read(vm, at, line, sizeof(extra)), 0);
	ck_assert_str_eq(line, extra);
	/* All RAM but what is reserved, in order. */
	ck_assert_int_eq(gm_read64(vm, started[1] + 40, &map), 0);
	ck_assert_int_eq(gm_read32(vm, started[1] + 48, &word), 0);
	ck_assert_uint_eq(word, 3);
	for (unsigned i = 0, end = 0; i < word; i++, map += 24) {
		uint32_t type;

		ck_assert_int_eq(gm_read64(vm, map, &at), 0);
		ck_assert_int_eq(gm_read64(vm, map + 8, &bytes), 0);
		ck_assert_int_eq(gm_read32(vm, map + 16, &type), 0);
		ck_assert_uint_eq(at, end);
		ck_assert_uint_eq(type, i == 1 ? 2 : 1);
		end = (unsigned)(at + bytes);
		ck_assert(i + 1 < word || end == FAKE_RAM_BYTES);
	}
	boot_close(&b);
	fake_devices_destroy();
	image_cache_destroy(cache);
	unlink(path);
	free(text);
	pc_destroy(vm);
}
END_TEST

START_TEST(what_is_no_elf_kernel_is_refused)
{
	static const struct {
		Elf64_Half machine;
		bool note;
		uint64_t pa;
	} bad[] = {{EM_RISCV, true, ELF_PA}, {EM_X86_64, false, ELF_PA}, {EM_X86_64, true, 0xff000},
		{EM_X86_64, true, FAKE_RAM_BYTES - ELF_TEXT}, {EM_X86_64, true, 1ull << 40}};
	char path[] = "/tmp/disco-vmlinux-XXXXXX";
	struct boot_files files = {.kernel = path, .append = ""};
	struct vm *vm = pc_create();
	struct image_cache *cache = image_cache_create(fake.cluster.mem);
	struct boot b;

	close(mkstemp(path));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		make_elf(path, bad[i].machine, bad[i].note, bad[i].pa, 0);
		ck_assert_int_eq(
			boot_open(&b, cache, &files, &board_pc, FAKE_RAM_BYTES, 0), -EINVAL);
		boot_close(&b);
	}
	/* It fits, but not with an initrd. */
	make_elf(path, EM_X86_64, true, FAKE_RAM_BYTES - 2 * ELF_TEXT, 0);
	ck_assert_int_eq(boot_open(&b, cache, &files, &board_pc, FAKE_RAM_BYTES, 0), 0);
	boot_close(&b);
	ck_assert_int_eq(boot_open(&b, cache, &files, &board_pc, FAKE_RAM_BYTES, 1), -ENOSPC);
	boot_close(&b);
	image_cache_destroy(cache);
	unlink(path);
	pc_destroy(vm);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("kvm-board");
	TCase *tc = tcase_create("board");

	tcase_add_test(tc, tables_are_found_from_the_root);
	tcase_add_test(tc, nodes_are_described_when_there_are_any);
	tcase_add_test(tc, a_disassembler_reads_the_tables);
	tcase_add_test(tc, a_guest_ends_itself);
	tcase_add_test(tc, memory_goes_on_behind_the_gap);
	tcase_add_test(tc, a_kernel_is_loaded_by_its_protocol);
	tcase_add_test(tc, what_is_no_kernel_is_refused);
	tcase_add_loop_test(tc, an_elf_kernel_is_loaded_by_pvh, 0, 4);
	tcase_add_test(tc, what_is_no_elf_kernel_is_refused);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
