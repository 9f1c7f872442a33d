// SPDX-License-Identifier: MIT
/*
 * Reading files that the user gives us to boot: headers of RISC-V Image files and ELF64
 * executables. All of it is untrusted: these functions read bytes in host memory, check every
 * number against the size of the file, and say in one line what is wrong. They touch no guest. Any
 * thread.
 */
#ifndef MONITOR_BOOT_ELF_H
#define MONITOR_BOOT_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Linux Documentation/arch/riscv/boot-image-header.rst */
enum { KERNEL_HEADER_BYTES = 64 };

struct kernel_header {
	uint64_t text_offset; /* from the start of RAM; a multiple of 2 MiB */
	uint64_t image_bytes; /* memory it takes, bss included; at least the file's size */
};

/*
 * `bytes`: the first min(file_bytes, KERNEL_HEADER_BYTES) of the file; `name` for messages. 0, or
 * -EINVAL after one line on stderr.
 */
int kernel_header_parse(
	const void *bytes, uint64_t file_bytes, const char *name, struct kernel_header *h);

enum { ELF_MAX_SEGMENTS = 64 };

struct elf_segment {
	uint64_t pa;
	uint64_t offset, file_bytes; /* within the file */
	uint64_t mem_bytes;          /* >= file_bytes; the rest is zero */
};

struct elf {
	uint64_t entry;
	uint64_t tohost, fromhost; /* addresses of these symbols; 0: not there */
	uint64_t pvh; /* 32-bit entry of the PVH boot protocol, from its note; 0: none */
	unsigned n_segments;
	struct elf_segment segment[ELF_MAX_SEGMENTS]; /* PT_LOAD with memory, in file order */
};

bool elf_is(const void *bytes, uint64_t n);
/* The whole file, which must be for `machine` (EM_RISCV, EM_X86_64 of <elf.h>). 0, or -EINVAL after
 * one line on stderr. */
int elf_parse(const void *bytes, uint64_t n, const char *name, unsigned machine, struct elf *e);

#endif
