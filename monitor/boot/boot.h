// SPDX-License-Identifier: MIT
/*
 * Booting: puts kernel, initrd, firmware and what describes the board into a VM's memory and starts
 * its vCPUs. The files are opened once for the cluster, as images of the global cache, and their
 * pages are mapped into every VM copy-on-write: eight VMs that boot one kernel hold one copy of
 * what they do not change. Everything here is for the boundary, before the run.
 * Where things go is the board's: monitor/engine/sim/virt.c, monitor/engine/kvm/boot.c.
 */
#ifndef MONITOR_BOOT_BOOT_H
#define MONITOR_BOOT_BOOT_H

#include "monitor/boot/elf.h"
#include "monitor/vm/vm.h"
#include "sharing/image.h"

struct boot_files {
	const char *kernel, *initrd, *bios; /* paths; NULL: none */
	const char *append;
};

struct boot {
	struct boot_files files;
	const struct board *board;
	struct image *kernel, *initrd, *bios;
	struct kernel_header header;     /* S-mode start only */
	struct elf bios_elf, kernel_elf; /* n_segments == 0: raw */
};

/*
 * Open the files and check all that can be checked before there is a VM: headers, and that
 * everything fits into ram_bytes together with extra_bytes of cpio. 0, or a negative errno after
 * one line on stderr; boot_close() in either case.
 */
int boot_open(struct boot *b, struct image_cache *cache, const struct boot_files *files,
	const struct board *board, uint64_t ram_bytes, uint64_t extra_bytes);
void boot_close(struct boot *b);

/*
 * Load one VM, whose devices are all attached, and start vCPU 0 (with firmware: all). `extra`: a
 * cpio archive to append to the initrd. 0, or a negative errno after one line on stderr.
 */
int boot_vm(const struct boot *b, struct vm *vm, const void *extra, uint64_t extra_bytes);

/* Bytes in whole pages. */
static inline uint64_t boot_page_up(uint64_t bytes)
{
	return (bytes + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
}

/*
 * For boards: map an image's pages into the VM's memory from byte `offset` on, or copy them if VMs
 * do not share them. And: put initrd and archive there so that they end at `end` (page-aligned);
 * where they begin, and their bytes (0: there is none). 0, or a negative errno after one line on
 * stderr.
 */
int boot_map_image(struct vm *vm, struct image *img, uint64_t offset);
int boot_load_initrd(const struct boot *b, struct vm *vm, uint64_t end, const void *extra,
	uint64_t extra_bytes, uint64_t *offset, uint64_t *bytes);

/*
 * Of ELF files. Read one, for `machine`: e->n_segments is 0 if it is none. Are all segments in the
 * VM's RAM, here [base, base + ram_bytes), and where, from base on, does the last one end? And: put
 * them there, whole pages as by boot_map_image(); pages of two segments are the second one's for
 * what it has of them. 0, or a negative errno after one line on stderr.
 */
int boot_read_elf(struct image *img, unsigned machine, struct elf *e);
int boot_extent(const struct image *img, const struct elf *e, uint64_t base, uint64_t ram_bytes,
	uint64_t *end);
int boot_load_segments(struct vm *vm, struct image *img, const struct elf *e);

#endif
