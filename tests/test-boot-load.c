// SPDX-License-Identifier: MIT
/*
 * Kernel Image and ELF headers: good ones are understood, and no file, however cut or overwritten,
 * makes the reader look outside it or report a segment that lies outside.
 */
#include <check.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "monitor/boot/elf.h"
#include "numa/util.h"

static void put64(uint8_t *p, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static void make_header(uint8_t h[KERNEL_HEADER_BYTES], uint64_t offset, uint64_t bytes)
{
	memset(h, 0, KERNEL_HEADER_BYTES);
	put64(h + 8, offset);
	put64(h + 16, bytes);
	memcpy(h + 0x30, "RISCV", 5);
	memcpy(h + 0x38, "RSC\x05", 4);
}

START_TEST(a_kernel_takes_the_larger_of_file_and_memory)
{
	uint8_t h[KERNEL_HEADER_BYTES];
	struct kernel_header k;

	make_header(h, 0x200000, 5000);
	ck_assert_int_eq(kernel_header_parse(h, 4000, "k", &k), 0);
	ck_assert_uint_eq(k.text_offset, 0x200000);
	ck_assert_uint_eq(k.image_bytes, 5000);
	ck_assert_int_eq(kernel_header_parse(h, 9000, "k", &k), 0);
	ck_assert_uint_eq(k.image_bytes, 9000);
}
END_TEST

START_TEST(bad_kernel_headers_are_refused)
{
	uint8_t h[KERNEL_HEADER_BYTES];
	struct kernel_header k;

	make_header(h, 0x200000, 5000);
	ck_assert_int_lt(kernel_header_parse(h, 63, "k", &k), 0);
	h[0x30] = 'X';
	ck_assert_int_lt(kernel_header_parse(h, 4000, "k", &k), 0);
	make_header(h, 0x1000, 5000); /* not 2 MiB aligned */
	ck_assert_int_lt(kernel_header_parse(h, 4000, "k", &k), 0);
	make_header(h, 0x200000, UINT64_MAX);
	ck_assert_int_lt(kernel_header_parse(h, 4000, "k", &k), 0);
	make_header(h, UINT64_MAX - 0x1fffff, 1);
	ck_assert_int_lt(kernel_header_parse(h, 4000, "k", &k), 0);
	make_header(h, 0x200000, 5000);
	h[24] = 1; /* big-endian */
	ck_assert_int_lt(kernel_header_parse(h, 4000, "k", &k), 0);
}
END_TEST

/* Headers, one segment of 16 bytes with 32 in memory, a symbol table with tohost, and two notes. */
struct small_elf {
	Elf64_Ehdr h;
	Elf64_Phdr p[2];
	uint8_t text[16];
	Elf64_Sym symbol[2];
	char strings[32];
	Elf64_Shdr s[2];
	struct {
		Elf64_Nhdr h;
		char name[4];
		uint32_t text[3];
	} other;
	struct {
		Elf64_Nhdr h;
		char name[4];
		uint64_t entry;
	} __attribute__((packed)) pvh;
};

static struct small_elf make_elf(void)
{
	struct small_elf e;

	memset(&e, 0, sizeof(e));
	memcpy(e.h.e_ident, ELFMAG, SELFMAG);
	e.h.e_ident[EI_CLASS] = ELFCLASS64;
	e.h.e_ident[EI_DATA] = ELFDATA2LSB;
	e.h.e_type = ET_EXEC;
	e.h.e_machine = EM_RISCV;
	e.h.e_entry = 0x80000000;
	e.h.e_phoff = offsetof(struct small_elf, p);
	e.h.e_phentsize = sizeof(Elf64_Phdr);
	e.h.e_phnum = 2;
	e.h.e_shoff = offsetof(struct small_elf, s);
	e.h.e_shentsize = sizeof(Elf64_Shdr);
	e.h.e_shnum = 2;
	e.p[0] = (Elf64_Phdr){.p_type = PT_NOTE,
		.p_offset = offsetof(struct small_elf, other),
		.p_filesz = sizeof(e.other) + sizeof(e.pvh)};
	e.other.h = (Elf64_Nhdr){3, 9, 18};
	memcpy(e.other.name, "GNU", 4);
	e.pvh.h = (Elf64_Nhdr){4, 8, 18};
	memcpy(e.pvh.name, "Xen", 4);
	e.pvh.entry = 0x80000010;
	e.p[1] = (Elf64_Phdr){.p_type = PT_LOAD,
		.p_offset = offsetof(struct small_elf, text),
		.p_paddr = 0x80000000,
		.p_filesz = 16,
		.p_memsz = 32};
	memcpy(e.strings, "\0tohost", 8);
	e.symbol[1] = (Elf64_Sym){.st_name = 1, .st_value = 0x80001000};
	e.s[0] = (Elf64_Shdr){.sh_type = SHT_SYMTAB,
		.sh_offset = offsetof(struct small_elf, symbol),
		.sh_size = sizeof(e.symbol),
		.sh_link = 1};
	e.s[1] = (Elf64_Shdr){.sh_type = SHT_STRTAB,
		.sh_offset = offsetof(struct small_elf, strings),
		.sh_size = sizeof(e.strings)};
	return e;
}

START_TEST(an_elf_file_has_segments_entry_and_tohost)
{
	struct small_elf file = make_elf();
	struct elf e;

	ck_assert(elf_is(&file, sizeof(file)));
	ck_assert_int_eq(elf_parse(&file, sizeof(file), "e", EM_RISCV, &e), 0);
	ck_assert_uint_eq(e.entry, 0x80000000);
	ck_assert_uint_eq(e.n_segments, 1);
	ck_assert_uint_eq(e.segment[0].pa, 0x80000000);
	ck_assert_uint_eq(e.segment[0].file_bytes, 16);
	ck_assert_uint_eq(e.segment[0].mem_bytes, 32);
	ck_assert_uint_eq(e.tohost, 0x80001000);
	ck_assert_uint_eq(e.fromhost, 0);
	ck_assert_uint_eq(e.pvh, 0x80000010);
	/* An entry of 32 bits; a note of somebody else's; one cut off. */
	file.pvh.h.n_descsz = 4;
	file.pvh.entry = 0xffffffff80000010;
	ck_assert_int_eq(elf_parse(&file, sizeof(file), "e", EM_RISCV, &e), 0);
	ck_assert_uint_eq(e.pvh, 0x80000010);
	file.pvh.name[0] = 'x';
	ck_assert_int_eq(elf_parse(&file, sizeof(file), "e", EM_RISCV, &e), 0);
	ck_assert_uint_eq(e.pvh, 0);
	file = make_elf();
	file.p[0].p_filesz--;
	ck_assert_int_eq(elf_parse(&file, sizeof(file), "e", EM_RISCV, &e), 0);
	ck_assert_uint_eq(e.pvh, 0);
}
END_TEST

START_TEST(elf_files_for_others_are_refused)
{
	struct small_elf file = make_elf();
	struct elf e;

	file.h.e_machine = EM_X86_64;
	ck_assert_int_lt(elf_parse(&file, sizeof(file), "e", EM_RISCV, &e), 0);
	file = make_elf();
	file.h.e_ident[EI_CLASS] = ELFCLASS32;
	ck_assert_int_lt(elf_parse(&file, sizeof(file), "e", EM_RISCV, &e), 0);
	file = make_elf();
	file.h.e_type = ET_REL;
	ck_assert_int_lt(elf_parse(&file, sizeof(file), "e", EM_RISCV, &e), 0);
	file = make_elf();
	file.p[1].p_type = PT_NOTE;
	ck_assert_int_lt(elf_parse(&file, sizeof(file), "e", EM_RISCV, &e), 0);
	file = make_elf();
	file.p[1].p_memsz = 8; /* less than in the file */
	ck_assert_int_lt(elf_parse(&file, sizeof(file), "e", EM_RISCV, &e), 0);
	file = make_elf();
	file.p[1].p_paddr = UINT64_MAX - 8; /* wraps */
	ck_assert_int_lt(elf_parse(&file, sizeof(file), "e", EM_RISCV, &e), 0);
	file = make_elf();
	file.h.e_phoff = UINT64_MAX - 8;
	ck_assert_int_lt(elf_parse(&file, sizeof(file), "e", EM_RISCV, &e), 0);
}
END_TEST

/* Parses a copy that ends where the file ends, so that a sanitizer sees a read beyond. */
static void parse_exactly(const void *bytes, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);
	struct elf e;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, bytes, n);
	if (!elf_parse(copy, n, "e", EM_RISCV, &e)) {
		for (unsigned i = 0; i < e.n_segments; i++) {
			ck_assert_uint_le(e.segment[i].offset, n);
			ck_assert_uint_le(e.segment[i].file_bytes, n - e.segment[i].offset);
			ck_assert_uint_ge(e.segment[i].mem_bytes, e.segment[i].file_bytes);
		}
	}
	free(copy);
}

START_TEST(no_damage_makes_the_reader_leave_the_file)
{
	struct small_elf file = make_elf();
	uint64_t seed = 1;

	for (size_t n = 0; n <= sizeof(file); n++)
		parse_exactly(&file, n);
	for (int i = 0; i < 20000; i++) {
		static const uint8_t nasty[] = {0, 1, 0x7f, 0x80, 0xff};

		file = make_elf();
		for (uint64_t k = splitmix64(&seed) % 12; k-- > 0;) {
			uint64_t r = splitmix64(&seed);

			((uint8_t *)&file)[SELFMAG + r % (sizeof(file) - SELFMAG)] =
				nasty[(r >> 32) % sizeof(nasty)];
		}
		parse_exactly(&file, sizeof(file));
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("boot files");
	TCase *t = tcase_create("boot files");
	SRunner *r;
	int failed;

	/* Refusals are said on stderr; thousands of them are expected here. */
	if (!freopen("/dev/null", "w", stderr))
		return 1;
	tcase_add_test(t, a_kernel_takes_the_larger_of_file_and_memory);
	tcase_add_test(t, bad_kernel_headers_are_refused);
	tcase_add_test(t, an_elf_file_has_segments_entry_and_tohost);
	tcase_add_test(t, elf_files_for_others_are_refused);
	tcase_add_test(t, no_damage_makes_the_reader_leave_the_file);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
