// SPDX-License-Identifier: MIT
/*
 * Image and ELF headers; see elf.h. Structures are copied out of the file before use, because
 * nothing in an untrusted file is aligned until proven so.
 */
#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "monitor/boot/elf.h"
#include "numa/util.h"

static uint64_t le64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

int kernel_header_parse(
	const void *bytes, uint64_t file_bytes, const char *name, struct kernel_header *h)
{
	const uint8_t *b = bytes;

	if (file_bytes < KERNEL_HEADER_BYTES)
		return complain(EINVAL, "%s: too short for a RISC-V kernel Image (%llu bytes)",
			name, (unsigned long long)file_bytes);
	if (memcmp(b + 0x30, "RISCV\0\0\0", 8) || memcmp(b + 0x38, "RSC\x05", 4))
		return complain(EINVAL,
			"%s: not a RISC-V kernel Image (no magic number at 0x30); "
			"compressed kernels and ELF files must be converted first",
			name);
	h->text_offset = le64(b + 8);
	h->image_bytes = le64(b + 16);
	if (le64(b + 24) & 1)
		return complain(EINVAL, "%s: a big-endian kernel", name);
	if (h->text_offset % (2u << 20))
		return complain(EINVAL, "%s: load offset 0x%llx is not a multiple of 2 MiB", name,
			(unsigned long long)h->text_offset);
	if (h->text_offset > 1ull << 40 || h->image_bytes > 1ull << 40)
		return complain(EINVAL,
			"%s: the header claims an offset of 0x%llx and a size of "
			"0x%llx bytes",
			name, (unsigned long long)h->text_offset,
			(unsigned long long)h->image_bytes);
	if (h->image_bytes < file_bytes)
		h->image_bytes = file_bytes;
	return 0;
}

bool elf_is(const void *bytes, uint64_t n)
{
	return n >= SELFMAG && !memcmp(bytes, ELFMAG, SELFMAG);
}

static bool inside(uint64_t offset, uint64_t bytes, uint64_t n)
{
	return offset <= n && bytes <= n - offset;
}

/* Entry i of a table in the file, or false when it does not lie in the file. */
static bool entry(const uint8_t *b, uint64_t n, uint64_t table, uint64_t i, uint64_t each,
	void *out, size_t bytes)
{
	if (each < bytes || table > n || i >= (n - table) / each)
		return false;
	memcpy(out, b + table + i * each, bytes);
	return true;
}

/* A note's two parts begin at multiples of 4 (ELF specification; Xen: public/elfnote.h). */
static void read_notes(const uint8_t *b, const Elf64_Phdr *p, struct elf *e)
{
	enum { XEN_PHYS32_ENTRY = 18 };
	uint64_t at = 0, left;
	Elf64_Nhdr h;

	while ((left = p->p_filesz - at) >= sizeof(h)) {
		const uint8_t *note = b + p->p_offset + at;
		uint64_t name, desc;

		memcpy(&h, note, sizeof(h));
		name = (h.n_namesz + 3ull) & ~3ull;
		desc = (h.n_descsz + 3ull) & ~3ull;
		left -= sizeof(h);
		if (name > left || desc > left - name)
			return;
		if (h.n_type == XEN_PHYS32_ENTRY && h.n_namesz == sizeof("Xen") &&
			!memcmp(note + sizeof(h), "Xen", sizeof("Xen")) &&
			(h.n_descsz == sizeof(uint32_t) || h.n_descsz == sizeof(uint64_t))) {
			e->pvh = 0;
			memcpy(&e->pvh, note + sizeof(h) + name, h.n_descsz);
		}
		at += sizeof(h) + name + desc;
	}
}

static int read_segments(
	const uint8_t *b, uint64_t n, const char *name, const Elf64_Ehdr *h, struct elf *e)
{
	for (unsigned i = 0; i < h->e_phnum; i++) {
		Elf64_Phdr p;
		struct elf_segment *s = &e->segment[e->n_segments];

		if (!entry(b, n, h->e_phoff, i, h->e_phentsize, &p, sizeof(p)))
			return complain(
				EINVAL, "%s: program header %u is outside the file", name, i);
		if (p.p_type == PT_NOTE && inside(p.p_offset, p.p_filesz, n))
			read_notes(b, &p, e);
		if (p.p_type != PT_LOAD || !p.p_memsz)
			continue;
		if (e->n_segments == ELF_MAX_SEGMENTS)
			return complain(
				EINVAL, "%s: more than %d segments", name, ELF_MAX_SEGMENTS);
		if (p.p_filesz > p.p_memsz || !inside(p.p_offset, p.p_filesz, n) ||
			p.p_paddr + p.p_memsz < p.p_paddr)
			return complain(EINVAL, "%s: segment %u is outside the file", name, i);
		*s = (struct elf_segment){p.p_paddr, p.p_offset, p.p_filesz, p.p_memsz};
		e->n_segments++;
	}
	if (!e->n_segments)
		return complain(EINVAL, "%s: an ELF file with nothing to load", name);
	return 0;
}

/* Symbols are a convenience: a damaged symbol table means there are none. */
static void read_symbols(const uint8_t *b, uint64_t n, const Elf64_Shdr *table,
	const Elf64_Shdr *strings, struct elf *e)
{
	Elf64_Sym s;

	if (!inside(table->sh_offset, table->sh_size, n) ||
		!inside(strings->sh_offset, strings->sh_size, n))
		return;
	for (uint64_t i = 0; i < table->sh_size / sizeof(s); i++) {
		const char *text = (const char *)b + strings->sh_offset;
		uint64_t room;

		memcpy(&s, b + table->sh_offset + i * sizeof(s), sizeof(s));
		if (s.st_name >= strings->sh_size)
			continue;
		text += s.st_name;
		room = strings->sh_size - s.st_name;
		if (room >= sizeof("tohost") && !memcmp(text, "tohost", sizeof("tohost")))
			e->tohost = s.st_value;
		if (room >= sizeof("fromhost") && !memcmp(text, "fromhost", sizeof("fromhost")))
			e->fromhost = s.st_value;
	}
}

static void find_symbols(const uint8_t *b, uint64_t n, const Elf64_Ehdr *h, struct elf *e)
{
	for (unsigned i = 0; i < h->e_shnum; i++) {
		Elf64_Shdr table, strings;

		if (entry(b, n, h->e_shoff, i, h->e_shentsize, &table, sizeof(table)) &&
			table.sh_type == SHT_SYMTAB &&
			entry(b, n, h->e_shoff, table.sh_link, h->e_shentsize, &strings,
				sizeof(strings)))
			read_symbols(b, n, &table, &strings, e);
	}
}

int elf_parse(const void *bytes, uint64_t n, const char *name, unsigned machine, struct elf *e)
{
	Elf64_Ehdr h;
	int err;

	memset(e, 0, sizeof(*e));
	if (n < sizeof(h) || !elf_is(bytes, n))
		return complain(EINVAL, "%s: not an ELF file, or cut short", name);
	memcpy(&h, bytes, sizeof(h));
	if (h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_ident[EI_DATA] != ELFDATA2LSB ||
		h.e_machine != machine)
		return complain(EINVAL, "%s: an ELF file, but not for %s", name,
			machine == EM_RISCV ? "64-bit RISC-V" : "x86-64");
	if (h.e_type != ET_EXEC && h.e_type != ET_DYN)
		return complain(EINVAL, "%s: an ELF file, but not an executable", name);
	e->entry = h.e_entry;
	err = read_segments(bytes, n, name, &h, e);
	if (!err)
		find_symbols(bytes, n, &h, e);
	return err;
}
