// SPDX-License-Identifier: MIT
// Items of physical memory protection: entries of all kinds around the target pages, then accesses
// of all sizes at and across their borders from U, S, and M under MPRV; locked entries also bind M.
// Entry 15 lets S and U have everything else. R = 0 with W = 1 is reserved and not tried.
#include "items.h"
#include "asm.h"
#include "runtime.h"

enum { PMP_R = 1, PMP_W = 2, PMP_X = 4, PMP_TOR = 8, PMP_NA4 = 16, PMP_NAPOT = 24, PMP_L = 128 };

static uint8_t permissions(void)
{
	return (uint8_t[]){
		0, PMP_R, PMP_R | PMP_W, PMP_X, PMP_R | PMP_X, PMP_R | PMP_W | PMP_X}[pick(6)];
}

// A border at one of these makes the accesses below interesting.
static uint64_t border(uint64_t page)
{
	return page + 4 * (uint64_t)(chance(50) ? pick(64) : pick(1024));
}

static uint64_t napot(uint64_t page)
{
	unsigned log = 3 + pick(11); // 8 bytes to 8 KiB
	uint64_t base = border(page) & ~((1ull << log) - 1);

	return base >> 2 | ((1ull << (log - 3)) - 1);
}

static void set_entry(unsigned n, uint64_t address)
{
	li(T0, address);
	csrw(CSR_PMPADDR0 + n, T0);
}

static void keep_csr(uint32_t number)
{
	csrr(T1, number);
	record(T1, T0);
}

static void access_page(uint64_t page, uint64_t near, bool code)
{
	struct probe p = {.mode = (int)pick(2),
		.mpp = (int)pick(2),
		.value = rng(),
		.medeleg = chance(50) ? 0 : rng() & 0xb1fd};

	if (chance(25)) {
		p.satp = identity_satp();
		p.mstatus = 1ull << 18;
	}
	if (code && chance(50)) {
		p.va = page + code_offset();
	} else {
		p.insn = random_access(!code);
		p.va = chance(70) ? near + pick(24) - 12 : page + pick(0xff0);
		if (chance(50) || (p.insn & 0x7f) == 0x2f)
			p.va &= ~7ull;
		// QEMU 7.2 looks at the ends of an access only: no entry may fit between them.
		if ((p.insn >> 12 & 3) == 3)
			p.va &= ~3ull;
		if ((p.va & 0xfff) > 0xff8) // across pages it may be two accesses
			p.va &= ~7ull;
		if (chance(25)) {
			p.mode = 3;
			p.mpp = chance(30) ? -1 : p.mpp;
		}
	}
	bool user = p.mode == 0 || (p.mode == 3 && p.mpp == 0);
	if (p.satp && user)
		p.va += USER_ALIAS;
	if (p.satp && p.mode == 0)
		p.code_offset = USER_ALIAS;
	emit_probe(&p);
	record(A2, T0);
}

// Entries 0..3; taken back at the end.
static void open_item(void)
{
	bool code = chance(30);
	uint64_t page = code ? CODE_PAGE(pick(3)) : DATA_PAGE(pick(2)), near = page, cfg = 0;

	for (unsigned i = 0; i < 4; i++) {
		uint8_t kind = (uint8_t[]){0, PMP_TOR, PMP_NA4, PMP_NAPOT}[pick(4)];

		if (kind == PMP_TOR && i == 0) // from 0 on: would hold the code of S and U
			kind = PMP_NAPOT;
		if (kind == PMP_NAPOT) {
			set_entry(i, napot(page));
		} else {
			near = border(page);
			set_entry(i, near >> 2);
		}
		// The entry before a TOR may be below the code; keep the code reachable mostly.
		cfg |= (uint64_t)(kind | permissions()) << (8 * i);
	}
	li(T0, cfg);
	csrw(CSR_PMPCFG0, T0);
	emit32(OP_SFENCE);
	keep_csr(CSR_PMPCFG0);
	for (unsigned i = 0; i < 4; i++)
		keep_csr(CSR_PMPADDR0 + i);
	for (unsigned n = 2 + pick(3); n; n--)
		access_page(page, near, code);
	csrw(CSR_PMPCFG0, X0);
	emit32(OP_SFENCE);
}

// Locks one of entries 8..14 over part of the last data page for the rest of the run, or tries to
// change what is locked.
static void lock_item(void)
{
	unsigned i = pick(7);
	uint64_t page = DATA_PAGE(3), near = border(page);
	bool tor = i > 0 && chance(20);

	if (tor)
		set_entry(8 + i - 1, (page + 0x100) >> 2);
	set_entry(8 + i, near >> 2);
	csrr(T0, CSR_PMPCFG2);
	li(T1, 0xffull << (8 * i));
	emit32(enc_i(0x4013, T1, T1, -1)); // not
	emit32(enc_r(0x7033, T0, T0, T1));
	li(T1, (uint64_t)(permissions() | (tor ? PMP_TOR : PMP_NA4) | (chance(30) ? PMP_L : 0))
			<< (8 * i));
	emit32(enc_r(0x6033, T0, T0, T1));
	csrw(CSR_PMPCFG2, T0);
	emit32(OP_SFENCE);
	keep_csr(CSR_PMPCFG2);
	keep_csr(CSR_PMPADDR0 + 8 + i);
	for (unsigned n = 2 + pick(3); n; n--)
		access_page(page, near, false);
}

void pmp_item(void)
{
	if (chance(90))
		open_item();
	else
		lock_item();
}
