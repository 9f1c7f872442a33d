// SPDX-License-Identifier: MIT
// Items of Sv39 and Sv48. Each maps one fresh virtual page, or a superpage, with flags drawn at
// random (reserved combinations included), then tries several accesses to it from U, S and M with
// MPRV, and records the page table entry afterwards, with the A and D bits the accesses set. Status
// bits change between the accesses without a fence, as they may; entries change with one.
//
// Beside the page under test the tables map all of the first gigabyte of RAM twice: at its physical
// address for S-mode, which runs the probes' code and the handlers, and USER_ALIAS higher for U.
#include "items.h"
#include "asm.h"
#include "runtime.h"

#define ROOT39 TABLE_BASE
#define ROOT48 (TABLE_BASE + 0x1000)
#define FIXED2 (TABLE_BASE + 0x2000) // Sv48's way to the two fixed gigabytes
#define LEVEL2 (TABLE_BASE + 0x3000)
#define LEVEL1 (TABLE_BASE + 0x4000)
#define LEVEL0 (TABLE_BASE + 0x5000)

enum { V = 1, R = 2, W = 4, X = 8, U = 16, G = 32, A = 64, D = 128 };

static uint64_t pte(uint64_t pa, uint64_t flags)
{
	return pa >> 12 << 10 | flags;
}

uint64_t identity_satp(void)
{
	return chance(50) ? 8ull << 60 | ROOT39 >> 12 : 9ull << 60 | ROOT48 >> 12;
}

void paging_setup(void)
{
	store_const(ROOT39 + 8 * 2, pte(0x80000000, V | R | W | X | G | A | D));
	store_const(ROOT39 + 8 * 3, pte(0x80000000, V | R | W | X | U | A | D));
	store_const(FIXED2 + 8 * 2, pte(0x80000000, V | R | W | X | G | A | D));
	store_const(FIXED2 + 8 * 3, pte(0x80000000, V | R | W | X | U | A | D));
	store_const(ROOT48, pte(FIXED2, V));
	la(T0, CODE_PAGE(0));
	la(T2, CODE_PAGE(4));
	uint64_t loop = here();
	li(T1, 0x4601 | (uint64_t)0x73 << 16 | 0x0001ull << 48); // c.li a2, 0; ecall; c.nop
	sd(T1, T0, 0);
	addi(T0, T0, 64);
	emit32(enc_b(OP_BLT, T0, T2, (int32_t)(loop - here())));
	for (unsigned i = 0; i < 4; i++) {
		la(T0, CODE_PAGE(i));
		addi(T1, X0, 0x73);
		emit32(enc_s(0x1023, T0, X0, 0)); // sh: second half of the straddling ecall
		la(T0, CODE_PAGE(i) + 0xffe);
		emit32(enc_s(0x1023, T0, T1, 0));
	}
	for (unsigned i = 0; i < 8; i++) {
		li(T1, rng());
		la(T0, DATA_PAGE(i / 2) + (i % 2) * 0xff8);
		sd(T1, T0, 0);
	}
	emit32(OP_FENCEI);
}

uint64_t code_offset(void)
{
	return chance(30) ? 0xffe : 64 * (1 + (uint64_t)pick(63));
}

// Flags of a leaf, biased towards those that let something through.
static uint64_t leaf_flags(int level)
{
	uint64_t f = chance(95) ? V : 0;

	f |= chance(60) ? (uint64_t[]){R | W | X, R | W, R, R | X, X}[pick(5)] : pick(8) * R;
	if (level && !(f & (R | W | X))) // would be a table
		f |= R;
	f |= chance(50) ? U : 0;
	f |= chance(20) ? G : 0;
	f |= chance(60) ? A : 0;
	f |= chance(50) ? D : 0;
	f |= (uint64_t)pick(4) << 8;
	if (chance(3))
		f |= 1ull << (54 + pick(10));
	return f;
}

static uint64_t table_pte(uint64_t table)
{
	if (chance(2))
		return pte(table, 0);
	if (chance(3))
		return pte(table, V | (uint64_t[]){A, D, U, G}[pick(4)]);
	if (chance(2))
		return pte(table, V | 1ull << (54 + pick(10)));
	return pte(table, V);
}

struct mapping {
	uint64_t va, satp;
	uint64_t entry, entry2; // addresses of the leaf and of its neighbour, or 0
	uint64_t target, flags;
	bool code, nowhere; // nowhere: valid, but no memory behind it
	int level;
};

static uint64_t entry_at(uint64_t table, uint64_t va, int level)
{
	return table + 8 * (va >> (12 + 9 * level) & 511);
}

static struct mapping make_mapping(void)
{
	bool sv48 = chance(40);
	int top = sv48 ? 3 : 2, bits = sv48 ? 48 : 39;
	struct mapping m = {.code = chance(40)};
	static const uint64_t tables[] = {LEVEL0, LEVEL1, LEVEL2};
	uint64_t root = sv48 ? ROOT48 : ROOT39;
	unsigned n = pick(100);

	m.level = n < 60 ? 0 : n < 80 ? 1 : n < 93 || !sv48 ? 2 : 3;
	m.target = m.code ? CODE_PAGE(pick(4)) : DATA_PAGE(pick(4));
	m.satp = (sv48 ? 9ull : 8ull) << 60 | (uint64_t)(chance(50) ? pick(16) : 0) << 44 |
		 root >> 12;
	// The fixed gigabytes have the lowest indexes of the root.
	uint64_t index = 4 + pick(508), size = 1ull << (12 + 9 * m.level);

	m.va = index << (12 + 9 * top) | (rng() & ((1ull << (12 + 9 * top)) - 1));
	m.va = (m.va & ~(size - 1)) | (m.target & (size - 1));
	if (m.level == 0 && (m.va >> 12 & 511) == 511) // its neighbour is to be in the same table
		m.va -= 0x1000;
	m.va = (uint64_t)((int64_t)(m.va << (64 - bits)) >> (64 - bits));
	for (int level = top; level > m.level; level--)
		store_const(entry_at(level == top ? root : tables[level], m.va, level),
			table_pte(tables[level - 1]));
	m.entry = entry_at(m.level == top ? root : tables[m.level], m.va, m.level);
	m.flags = leaf_flags(m.level);
	uint64_t pa = m.target & ~(size - 1);
	if (m.level && chance(10)) // misaligned
		pa |= 0x1000ull << pick(9 * (unsigned)m.level);
	m.nowhere = m.level == 0 && !m.code && chance(3);
	if (m.nowhere)
		pa = NOWHERE;
	store_const(m.entry, pte(pa, m.flags));
	if (m.level == 0) {
		m.entry2 = m.entry + 8;
		store_const(
			m.entry2, chance(80) ? pte(m.code ? CODE_PAGE(pick(4)) : DATA_PAGE(pick(4)),
						       chance(50) ? m.flags : leaf_flags(0))
					     : 0);
	}
	if (chance(4)) // not canonical
		m.va ^= 1ull << (bits + pick(64 - (unsigned)bits));
	return m;
}

static void keep_entry(uint64_t at)
{
	la(T0, at);
	ld(T1, T0, 0);
	record(T1, T0);
}

static void access_mapping(const struct mapping *m, bool keep_tlb)
{
	uint64_t offset;
	struct probe p = {.mode = (int)pick(2),
		.mpp = (int)pick(2),
		.satp = m->satp,
		.mstatus = (uint64_t)pick(4) << 18,
		.medeleg = chance(50) ? 0 : rng() & 0xb1ff,
		.value = rng(),
		.keep_tlb = keep_tlb};

	if (m->code && chance(60)) {
		offset = code_offset();
	} else {
		p.insn = random_access(!m->code);
		if (chance(20))
			p.mode = 3;
		offset = chance(60)   ? pick(0x1000) & ~7u
			 : chance(50) ? pick(0xff8)
				      : 0xff8 + pick(8);
		if ((p.insn & 0x7f) == 0x2f || m->nowhere)
			offset &= ~7ull;
		if ((p.insn & 0x7f) == 0x2f && m->nowhere)
			p.insn = random_access(false);
	}
	if (p.mode == 0)
		p.code_offset = USER_ALIAS;
	p.va = (m->va & ~0xfffull) + offset;
	emit_probe(&p);
	record(A2, T0);
}

void paging_item(void)
{
	struct mapping m = make_mapping();

	access_mapping(&m, false);
	for (unsigned n = 1 + pick(3); n; n--) {
		bool keep = true;

		if (chance(30)) {
			m.flags = leaf_flags(m.level);
			m.nowhere = false;
			store_const(m.entry,
				pte(m.level ? m.target & ~((1ull << (12 + 9 * m.level)) - 1)
					    : m.target,
					m.flags));
			if (chance(50)) {
				li(T0, m.va);
				emit32(enc_r(OP_SFENCE, X0, T0, X0));
			} else {
				keep = false;
			}
		}
		access_mapping(&m, keep);
	}
	keep_entry(m.entry);
	if (m.entry2)
		keep_entry(m.entry2);
	csrw(CSR_SATP, X0);
	csrw(CSR_MEDELEG, X0);
}
