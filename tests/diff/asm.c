// SPDX-License-Identifier: MIT
// The code buffer, instruction encoders and the ELF writer of the differential test's generator.
// Branch and address patches are done in place: the generator only ever emits forwards, and a
// forward reference is fixed when its target is reached.
#include "asm.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct program prog;
static uint64_t rng_state;

void rng_seed(uint64_t seed)
{
	rng_state = seed;
}

uint64_t rng(void)
{
	uint64_t z = (rng_state += 0x9e3779b97f4a7c15ull);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

uint32_t pick(uint32_t n)
{
	return (uint32_t)((rng() >> 32) * n >> 32);
}

bool chance(uint32_t percent)
{
	return pick(100) < percent;
}

uint64_t here(void)
{
	return CODE_BASE + prog.len;
}

static void put(const void *bytes, size_t n)
{
	if (!prog.bytes)
		prog.bytes = calloc(1, CODE_MAX);
	if (!prog.bytes || prog.len + n > CODE_MAX) {
		fprintf(stderr, "generate: the program does not fit in %llu bytes\n", CODE_MAX);
		exit(2);
	}
	memcpy(prog.bytes + prog.len, bytes, n);
	prog.len += n;
}

// Hosts may be of either byte order; the program is little-endian.
static void put_le(uint64_t value, unsigned n)
{
	uint8_t b[8];

	for (unsigned i = 0; i < n; i++)
		b[i] = (uint8_t)(value >> (8 * i));
	put(b, n);
}

void emit32(uint32_t word)
{
	put_le(word, 4);
}

void emit16(uint16_t half)
{
	put_le(half, 2);
}

void emit64(uint64_t value)
{
	put_le(value, 8);
}

void emit_align(unsigned bytes)
{
	while (prog.len % bytes)
		emit16(0x0001);
}

void patch32(uint64_t at, uint32_t word)
{
	uint8_t *p = prog.bytes + (at - CODE_BASE);

	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(word >> (8 * i));
}

static uint32_t get32(uint64_t at)
{
	const uint8_t *p = prog.bytes + (at - CODE_BASE);

	return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

uint32_t enc_r(uint32_t match, int rd, int rs1, int rs2)
{
	return match | (uint32_t)rd << 7 | (uint32_t)rs1 << 15 | (uint32_t)rs2 << 20;
}

uint32_t enc_i(uint32_t match, int rd, int rs1, int32_t imm)
{
	return match | (uint32_t)rd << 7 | (uint32_t)rs1 << 15 | (uint32_t)imm << 20;
}

uint32_t enc_s(uint32_t match, int rs1, int rs2, int32_t imm)
{
	uint32_t u = (uint32_t)imm;

	return match | (u & 31) << 7 | (uint32_t)rs1 << 15 | (uint32_t)rs2 << 20 |
	       (u >> 5 & 127) << 25;
}

// A branch or jump that does not reach is a fault of the generator.
static void check_reach(int32_t off, int32_t reach)
{
	if (off < -reach || off >= reach) {
		fprintf(stderr, "generate: a jump over %d bytes does not reach\n", (int)off);
		exit(2);
	}
}

uint32_t enc_b(uint32_t match, int rs1, int rs2, int32_t off)
{
	uint32_t u = (uint32_t)off;

	check_reach(off, 1 << 12);
	return match | (u >> 11 & 1) << 7 | (u >> 1 & 15) << 8 | (uint32_t)rs1 << 15 |
	       (uint32_t)rs2 << 20 | (u >> 5 & 63) << 25 | (u >> 12 & 1) << 31;
}

uint32_t enc_u(uint32_t match, int rd, int32_t imm20)
{
	return match | (uint32_t)rd << 7 | (uint32_t)imm20 << 12;
}

uint32_t enc_j(uint32_t match, int rd, int32_t off)
{
	uint32_t u = (uint32_t)off;

	check_reach(off, 1 << 20);
	return match | (uint32_t)rd << 7 | (u >> 12 & 255) << 12 | (u >> 11 & 1) << 20 |
	       (u >> 1 & 1023) << 21 | (u >> 20 & 1) << 31;
}

void addi(int rd, int rs1, int32_t imm)
{
	emit32(enc_i(0x13, rd, rs1, imm));
}

void ld(int rd, int rs1, int32_t imm)
{
	emit32(enc_i(0x3003, rd, rs1, imm));
}

void sd(int rs2, int rs1, int32_t imm)
{
	emit32(enc_s(0x3023, rs1, rs2, imm));
}

void csrrw(int rd, uint32_t csr, int rs1)
{
	emit32(enc_i(0x1073, rd, rs1, (int32_t)csr));
}

void csrr(int rd, uint32_t csr)
{
	emit32(enc_i(0x2073, rd, X0, (int32_t)csr));
}

void csrw(uint32_t csr, int rs1)
{
	csrrw(X0, csr, rs1);
}

void csrs(uint32_t csr, int rs1)
{
	emit32(enc_i(0x2073, X0, rs1, (int32_t)csr));
}

void csrc(uint32_t csr, int rs1)
{
	emit32(enc_i(0x3073, X0, rs1, (int32_t)csr));
}

void li(int rd, uint64_t value)
{
	int64_t v = (int64_t)value;

	if (v == (int32_t)v) {
		int32_t lo = (int32_t)((uint32_t)v << 20) >> 20;
		int32_t hi = (int32_t)((uint32_t)v - (uint32_t)lo) >> 12;

		if (!hi) {
			addi(rd, X0, lo);
			return;
		}
		emit32(enc_u(0x37, rd, hi));
		if (lo)
			emit32(enc_i(0x1b, rd, rd, lo)); // addiw
		return;
	}
	int64_t lo = (int64_t)(value << 52) >> 52;
	int64_t hi = (int64_t)(value - (uint64_t)lo) >> 12;
	unsigned shift = 12;

	while (!(hi & 1)) {
		hi >>= 1;
		shift++;
	}
	li(rd, (uint64_t)hi);
	emit32(enc_i(0x1013, rd, rd, (int32_t)shift)); // slli
	if (lo)
		addi(rd, rd, (int32_t)lo);
}

static uint32_t pcrel_hi(uint64_t from, uint64_t to)
{
	return (uint32_t)((to - from + 0x800) >> 12) & 0xfffff;
}

static int32_t pcrel_lo(uint64_t from, uint64_t to)
{
	return (int32_t)((uint32_t)(to - from) << 20) >> 20;
}

void la(int rd, uint64_t address)
{
	uint64_t pc = here();

	emit32(enc_u(0x17, rd, (int32_t)pcrel_hi(pc, address)));
	addi(rd, rd, pcrel_lo(pc, address));
}

void load_const(int rd, uint64_t slot)
{
	uint64_t pc = here();

	emit32(enc_u(0x17, rd, (int32_t)pcrel_hi(pc, slot)));
	ld(rd, rd, pcrel_lo(pc, slot));
}

void jump_to(uint64_t target)
{
	emit32(enc_j(0x6f, X0, (int32_t)(target - here())));
}

void store_const(uint64_t address, uint64_t value)
{
	la(T0, address);
	li(T1, value);
	sd(T1, T0, 0);
}

uint64_t forward_branch(uint32_t match, int rs1, int rs2)
{
	emit32(enc_b(match, rs1, rs2, 0));
	return here() - 4;
}

void land_branch(uint64_t at)
{
	patch32(at, enc_b(get32(at), 0, 0, (int32_t)(here() - at)));
}

uint64_t forward_jump(void)
{
	emit32(enc_j(0x6f, X0, 0));
	return here() - 4;
}

void land_jump(uint64_t at)
{
	patch32(at, enc_j(get32(at), 0, (int32_t)(here() - at)));
}

uint64_t forward_la(int rd)
{
	emit32(enc_u(0x17, rd, 0));
	addi(rd, rd, 0);
	return here() - 8;
}

void land_la(uint64_t at)
{
	patch32(at, get32(at) | pcrel_hi(at, here()) << 12);
	patch32(at + 4, get32(at + 4) | (uint32_t)pcrel_lo(at, here()) << 20);
}

#define ARCH "rv64i2p1_m2p0_a2p1_f2p2_d2p2_c2p0_zicsr2p0_zifencei2p0_zba1p0_zbb1p0_zbs1p0"

// What disassemblers read to know the extensions: the attribute section, vendor "riscv", with the
// file's Tag_RISCV_arch (RISC-V ELF psABI, "Attributes").
static const struct __attribute__((packed)) {
	char version;
	uint32_t vendor_bytes;
	char vendor[6];
	uint8_t tag_file;
	uint32_t file_bytes;
	uint8_t tag_arch;
	char arch[sizeof ARCH];
} attributes = {'A', 16 + sizeof ARCH, "riscv", 1, 6 + sizeof ARCH, 5, ARCH};

// The layout is fixed: headers in the first page, the program from the second, then attributes,
// section names and section headers. Elf64 structures are written in host order: hosts of this
// project are little-endian, as the target is.
void write_elf(const char *path)
{
	static const char names[] = "\0.text\0.shstrtab\0.riscv.attributes";
	const uint64_t text = 0x1000, attr = text + prog.len, strs = attr + sizeof attributes,
		       heads = (strs + sizeof names + 7) & ~7ull;
	Elf64_Ehdr eh = {
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			EV_CURRENT},
		.e_type = ET_EXEC,
		.e_machine = EM_RISCV,
		.e_version = EV_CURRENT,
		.e_entry = CODE_BASE,
		.e_phoff = sizeof eh,
		.e_shoff = heads,
		.e_flags = 0x5, // compressed instructions, double-float ABI
		.e_ehsize = sizeof eh,
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 1,
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = 4,
		.e_shstrndx = 2,
	};
	Elf64_Phdr ph = {
		.p_type = PT_LOAD,
		.p_flags = PF_R | PF_W | PF_X,
		.p_offset = text,
		.p_vaddr = CODE_BASE,
		.p_paddr = CODE_BASE,
		.p_filesz = prog.len,
		.p_memsz = prog.len,
		.p_align = 0x1000,
	};
	Elf64_Shdr sh[4] = {
		[1] = {.sh_name = 1,
			.sh_type = SHT_PROGBITS,
			.sh_flags = SHF_ALLOC | SHF_EXECINSTR,
			.sh_addr = CODE_BASE,
			.sh_offset = text,
			.sh_size = prog.len,
			.sh_addralign = 4},
		[2] = {.sh_name = 7,
			.sh_type = SHT_STRTAB,
			.sh_offset = strs,
			.sh_size = sizeof names,
			.sh_addralign = 1},
		[3] = {.sh_name = 17,
			.sh_type = 0x70000003, // SHT_RISCV_ATTRIBUTES
			.sh_offset = attr,
			.sh_size = sizeof attributes,
			.sh_addralign = 1},
	};
	FILE *f = fopen(path, "wb");

	if (!f || fwrite(&eh, sizeof eh, 1, f) != 1 || fwrite(&ph, sizeof ph, 1, f) != 1 ||
		fseek(f, (long)text, SEEK_SET) || fwrite(prog.bytes, prog.len, 1, f) != 1 ||
		fwrite(&attributes, sizeof attributes, 1, f) != 1 ||
		fwrite(names, sizeof names, 1, f) != 1 || fseek(f, (long)heads, SEEK_SET) ||
		fwrite(sh, sizeof sh, 1, f) != 1 || fclose(f)) {
		perror(path);
		exit(2);
	}
}
