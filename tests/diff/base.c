// SPDX-License-Identifier: MIT
// Items of the unprivileged ISA. Operands are loaded from pools of corner values that are part of
// the program; now and then a register is used as the last item left it, so that results feed
// results. Memory accesses stay in the data window, jumps within the item; what leaves them does
// so to provoke a trap.
#include "items.h"
#include "asm.h"
#include "isa.h"
#include "runtime.h"

#define POOL 96

static uint64_t pool_int, pool_single, pool_double;

void base_pools(void)
{
	emit_align(8);
	pool_int = here();
	for (int i = 0; i < POOL; i++)
		emit64(int_corner());
	pool_single = here();
	for (int i = 0; i < POOL; i++)
		emit64(single_corner());
	pool_double = here();
	for (int i = 0; i < POOL; i++)
		emit64(double_corner());
}

// Two sets of tables, without and with U: code in 2 MiB pages, data in 4 KiB pages of which the two
// of the data window are swapped, so that what crosses their border is in two places. A and D of
// the small pages are for the hardware to set.
#define SET(user)  (TABLE_BASE + ((user) ? 0xb000 : 0x6000))
#define SET_ROOT39 0x0000
#define SET_ROOT48 0x1000
#define SET_LEVEL2 0x2000
#define SET_LEVEL1 0x3000
#define SET_LEVEL0 0x4000

static void table_entry(uint64_t table, uint64_t index, uint64_t pa, uint64_t flags)
{
	store_const(table + 8 * index, pa >> 12 << 10 | flags);
}

void base_setup(void)
{
	for (int user = 0; user < 2; user++) {
		uint64_t set = SET(user), leaf = 0x0f | (user ? 0x10 : 0);

		table_entry(set + SET_ROOT39, 2, set + SET_LEVEL1, 1);
		table_entry(set + SET_ROOT48, 0, set + SET_LEVEL2, 1);
		table_entry(set + SET_LEVEL2, 2, set + SET_LEVEL1, 1);
		for (uint64_t i = 0; i < 3; i++)
			table_entry(set + SET_LEVEL1, i, CODE_BASE + (i << 21), leaf | 0xc0);
		table_entry(set + SET_LEVEL1, 3, set + SET_LEVEL0, 1);
		for (uint64_t i = 2; i < 5; i++)
			table_entry(set + SET_LEVEL0, i, STATE_BASE + ((i < 4 ? i ^ 1 : i) << 12),
				leaf);
	}
}

static uint64_t leave_at;

void base_enter(uint32_t how)
{
	bool user = how & 1, sv48 = how & 2, bare = how & 4, machine = how & 8;
	uint64_t root = SET(user) + (sv48 ? SET_ROOT48 : SET_ROOT39), at;

	leave_at = 0;
	if (machine)
		return;
	leave_at = forward_la(T0);
	la(T1, STATE_BASE + ST_LEAVE);
	sd(T0, T1, 0);
	li(T0, bare ? 0 : (sv48 ? 9ull : 8ull) << 60 | root >> 12);
	csrw(CSR_SATP, T0);
	li(T0, 0x1880); // MPP, MPIE
	csrc(CSR_MSTATUS, T0);
	li(T0, user ? 0 : 0x800);
	csrs(CSR_MSTATUS, T0);
	at = forward_la(T0);
	csrw(CSR_MEPC, T0);
	emit32(OP_MRET);
	land_la(at);
}

void base_leave(void)
{
	if (!leave_at)
		return;
	land_la(leave_at);
	emit32(OP_ECALL);
}

int any_reg(void)
{
	return (int)pick(32);
}

int some_reg(void)
{
	return 1 + (int)pick(31);
}

static int other_reg(int not1, int not2)
{
	for (;;) {
		int r = some_reg();

		if (r != not1 && r != not2)
			return r;
	}
}

void load_int(int rd)
{
	if (rd == X0)
		return;
	if (chance(10))
		li(rd, int_corner());
	else
		load_const(rd, pool_int + 8 * pick(POOL));
}

static uint32_t pcrel_load(uint32_t match, int rd, int base, uint64_t slot)
{
	la(base, slot);
	return enc_i(match, rd, base, 0);
}

void load_fp(int fd, bool is_double)
{
	uint64_t slot = (is_double ? pool_double : pool_single) + 8 * pick(POOL);

	emit32(pcrel_load(0x3007, fd, some_reg(), slot));
}

// Fills the fields of a table row. Registers come from the caller, where they matter.
static uint32_t fill(const struct insn *in, int rd, int rs1, int rs2, int rs3)
{
	uint32_t w = in->match;

	if (in->args[0] != '-')
		w |= (uint32_t)rd << 7;
	if (in->args[1] != '-')
		w |= (uint32_t)rs1 << 15;
	if (in->args[2] != '-')
		w |= (uint32_t)rs2 << 20;
	if (in->args[3] != '-')
		w |= (uint32_t)rs3 << 27;
	switch (in->args[4]) {
	case 'i':
		w |= (chance(30) ? (uint32_t[]){0, 1, 0x7ff, 0x800, 0xfff, 0xff}[pick(6)]
				 : pick(4096))
		     << 20;
		break;
	case '6':
		w |= pick(64) << 20;
		break;
	case '5':
		w |= pick(32) << 20;
		break;
	case 'u':
		w |= pick(1 << 20) << 12;
		break;
	case 'm': // static, dynamic, now and then a reserved mode
		w |= (chance(72) ? pick(5) : chance(85) ? 7 : 5 + pick(2)) << 12;
		break;
	}
	return w;
}

uint32_t random_alu(void)
{
	const struct insn *in = insn_pick(chance(70) ? ALU : FP);

	if (in == insn_named("ctzw")) // has its own conditions
		in = insn_named("clzw");
	return fill(in, some_reg(), any_reg(), any_reg(), any_reg());
}

static void alu_item(void)
{
	const struct insn *in = insn_pick(ALU);
	int rs1 = any_reg(), rs2 = any_reg();

	if (in->args[1] == 'x' && chance(80))
		load_int(rs1);
	if (in->args[2] == 'x' && chance(80))
		load_int(rs2);
	// QEMU 7.2's ctzw counts on into the upper word when the lower is 0.
	if (in == insn_named("ctzw")) {
		rs1 = some_reg();
		if (chance(50))
			load_int(rs1);
		if (chance(50))
			emit32(enc_r(0x0800003b, rs1, rs1, X0)); // zext.w
		else
			emit32(enc_i(0x6013, rs1, rs1, 1 << pick(11))); // ori
	}
	emit32(fill(in, any_reg(), rs1, rs2, 0));
}

static void fp_item(void)
{
	const struct insn *in = insn_pick(FP);
	int rs[3] = {any_reg(), any_reg(), any_reg()};

	if (chance(25)) // frm: mostly a valid one
		emit32(enc_i(0x5073, X0, chance(85) ? pick(5) : 5 + pick(3), CSR_FRM));
	for (int i = 0; i < 3; i++) {
		char kind = in->args[1 + i];

		if (kind == '-' || chance(15))
			continue;
		if (kind == 'x')
			load_int(rs[i]);
		else // now and then the other format's value
			load_fp(rs[i], (kind == 'd') ^ chance(3));
	}
	if (in->args[3] != '-' && chance(15)) // x * y - x * y and such: cancellation
		rs[2] = rs[pick(2)];
	emit32(fill(in, any_reg(), rs[0], rs[1], rs[2]));
	if (chance(70)) // read the flags and clear them
		emit32(enc_i(0x5073, some_reg(), 0, CSR_FFLAGS));
}

// An address in the data window that leaves room for `size` bytes.
static uint64_t data_address(unsigned size, bool aligned)
{
	uint64_t at = chance(25) ? DATA_BASE + DATA_BYTES / 2 - 16 + pick(24)
				 : DATA_BASE + pick(DATA_BYTES - 16);

	return aligned ? at & ~(uint64_t)(size - 1) : at;
}

static unsigned access_size(uint32_t word)
{
	return 1u << (word >> 12 & 3);
}

// Nothing is at these addresses. They are aligned: of a misaligned access QEMU reports another
// byte.
static uint64_t bad_address(void)
{
	switch (pick(4)) {
	case 0:
		return NOWHERE + pick(0x200000) * 8;
	case 1:
		return 0x0000800000000000ull + (rng() & 0xfffffff8);
	case 2:
		return 0x00ffffff00000000ull + (rng() & 0xfffffff8);
	default:
		return NOWHERE + 8 * pick(16);
	}
}

static void memory_item(void)
{
	const struct insn *in = insn_pick(chance(50) ? LOAD : STORE);
	int base = some_reg(), other = any_reg();
	int32_t imm = (int32_t)pick(4096) - 2048;
	bool load = in->class == LOAD;

	if (!load && in->args[2] == 'x')
		load_int(other);
	if (!load && in->args[2] != 'x')
		load_fp(other, chance(50));
	if (chance(3))
		li(base, bad_address() - (uint64_t)(int64_t)imm);
	else
		la(base, data_address(8, chance(50)) - (uint64_t)(int64_t)imm);
	if (load)
		emit32(enc_i(in->match, other, base, imm));
	else
		emit32(enc_s(in->match, base, other, imm));
}

static void amo_item(void)
{
	const struct insn *in = insn_pick(AMO);
	int base = some_reg(), rs2 = any_reg();

	load_int(rs2);
	if (chance(50)) { // give the memory operand an interesting value
		int v = other_reg(base, rs2);

		load_int(v);
		la(base, data_address(8, true));
		sd(v, base, 0);
	} else {
		la(base, data_address(access_size(in->match), chance(90)));
	}
	emit32(enc_r(in->match, any_reg(), base, rs2) | pick(4) << 25);
}

// LR and SC of one width with up to three plain instructions between them, as the specification
// promises success for; SC without or with a spent reservation; SC elsewhere, far enough away to
// be outside any reservation set.
static void lrsc_item(void)
{
	bool dword = chance(50);
	uint32_t lr = insn_named(dword ? "lr.d" : "lr.w")->match;
	uint32_t sc = insn_named(dword ? "sc.d" : "sc.w")->match;
	int base = some_reg(), value = other_reg(base, X0), result = other_reg(base, value);
	uint64_t at = data_address(dword ? 8 : 4, true);
	unsigned shape = pick(10);

	load_int(value);
	la(base, at);
	uint64_t retry = here(); // any SC may fail, for instance because the hart was put aside
	if (shape == 0)          // misaligned LR
		addi(base, base, 1 + (int)pick(3));
	else if (shape == 1)
		li(base, NOWHERE + 64);
	if (shape != 2)
		emit32(enc_r(lr, other_reg(base, value), base, 0) | pick(4) << 25);
	else // no reservation: a first SC spends whatever there was
		emit32(enc_r(sc, result, base, X0));
	if (shape < 2)
		return;
	for (unsigned n = pick(4); n; n--)
		emit32(fill(insn_named(chance(50) ? "add" : "xori"), result, value, value, 0));
	if (shape == 3) // another place: must fail
		la(base, at < DATA_BASE + 0x200 ? at + 0x200 : at - 0x200);
	emit32(enc_r(sc, result, base, value) | pick(4) << 25);
	if (shape > 3)
		emit32(enc_b(OP_BNE, result, X0, (int32_t)(retry - here())));
	if (chance(30)) // spent: must fail
		emit32(enc_r(sc, some_reg(), base, value));
	else
		addi(some_reg(), result, 0);
}

static void branch_item(void)
{
	int rs1 = any_reg(), rs2 = any_reg();

	if (chance(20)) { // a short loop
		int counter = some_reg(), acc = other_reg(counter, X0);

		addi(counter, X0, 1 + (int)pick(5));
		uint64_t top = here();
		emit32(fill(insn_named(chance(50) ? "mul" : "sub"), acc, acc, counter, 0));
		if (chance(50))
			emit16((uint16_t)(0x0001)); // another alignment
		addi(counter, counter, -1);
		emit32(enc_b(OP_BNE, counter, X0, (int32_t)(top - here())));
		return;
	}
	load_int(rs1);
	if (chance(30))
		addi(rs2, rs1, (int)pick(3) - 1);
	else
		load_int(rs2);
	uint64_t at = forward_branch(insn_pick(BRANCH)->match, rs1, rs2);
	for (unsigned n = pick(4); n; n--) {
		if (chance(30))
			emit16((uint16_t)(0x4081 | pick(8) << 7)); // c.li: odd halfword targets
		else
			emit32(random_alu());
	}
	land_branch(at);
	if (chance(10)) // reserved funct3
		emit32(enc_b(chance(50) ? 0x2063 : 0x3063, rs1, rs2, 8));
}

static void jump_item(void)
{
	int rd = any_reg(), base = some_reg();
	unsigned shape = pick(6);

	if (shape == 0) { // nothing there: the handler continues at ra
		li(base == RA ? T0 : base,
			chance(30) ? NOWHERE + 0x100 + 4 * pick(64) : bad_address());
		emit32(enc_i(0x67, RA, base == RA ? T0 : base, 0));
		return;
	}
	if (shape == 1) { // jal
		uint64_t at = here();
		emit32(0);
		for (unsigned n = pick(3); n; n--)
			emit32(random_alu());
		patch32(at, enc_j(0x6f, rd, (int32_t)(here() - at)));
		return;
	}
	// jalr: bit 0 of the sum is ignored; rd may be the base
	int32_t imm = (int32_t)pick(4096) - 2048;
	uint64_t at = forward_la(base);
	if (chance(50))
		addi(base, base, 1 & ~imm);
	addi(base, base, imm == -2048 ? 2047 : -imm);
	if (imm == -2048)
		addi(base, base, 1);
	emit32(enc_i(0x67, chance(30) ? base : rd, base, imm));
	for (unsigned n = pick(3); n; n--)
		emit32(random_alu());
	land_la(at);
}

// A word of a used major opcode that is no instruction of the tested ISA. HINT and reserved
// fences are instructions.
static void illegal_item(void)
{
	static const uint8_t major[] = {0x03, 0x07, 0x0f, 0x13, 0x1b, 0x23, 0x27, 0x2f, 0x33, 0x3b,
		0x43, 0x47, 0x4b, 0x4f, 0x53, 0x53, 0x53, 0x63, 0x67, 0x73, 0x6b, 0x57, 0x77, 0x5b,
		0x0b, 0x2b, 0x7b, 0x5f, 0x1f, 0x3f, 0x7f};
	static const uint16_t halves[] = {0x0000, 0x0004, 0x001c, 0x8000, 0x9c41, 0x9c61, 0x9fe1,
		0x2001, 0x6081, 0x6101, 0x4002, 0x6002, 0x8002, 0x8010};
	uint32_t w;

	if (chance(15)) {
		emit16(halves[pick(sizeof halves / sizeof halves[0])]);
		return;
	}
	do {
		w = (uint32_t)rng();
		w = (w & ~0x7fu) | major[pick(sizeof major)];
		if (chance(30)) // near a real one: one bit off
			w = insns[pick(n_insns)].match ^ 1u << (2 + pick(30));
		if ((w & 0x7f) == 0x73 && (w & 0x7000))
			w &= ~0x7000u; // CSRs are the privileged family's
	} while ((w & 3) != 3 || insn_find(w));
	emit32(w);
}

// Writes an instruction and a return into a buffer, makes it visible, calls it; twice, so that the
// second call must not find the first one's decoding.
static void smc_item(void)
{
	la(S0, SMC_BASE + 16 * pick(64));
	for (int round = 0; round < 2; round++) {
		uint32_t w;

		do // must keep ra and s0
			w = random_alu();
		while ((w >> 7 & 31) == RA || (w >> 7 & 31) == S0);
		li(T0, w | (uint64_t)0x00008067 << 32); // ... ret
		sd(T0, S0, 0);
		emit32(OP_FENCEI);
		emit32(enc_i(0x67, RA, S0, 0));
		addi(S1, S1, 1);
	}
}

static void csr_item(void)
{
	static const uint32_t ops[] = {0x1073, 0x2073, 0x3073, 0x5073, 0x6073, 0x7073};
	int rs1 = any_reg();

	load_int(rs1);
	emit32(enc_i(ops[pick(6)], any_reg(), rs1, (int32_t)(CSR_FFLAGS + pick(3))));
	if (chance(50))
		emit32(enc_i(0x5073, X0, pick(5), CSR_FRM));
}

static void fence_item(void)
{
	switch (pick(6)) {
	case 0:
		emit32(OP_FENCEI);
		break;
	case 1:
		emit32(0x8330000f); // fence.tso
		break;
	case 2:
		emit32(0x0100000f); // pause
		break;
	case 3: // reserved fields are ignored
		emit32(0x0000000f | ((uint32_t)rng() & 0xffff8f80));
		break;
	case 4:
		emit32(chance(50) ? 0x00000073 : 0x00100073); // ecall, ebreak
		break;
	default:
		emit32(0x0ff0000f);
	}
}

void base_item(void)
{
	static const struct {
		unsigned weight;
		void (*emit)(void);
	} kinds[] = {{28, alu_item}, {30, fp_item}, {12, memory_item}, {14, compressed_item},
		{4, amo_item}, {3, lrsc_item}, {3, branch_item}, {2, jump_item}, {2, illegal_item},
		{1, smc_item}, {1, csr_item}, {1, fence_item}};
	unsigned n = pick(101), i = 0;

	while (n >= kinds[i].weight)
		n -= kinds[i++].weight;
	kinds[i].emit();
}
