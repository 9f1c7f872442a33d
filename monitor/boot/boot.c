// SPDX-License-Identifier: MIT
/*
 * Loading; where to, the board says. Whole pages of files go in by mapping frames of the
 * image cache; what of an ELF segment is no whole page of the file, by copying.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/vm/board.h"
#include "monitor/boot/boot.h"
#include "monitor/vm/guestmem.h"
#include "numa/util.h"
#include "sharing/share.h"

#define MIB       (1ull << 20)
#define ELF_LIMIT (1024 * MIB) /* a kernel with debugging information has several hundred */

/* --- opening and checking --- */

int boot_read_elf(struct image *img, unsigned machine, struct elf *e)
{
	uint64_t n = image_bytes(img);
	uint8_t magic[4] = {0};
	void *bytes;
	int err = image_read(img, 0, magic, MIN(n, sizeof(magic)));

	memset(e, 0, sizeof(*e));
	if (err)
		return complain(-err, "%s: cannot be read", image_name(img));
	if (!elf_is(magic, n))
		return 0;
	if (n > ELF_LIMIT)
		return complain(EFBIG, "%s: an ELF file of %llu MB", image_name(img),
			(unsigned long long)(n / MIB));
	bytes = xcalloc(1, n);
	err = image_read(img, 0, bytes, n);
	if (err)
		complain(-err, "%s: cannot be read", image_name(img));
	else
		err = elf_parse(bytes, n, image_name(img), machine, e);
	free(bytes);
	return err;
}

int boot_extent(const struct image *img, const struct elf *e, uint64_t base, uint64_t ram_bytes,
	uint64_t *end)
{
	for (unsigned i = 0; i < e->n_segments; i++) {
		uint64_t offset = e->segment[i].pa - base;

		if (e->segment[i].pa < base || offset > ram_bytes ||
			e->segment[i].mem_bytes > ram_bytes - offset)
			return complain(EINVAL,
				"%s: segment %u at 0x%llx, %llu bytes, is outside "
				"the VM's memory",
				image_name(img), i, (unsigned long long)e->segment[i].pa,
				(unsigned long long)e->segment[i].mem_bytes);
		*end = i ? MAX(*end, offset + e->segment[i].mem_bytes)
			 : offset + e->segment[i].mem_bytes;
	}
	return 0;
}

int boot_open(struct boot *b, struct image_cache *cache, const struct boot_files *files,
	const struct board *board, uint64_t ram_bytes, uint64_t extra_bytes)
{
	int err = 0;

	memset(b, 0, sizeof(*b));
	b->files = *files;
	b->board = board;
	if (files->bios)
		err = image_open(cache, files->bios, FRAME_TEXT, &b->bios);
	if (!err && files->kernel)
		err = image_open(cache, files->kernel, FRAME_TEXT, &b->kernel);
	if (!err && files->initrd)
		err = image_open(cache, files->initrd, FRAME_TEXT, &b->initrd);
	return err ? err : board->boot_check(b, ram_bytes, extra_bytes);
}

void boot_close(struct boot *b)
{
	struct image **all[] = {&b->kernel, &b->initrd, &b->bios};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (*all[i])
			image_close(*all[i]);
		*all[i] = NULL;
	}
}

/* --- loading --- */

static int load_failed(const struct vm *vm, const struct image *img, int err)
{
	if (err == -ENOMEM)
		return complain(ENOMEM,
			"machine memory is exhausted while %s is loaded into %s: a "
			"machine with more memory, or fewer VMs",
			image_name(img), vm->name);
	return complain(-err, "%s: cannot be loaded into %s: %s", image_name(img), vm->name,
		strerror(-err));
}

/* n pages of the file, from page `first` on, to physical address pa. */
static int map_pages(struct vm *vm, struct image *img, uint32_t first, uint32_t n, uint64_t pa)
{
	uint32_t ppn = (uint32_t)((pa - vm->board->ram_base) >> PAGE_SHIFT);
	unsigned node = vm_home_node(vm);
	int err = 0;

	for (uint32_t i = 0; !err && i < n; i++) {
		uint32_t mpn;

		err = image_block(img, first + i, node, &mpn, NULL);
		if (!err && vm->cluster->share & SHARE_BOOT)
			pmap_share_in(vm->pmap, ppn + i, mpn, FRAME_TEXT);
		else if (!err)
			err = gm_write(vm, pa + ((uint64_t)i << PAGE_SHIFT),
				frame_data(vm->cluster->mem, mpn), PAGE_SIZE);
	}
	return err;
}

int boot_map_image(struct vm *vm, struct image *img, uint64_t offset)
{
	uint32_t n = (uint32_t)(boot_page_up(image_bytes(img)) >> PAGE_SHIFT);
	int err = map_pages(vm, img, 0, n, vm->board->ram_base + offset);

	return err ? load_failed(vm, img, err) : 0;
}

static int copy_part(struct vm *vm, struct image *img, uint64_t offset, uint64_t n, uint64_t pa)
{
	void *bytes = xcalloc(1, n);
	int err = image_read(img, offset, bytes, n);

	if (!err)
		err = gm_write(vm, pa, bytes, n);
	free(bytes);
	return err;
}

/* Pages that are absent are zero. */
static int zero_present(struct vm *vm, uint64_t pa, uint64_t end)
{
	int err = 0;

	for (uint64_t next; !err && pa < end; pa = next) {
		next = MIN(end, boot_page_up(pa + 1));
		if (pmap_entry(vm->pmap, gm_ppn(vm, pa))->mpn != MPN_NONE)
			err = gm_zero(vm, pa, next - pa);
	}
	return err;
}

static int load_segment(struct vm *vm, struct image *img, const struct elf_segment *s)
{
	uint64_t end = s->pa + s->file_bytes, whole = boot_page_up(s->pa);
	uint64_t whole_end = end & ~(uint64_t)(PAGE_SIZE - 1);
	int err = 0;

	if (whole >= whole_end || (s->pa ^ s->offset) % PAGE_SIZE)
		whole = whole_end = end;
	if (whole > s->pa)
		err = copy_part(vm, img, s->offset, whole - s->pa, s->pa);
	if (!err)
		err = map_pages(vm, img, (uint32_t)((s->offset + whole - s->pa) >> PAGE_SHIFT),
			(uint32_t)((whole_end - whole) >> PAGE_SHIFT), whole);
	if (!err && end > whole_end)
		err = copy_part(vm, img, s->offset + whole_end - s->pa, end - whole_end, whole_end);
	return err ? err : zero_present(vm, end, s->pa + s->mem_bytes);
}

int boot_load_segments(struct vm *vm, struct image *img, const struct elf *e)
{
	int err = 0;

	for (unsigned i = 0; !err && i < e->n_segments; i++)
		err = load_segment(vm, img, &e->segment[i]);
	return err ? load_failed(vm, img, err) : 0;
}

/*
 * initrd pages, then the VM's own archive in pages of its own. Linux skips zeros between archives
 * (Documentation/driver-api/early-userspace/buffer-format.rst), so padding to a page is harmless.
 */
int boot_load_initrd(const struct boot *b, struct vm *vm, uint64_t end, const void *extra,
	uint64_t extra_bytes, uint64_t *offset, uint64_t *bytes)
{
	uint64_t shared = b->initrd ? boot_page_up(image_bytes(b->initrd)) : 0;
	int err = 0;

	*offset = *bytes = 0;
	if (!shared && !extra_bytes)
		return 0;
	*offset = end - boot_page_up(extra_bytes) - shared;
	*bytes = extra_bytes ? shared + extra_bytes : image_bytes(b->initrd);
	if (shared)
		err = boot_map_image(vm, b->initrd, *offset);
	if (!err && extra_bytes) {
		err = gm_write(vm, vm->board->ram_base + *offset + shared, extra, extra_bytes);
		if (err)
			complain(-err, "machine memory is exhausted while %s is loaded", vm->name);
	}
	return err;
}

int boot_vm(const struct boot *b, struct vm *vm, const void *extra, uint64_t extra_bytes)
{
	return b->board->boot_load(b, vm, extra, extra_bytes);
}
