// SPDX-License-Identifier: MIT
//
// kostrip <module.ko >smaller.ko: takes out of a Linux module (ELF64, little-endian, any machine)
// what loading does not need.
//
// Debian's riscv64 modules carry a local symbol for nearly every instruction label: ext4.ko has
// 215,000 of them, five of its seven megabytes. The kernel keeps the whole symbol table of a loaded
// module, so it would cost each VM five megabytes of private memory, and every loading millions of
// instructions. strip(1) does this too, but only one built for the guest's machine; this program is
// built with the host's compiler, on any host.
//
// What stays: sections and their numbers, all that is loaded, relocations of what is loaded,
// symbols these refer to, global symbols, and functions' names (for the guest's back traces). The
// signature behind the ELF file goes, since it would not fit any more: the kernel notes "module
// verification failed" once, and spares itself hashing seven megabytes.
//
// A file that is not as expected ends the program with a message; nothing is written before
// everything has been checked.

#include <elf.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *format, ...)
{
	va_list args;

	fputs("kostrip: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static void *allocate(size_t bytes)
{
	void *p = calloc(1, bytes ? bytes : 1);

	if (!p)
		die("out of memory");
	return p;
}

static uint8_t *read_all(FILE *from, size_t *bytes)
{
	size_t room = 1 << 20, got;
	uint8_t *data = NULL;

	*bytes = 0;
	do {
		room *= 2;
		data = realloc(data, room);
		if (!data)
			die("out of memory");
		got = fread(data + *bytes, 1, room - *bytes, from);
		*bytes += got;
	} while (got);
	if (ferror(from))
		die("cannot read");
	return data;
}

// One module being rewritten. The section headers are those of the input, changed in place as
// sections shrink; content[i] is what section i will hold.
struct module {
	uint8_t *data;
	size_t bytes;
	Elf64_Ehdr *header;
	Elf64_Shdr *section;
	uint8_t **content;
	unsigned symtab; // number of the symbol table's section
};

static void open_module(struct module *m)
{
	m->header = (Elf64_Ehdr *)m->data;
	if (m->bytes < sizeof(*m->header) || memcmp(m->header->e_ident, ELFMAG, SELFMAG) ||
		m->header->e_ident[EI_CLASS] != ELFCLASS64 ||
		m->header->e_ident[EI_DATA] != ELFDATA2LSB || m->header->e_type != ET_REL ||
		m->header->e_shentsize != sizeof(Elf64_Shdr))
		die("not a 64-bit little-endian relocatable ELF file");
	if (m->header->e_shoff > m->bytes || m->header->e_shoff % 8 ||
		(m->bytes - m->header->e_shoff) / sizeof(Elf64_Shdr) < m->header->e_shnum)
		die("section headers outside the file");
	m->section = (Elf64_Shdr *)(m->data + m->header->e_shoff);
	m->content = allocate(m->header->e_shnum * sizeof(*m->content));
	for (unsigned i = 1; i < m->header->e_shnum; i++) {
		Elf64_Shdr *s = &m->section[i];

		if (s->sh_type != SHT_NOBITS &&
			(s->sh_offset > m->bytes || m->bytes - s->sh_offset < s->sh_size))
			die("section %u outside the file", i);
		if (s->sh_type == SHT_SYMTAB) {
			if (m->symtab || s->sh_offset % 8 || s->sh_link >= m->header->e_shnum ||
				s->sh_link == m->header->e_shstrndx)
				die("a symbol table of an unknown shape");
			m->symtab = i;
		}
		if (s->sh_type == SHT_REL || s->sh_type == SHT_SYMTAB_SHNDX)
			die("section %u is of a type not handled", i);
		if (s->sh_type == SHT_RELA &&
			(s->sh_offset % 8 || s->sh_info >= m->header->e_shnum))
			die("relocations of an unknown shape");
		m->content[i] = m->data + s->sh_offset;
	}
	if (!m->symtab)
		die("no symbol table");
}

static void drop_unloaded_sections(struct module *m)
{
	for (unsigned i = 1; i < m->header->e_shnum; i++) {
		Elf64_Shdr *s = &m->section[i];
		bool loaded = s->sh_flags & SHF_ALLOC;

		if (s->sh_type == SHT_RELA)
			loaded = m->section[s->sh_info].sh_flags & SHF_ALLOC;
		if (!loaded && i != m->symtab && i != m->section[m->symtab].sh_link &&
			i != m->header->e_shstrndx)
			s->sh_size = 0;
	}
}

static void drop_unused_symbols(struct module *m)
{
	Elf64_Shdr *symtab = &m->section[m->symtab], *strtab = &m->section[symtab->sh_link];
	const Elf64_Sym *symbol = (const Elf64_Sym *)m->content[m->symtab];
	const char *name = (const char *)m->content[symtab->sh_link];
	size_t count = symtab->sh_size / sizeof(*symbol), kept = 0, names = 1, locals = 0;
	uint32_t *new_index = allocate(count * sizeof(*new_index));
	Elf64_Sym *kept_symbol = allocate(symtab->sh_size);
	size_t room = strtab->sh_size + 1;
	char *kept_name = allocate(room);
	bool *referred = allocate(count);

	if (!count || !strtab->sh_size || name[strtab->sh_size - 1])
		die("a symbol table of an unknown shape");
	for (unsigned i = 1; i < m->header->e_shnum; i++) {
		const Elf64_Rela *rela = (const Elf64_Rela *)m->content[i];

		if (m->section[i].sh_type != SHT_RELA)
			continue;
		for (size_t r = 0; r < m->section[i].sh_size / sizeof(*rela); r++) {
			if (ELF64_R_SYM(rela[r].r_info) >= count)
				die("a relocation refers to no symbol");
			referred[ELF64_R_SYM(rela[r].r_info)] = true;
		}
	}
	referred[0] = true;
	for (size_t i = 0; i < count; i++) {
		bool local = ELF64_ST_BIND(symbol[i].st_info) == STB_LOCAL;
		size_t length;

		if (symbol[i].st_name >= strtab->sh_size)
			die("a symbol's name is outside the names");
		if (local && !referred[i] && ELF64_ST_TYPE(symbol[i].st_info) != STT_FUNC)
			continue;
		new_index[i] = (uint32_t)kept;
		kept_symbol[kept] = symbol[i];
		kept_symbol[kept].st_name = 0;
		// Labels inside functions are referred to by number only.
		length = strlen(name + symbol[i].st_name);
		if (length && strncmp(name + symbol[i].st_name, ".L", 2)) {
			// x86's assembler lets a name be the end of another; here each has its own place.
			if (names + length + 1 > room) {
				room = 2 * room + length;
				kept_name = room < UINT32_MAX ? realloc(kept_name, room) : NULL;
				if (!kept_name)
					die("too many names");
			}
			kept_symbol[kept].st_name = (Elf64_Word)names;
			memcpy(kept_name + names, name + symbol[i].st_name, length + 1);
			names += length + 1;
		}
		kept++;
		locals += local;
	}
	for (unsigned i = 1; i < m->header->e_shnum; i++) {
		Elf64_Rela *rela = (Elf64_Rela *)m->content[i];

		if (m->section[i].sh_type != SHT_RELA)
			continue;
		for (size_t r = 0; r < m->section[i].sh_size / sizeof(*rela); r++)
			rela[r].r_info =
				ELF64_R_INFO((uint64_t)new_index[ELF64_R_SYM(rela[r].r_info)],
					ELF64_R_TYPE(rela[r].r_info));
	}
	m->content[m->symtab] = (uint8_t *)kept_symbol;
	m->content[symtab->sh_link] = (uint8_t *)kept_name;
	symtab->sh_size = kept * sizeof(*symbol);
	symtab->sh_info = (Elf64_Word)locals; // local symbols come first
	strtab->sh_size = names;
	free(new_index);
	free(referred);
}

static void put(const void *data, size_t bytes, uint64_t *at)
{
	if (bytes && fwrite(data, 1, bytes, stdout) != bytes)
		die("cannot write");
	*at += bytes;
}

static void pad(uint64_t alignment, uint64_t *at)
{
	static const uint8_t zeros[4096];

	while (alignment > 1 && *at % alignment)
		put(zeros,
			alignment - *at % alignment < sizeof(zeros) ? alignment - *at % alignment
								    : sizeof(zeros),
			at);
}

static uint64_t aligned(uint64_t at, uint64_t alignment)
{
	return alignment > 1 ? (at + alignment - 1) / alignment * alignment : at;
}

static void write_module(struct module *m)
{
	uint64_t at = sizeof(*m->header);

	for (unsigned i = 1; i < m->header->e_shnum; i++) {
		Elf64_Shdr *s = &m->section[i];

		s->sh_offset = at = aligned(at, s->sh_addralign);
		if (s->sh_type != SHT_NOBITS)
			at += s->sh_size;
	}
	m->header->e_shoff = aligned(at, 8);

	at = 0;
	put(m->header, sizeof(*m->header), &at);
	for (unsigned i = 1; i < m->header->e_shnum; i++) {
		pad(m->section[i].sh_addralign, &at);
		if (m->section[i].sh_type != SHT_NOBITS)
			put(m->content[i], m->section[i].sh_size, &at);
	}
	pad(8, &at);
	put(m->section, m->header->e_shnum * sizeof(*m->section), &at);
	if (fflush(stdout))
		die("cannot write");
}

int main(void)
{
	struct module m = {0};

	m.data = read_all(stdin, &m.bytes);
	open_module(&m);
	drop_unloaded_sections(&m);
	drop_unused_symbols(&m);
	write_module(&m);
	return 0;
}
