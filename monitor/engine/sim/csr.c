// SPDX-License-Identifier: MIT
/*
 * Control and status registers (privileged specification, chapters "Machine-Level ISA" and
 * "Supervisor-Level ISA"; Sstc; Zicntr), one table row each. A row is a field of the CPU with the
 * bits that can be written, or a pair of functions where a register is a view of another or has an
 * effect. Whether an access is legal follows from the register's number, except for the few rows
 * with a `gate`.
 */
#include <stddef.h>

#include "monitor/engine/sim/code.h"
#include "monitor/engine/sim/csr.h"
#include "monitor/engine/sim/mmu.h"
#include "monitor/engine/sim/mode.h"
#include "monitor/engine/sim/service.h"
#include "monitor/engine/sim/trap.h"

struct csr_row {
	uint16_t number;
	uint16_t count;  /* this many registers in a row (0: one) */
	uint32_t offset; /* of the uint64_t field; used when read (write) is NULL */
	uint64_t mask;   /* bits that a write changes */
	const char *name;
	uint64_t (*read)(const struct sim_vcpu *cpu, unsigned index);
	void (*write)(struct sim_vcpu *cpu, unsigned index, uint64_t v);
	bool (*gate)(const struct sim_vcpu *cpu, unsigned number); /* false: illegal here */
};

#define MSTATUS_WRITABLE                                                                           \
	(MSTATUS_SIE | MSTATUS_MIE | MSTATUS_SPIE | MSTATUS_MPIE | MSTATUS_SPP | MSTATUS_MPP |     \
		MSTATUS_FS | MSTATUS_MPRV | MSTATUS_SUM | MSTATUS_MXR | MSTATUS_TVM | MSTATUS_TW | \
		MSTATUS_TSR)
#define SSTATUS_WRITABLE                                                                           \
	(MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP | MSTATUS_FS | MSTATUS_SUM | MSTATUS_MXR)
#define S_INTERRUPTS (MIP_SSIP | MIP_STIP | MIP_SEIP)
#define M_INTERRUPTS (MIP_MSIP | MIP_MTIP | MIP_MEIP)

/* ---- floating point */

static bool fp_gate(const struct sim_vcpu *cpu, unsigned number)
{
	(void)number;
	return cpu->mstatus & MSTATUS_FS;
}

static uint64_t read_fflags(const struct sim_vcpu *cpu, unsigned i)
{
	(void)i;
	return cpu->fflags;
}

static uint64_t read_frm(const struct sim_vcpu *cpu, unsigned i)
{
	(void)i;
	return cpu->rm[7];
}

static uint64_t read_fcsr(const struct sim_vcpu *cpu, unsigned i)
{
	(void)i;
	return cpu->fflags | (uint64_t)cpu->rm[7] << 5;
}

static void write_fflags(struct sim_vcpu *cpu, unsigned i, uint64_t v)
{
	(void)i;
	cpu->fflags = v & 31;
	cpu->mstatus |= MSTATUS_FS;
}

static void write_frm(struct sim_vcpu *cpu, unsigned i, uint64_t v)
{
	(void)i;
	cpu->rm[7] = v & 7;
	cpu->mstatus |= MSTATUS_FS;
}

static void write_fcsr(struct sim_vcpu *cpu, unsigned i, uint64_t v)
{
	write_fflags(cpu, i, v);
	write_frm(cpu, i, v >> 5);
}

/* ---- counters and time */

static uint64_t read_cycle(const struct sim_vcpu *cpu, unsigned i)
{
	(void)i;
	return cpu->now + cpu->cycle_offset;
}

static void write_cycle(struct sim_vcpu *cpu, unsigned i, uint64_t v)
{
	(void)i;
	cpu->cycle_offset = v - cpu->now;
}

static uint64_t read_instret(const struct sim_vcpu *cpu, unsigned i)
{
	(void)i;
	return cpu->now - cpu->skew + cpu->instret_offset;
}

static void write_instret(struct sim_vcpu *cpu, unsigned i, uint64_t v)
{
	(void)i;
	/* The writing instruction itself is not counted in what the next one reads. */
	cpu->instret_offset = v - (cpu->now + 1 - cpu->skew);
}

static uint64_t read_time(const struct sim_vcpu *cpu, unsigned i)
{
	(void)i;
	return cpu_time(cpu);
}

static uint64_t read_zero(const struct sim_vcpu *cpu, unsigned i)
{
	(void)cpu, (void)i;
	return 0;
}

static void write_nothing(struct sim_vcpu *cpu, unsigned i, uint64_t v)
{
	(void)cpu, (void)i, (void)v;
}

/* cycle, time, instret, hpmcounter3..31 below M-mode: by mcounteren, below S-mode by scounteren
 * too. */
static bool counter_gate(const struct sim_vcpu *cpu, unsigned number)
{
	uint64_t bit = 1ull << (number & 31);

	return cpu->priv == PRIV_M ||
	       ((cpu->mcounteren & bit) && (cpu->priv == PRIV_S || (cpu->scounteren & bit)));
}

static bool stimecmp_gate(const struct sim_vcpu *cpu, unsigned number)
{
	(void)number;
	return cpu->priv == PRIV_M || ((cpu->menvcfg & ENVCFG_STCE) && (cpu->mcounteren & 2));
}

static void write_stimecmp(struct sim_vcpu *cpu, unsigned i, uint64_t v)
{
	(void)i;
	cpu->stimecmp = v;
	timer_update(cpu);
}

static void write_menvcfg(struct sim_vcpu *cpu, unsigned i, uint64_t v)
{
	(void)i;
	cpu->menvcfg = v & (ENVCFG_FIOM | ENVCFG_ADUE | ENVCFG_STCE);
	tlb_flush(cpu);
	timer_update(cpu);
}

/* ---- status */

static uint64_t with_sd(uint64_t status)
{
	return (status & MSTATUS_FS) == MSTATUS_FS ? status | MSTATUS_SD : status;
}

static uint64_t read_mstatus(const struct sim_vcpu *cpu, unsigned i)
{
	(void)i;
	return with_sd(cpu->mstatus) | MSTATUS_UXL | MSTATUS_SXL;
}

static uint64_t read_sstatus(const struct sim_vcpu *cpu, unsigned i)
{
	(void)i;
	return with_sd(cpu->mstatus & SSTATUS_WRITABLE) | MSTATUS_UXL;
}

static void set_status(struct sim_vcpu *cpu, uint64_t v, uint64_t mask)
{
	uint64_t old = cpu->mstatus;

	if ((v & MSTATUS_MPP) == 2ull << 11) /* no such privilege: keep what is there */
		mask &= ~MSTATUS_MPP;
	cpu->mstatus = (old & ~mask) | (v & mask);
	if ((old ^ cpu->mstatus) & MSTATUS_MXR)
		tlb_flush(cpu);
	if ((old ^ cpu->mstatus) & (MSTATUS_SUM | MSTATUS_MPRV | MSTATUS_MPP))
		mmu_update_context(cpu);
	if ((cpu->mstatus & ~old) & (MSTATUS_SIE | MSTATUS_MIE) && trap_pending(cpu))
		cpu->attention = true;
}

static void write_mstatus(struct sim_vcpu *cpu, unsigned i, uint64_t v)
{
	(void)i;
	set_status(cpu, v, MSTATUS_WRITABLE);
}

static void write_sstatus(struct sim_vcpu *cpu, unsigned i, uint64_t v)
{
	(void)i;
	set_status(cpu, v, SSTATUS_WRITABLE);
}

/* ---- interrupts */

static uint64_t read_mip(const struct sim_vcpu *cpu, unsigned i)
{
	(void)i;
	return cpu->mip | cpu->ext_lines;
}

static void write_mip(struct sim_vcpu *cpu, unsigned i, uint64_t v)
{
	uint64_t mask = MIP_SSIP | MIP_SEIP | (cpu->menvcfg & ENVCFG_STCE ? 0 : MIP_STIP);

	(void)i;
	cpu->mip = (cpu->mip & ~mask) | (v & mask);
	cpu->attention = true;
}

static uint64_t read_sip(const struct sim_vcpu *cpu, unsigned i)
{
	return read_mip(cpu, i) & cpu->mideleg & S_INTERRUPTS;
}

static void write_sip(struct sim_vcpu *cpu, unsigned i, uint64_t v)
{
	uint64_t mask = MIP_SSIP & cpu->mideleg;

	(void)i;
	cpu->mip = (cpu->mip & ~mask) | (v & mask);
	cpu->attention = true;
}

static void write_mie(struct sim_vcpu *cpu, unsigned i, uint64_t v)
{
	(void)i;
	cpu->mie = v & (S_INTERRUPTS | M_INTERRUPTS);
	cpu->attention = true;
}

static uint64_t read_sie(const struct sim_vcpu *cpu, unsigned i)
{
	(void)i;
	return cpu->mie & cpu->mideleg & S_INTERRUPTS;
}

static void write_sie(struct sim_vcpu *cpu, unsigned i, uint64_t v)
{
	uint64_t mask = cpu->mideleg & S_INTERRUPTS;

	write_mie(cpu, i, (cpu->mie & ~mask) | (v & mask));
}

static void write_mideleg(struct sim_vcpu *cpu, unsigned i, uint64_t v)
{
	(void)i;
	cpu->mideleg = v & S_INTERRUPTS;
	cpu->attention = true;
}

/* ---- trap vectors, translation, protection */

static void write_mtvec(struct sim_vcpu *cpu, unsigned i, uint64_t v)
{
	(void)i;
	if ((v & 3) < 2)
		cpu->mtvec = v;
}

static void write_stvec(struct sim_vcpu *cpu, unsigned i, uint64_t v)
{
	(void)i;
	if ((v & 3) < 2)
		cpu->stvec = v;
}

static bool satp_gate(const struct sim_vcpu *cpu, unsigned number)
{
	(void)number;
	return !(cpu->priv == PRIV_S && (cpu->mstatus & MSTATUS_TVM));
}

static void write_satp(struct sim_vcpu *cpu, unsigned i, uint64_t v)
{
	unsigned mode = v >> 60;

	(void)i;
	if (mode != 0 && (mode < 8 || mode > 10))
		return; /* an unsupported mode leaves satp as it was */
	v &= 0xf000000000000000ull | 0xfffffffffffull; /* no ASIDs */
	if (v != cpu->satp)
		tlb_flush(cpu);
	cpu->satp = v;
	cpu->attention = true;
}

static uint64_t read_misa(const struct sim_vcpu *cpu, unsigned i)
{
	uint64_t letters = 0;

	(void)cpu, (void)i;
	for (const char *s = "ACDFIMSU"; *s; s++)
		letters |= 1ull << (*s - 'A');
	return 2ull << 62 | letters;
}

static uint64_t read_mhartid(const struct sim_vcpu *cpu, unsigned i)
{
	(void)i;
	return cpu->hart;
}

static uint64_t read_pmpcfg(const struct sim_vcpu *cpu, unsigned i)
{
	uint64_t v = 0;

	for (unsigned b = 0; b < 8 && i * 4 + b < PMP_COUNT; b++)
		v |= (uint64_t)cpu->pmpcfg[i * 4 + b] << 8 * b;
	return v;
}

static void write_pmpcfg(struct sim_vcpu *cpu, unsigned i, uint64_t v)
{
	for (unsigned b = 0; b < 8 && i * 4 + b < PMP_COUNT; b++) {
		uint8_t *cfg = &cpu->pmpcfg[i * 4 + b];
		uint8_t want = v >> 8 * b & 0x9f;

		if (*cfg & 0x80)
			continue; /* locked until reset */
		if ((want & 3) == 2)
			want &= ~3; /* write without read is reserved */
		*cfg = want;
	}
	code_drop_all(cpu->vm);
	pmp_update(cpu);
	cpu->attention = true;
}

static bool pmpcfg_gate(const struct sim_vcpu *cpu, unsigned number)
{
	(void)cpu;
	return !(number & 1); /* RV64 has the even ones only */
}

static uint64_t read_pmpaddr(const struct sim_vcpu *cpu, unsigned i)
{
	return i < PMP_COUNT ? cpu->pmpaddr[i] : 0;
}

static void write_pmpaddr(struct sim_vcpu *cpu, unsigned i, uint64_t v)
{
	if (i >= PMP_COUNT || (cpu->pmpcfg[i] & 0x80))
		return;
	if (i + 1 < PMP_COUNT && (cpu->pmpcfg[i + 1] & 0x98) == 0x88)
		return; /* the lower bound of a locked TOR entry is locked with it */
	cpu->pmpaddr[i] = v & 0x3fffffffffffffull;
	code_drop_all(cpu->vm);
	pmp_update(cpu);
	cpu->attention = true;
}

#define FIELD(name, mask) offsetof(struct sim_vcpu, name), mask, #name
#define VIEW(text)        0, 0, text
#define ALL               UINT64_MAX

static const struct csr_row rows[] = {
	{0x001, 0, VIEW("fflags"), read_fflags, write_fflags, fp_gate},
	{0x002, 0, VIEW("frm"), read_frm, write_frm, fp_gate},
	{0x003, 0, VIEW("fcsr"), read_fcsr, write_fcsr, fp_gate},
	{0xc00, 0, VIEW("cycle"), read_cycle, NULL, counter_gate},
	{0xc01, 0, VIEW("time"), read_time, NULL, counter_gate},
	{0xc02, 0, VIEW("instret"), read_instret, NULL, counter_gate},
	{0xc03, 29, VIEW("hpmcounter"), read_zero, NULL, counter_gate},

	{0x100, 0, VIEW("sstatus"), read_sstatus, write_sstatus, NULL},
	{0x104, 0, VIEW("sie"), read_sie, write_sie, NULL},
	{0x105, 0, FIELD(stvec, ALL), NULL, write_stvec, NULL},
	{0x106, 0, FIELD(scounteren, 0xffffffff), NULL, NULL, NULL},
	{0x10a, 0, FIELD(senvcfg, ENVCFG_FIOM), NULL, NULL, NULL},
	{0x140, 0, FIELD(sscratch, ALL), NULL, NULL, NULL},
	{0x141, 0, FIELD(sepc, ~1ull), NULL, NULL, NULL},
	{0x142, 0, FIELD(scause, ALL), NULL, NULL, NULL},
	{0x143, 0, FIELD(stval, ALL), NULL, NULL, NULL},
	{0x144, 0, VIEW("sip"), read_sip, write_sip, NULL},
	{0x14d, 0, FIELD(stimecmp, ALL), NULL, write_stimecmp, stimecmp_gate},
	{0x180, 0, FIELD(satp, ALL), NULL, write_satp, satp_gate},

	{0xf11, 0, VIEW("mvendorid"), read_zero, NULL, NULL},
	{0xf12, 0, VIEW("marchid"), read_zero, NULL, NULL},
	{0xf13, 0, VIEW("mimpid"), read_zero, NULL, NULL},
	{0xf14, 0, VIEW("mhartid"), read_mhartid, NULL, NULL},
	{0xf15, 0, VIEW("mconfigptr"), read_zero, NULL, NULL},
	{0x300, 0, VIEW("mstatus"), read_mstatus, write_mstatus, NULL},
	{0x301, 0, VIEW("misa"), read_misa, write_nothing, NULL},
	{0x302, 0, FIELD(medeleg, 0xb3ff), NULL, NULL, NULL},
	{0x303, 0, FIELD(mideleg, ALL), NULL, write_mideleg, NULL},
	{0x304, 0, FIELD(mie, ALL), NULL, write_mie, NULL},
	{0x305, 0, FIELD(mtvec, ALL), NULL, write_mtvec, NULL},
	{0x306, 0, FIELD(mcounteren, 0xffffffff), NULL, NULL, NULL},
	{0x30a, 0, FIELD(menvcfg, ALL), NULL, write_menvcfg, NULL},
	{0x320, 0, VIEW("mcountinhibit"), read_zero, write_nothing, NULL},
	{0x323, 29, VIEW("mhpmevent"), read_zero, write_nothing, NULL},
	{0x340, 0, FIELD(mscratch, ALL), NULL, NULL, NULL},
	{0x341, 0, FIELD(mepc, ~1ull), NULL, NULL, NULL},
	{0x342, 0, FIELD(mcause, ALL), NULL, NULL, NULL},
	{0x343, 0, FIELD(mtval, ALL), NULL, NULL, NULL},
	{0x344, 0, VIEW("mip"), read_mip, write_mip, NULL},
	{0x3a0, 16, VIEW("pmpcfg"), read_pmpcfg, write_pmpcfg, pmpcfg_gate},
	{0x3b0, 64, VIEW("pmpaddr"), read_pmpaddr, write_pmpaddr, NULL},
	{0xb00, 0, VIEW("mcycle"), read_cycle, write_cycle, NULL},
	{0xb02, 0, VIEW("minstret"), read_instret, write_instret, NULL},
	{0xb03, 29, VIEW("mhpmcounter"), read_zero, write_nothing, NULL},
};

static uint8_t row_of[4096]; /* index + 1, 0: no such register */
static uint8_t event_of[4096];

/* Registers that say how the processor is, as the guest's kernel may not see or change it. Floating
 * point and counters belong to every privilege. */
static enum account_event sensitive(unsigned csr)
{
	static const uint8_t supervisor[256] = {
		[0x00] = EVENT_SSTATUS,
		[0x04] = EVENT_SIE,
		[0x05] = EVENT_STVEC,
		[0x06] = EVENT_SCOUNTEREN,
		[0x0a] = EVENT_SENVCFG,
		[0x40] = EVENT_SSCRATCH,
		[0x41] = EVENT_SEPC,
		[0x42] = EVENT_SCAUSE,
		[0x43] = EVENT_STVAL,
		[0x44] = EVENT_SIP,
		[0x4d] = EVENT_STIMECMP,
		[0x80] = EVENT_SATP,
	};

	switch (csr >> 8 & 3) {
	case PRIV_U:
		return EVENT_NONE;
	case PRIV_S:
		return supervisor[csr & 255];
	default:
		return EVENT_MACHINE_CSR;
	}
}

__attribute__((constructor)) static void index_rows(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		for (unsigned n = 0; n < MAX(rows[i].count, 1u); n++)
			row_of[rows[i].number + n] = i + 1;
	for (unsigned csr = 0; csr < 4096; csr++)
		event_of[csr] = sensitive(csr);
}

const char *csr_name(unsigned csr)
{
	return csr < 4096 && row_of[csr] ? rows[row_of[csr] - 1].name : NULL;
}

bool csr_access(struct sim_vcpu *cpu, unsigned csr, enum csr_op op, uint64_t operand, bool do_read,
	bool do_write, uint64_t *old)
{
	const struct csr_row *row;
	uint64_t *field, value;

	if (!row_of[csr] || (csr >> 8 & 3) > cpu->priv || (do_write && csr >> 10 == 3))
		return false;
	row = &rows[row_of[csr] - 1];
	if (row->gate && !row->gate(cpu, csr))
		return false;
	service_look(cpu, csr);
	if (mode_event(cpu, event_of[csr]))
		cpu->attention = true; /* the price is paid before the next instruction */
	field = (uint64_t *)((char *)cpu + row->offset);
	value = *old = 0;
	if (do_read || op != CSR_WRITE)
		value = *old = row->read ? row->read(cpu, csr - row->number) : *field;
	if (!do_write)
		return true;
	/* Set and clear of mip act on the software-writable SEIP bit, not on the controller's line.
	 */
	if (row->write == write_mip)
		value = cpu->mip;
	switch (op) {
	case CSR_WRITE:
		value = operand;
		break;
	case CSR_SET:
		value |= operand;
		break;
	case CSR_CLEAR:
		value &= ~operand;
		break;
	}
	if (row->write)
		row->write(cpu, csr - row->number, value);
	else
		*field = (*field & ~row->mask) | (value & row->mask);
	return true;
}

void csr_reset(struct sim_vcpu *cpu)
{
	cpu->menvcfg = ENVCFG_ADUE;
	cpu->stimecmp = cpu->mtimecmp = UINT64_MAX;
	cpu->reserved_va = UINT64_MAX;
	for (unsigned i = 0; i < 7; i++)
		cpu->rm[i] = i;
	cpu->rm[7] = 0;
	if (!cpu->vm->bios) { /* what the monitor, in M-mode's place, sets up for a kernel */
		cpu->medeleg = 0xb3ff & ~(1u << CAUSE_ECALL_S);
		cpu->mideleg = S_INTERRUPTS;
		cpu->mcounteren = cpu->scounteren = 7;
		cpu->menvcfg |= ENVCFG_STCE;
	}
	timer_update(cpu);
}
