// SPDX-License-Identifier: MIT
/*
 * The monitor in M-mode's place: the Supervisor Binary Interface (RISC-V SBI specification 2.0) for
 * VMs whose kernel runs in S-mode. Base, TIME, IPI, RFENCE, HSM, SRST and DBCN, and the legacy
 * calls that early kernels and simple programs use. All harts of a VM are executed by one host
 * thread, so acting on another hart is a plain call; what a call costs is charged to the caller,
 * and a remote fence's shootdown as well.
 */
#include <stdlib.h>

#include "monitor/vm/console.h"
#include "monitor/engine/sim/code.h"
#include "monitor/engine/sim/mmu.h"
#include "monitor/engine/sim/mode.h"
#include "monitor/engine/sim/sbi.h"
#include "monitor/engine/sim/trap.h"
#include "monitor/vm/guestmem.h"

enum sbi_error {
	SBI_SUCCESS = 0,
	SBI_ERR_FAILED = -1,
	SBI_ERR_NOT_SUPPORTED = -2,
	SBI_ERR_INVALID_PARAM = -3,
	SBI_ERR_INVALID_ADDRESS = -5,
	SBI_ERR_ALREADY_AVAILABLE = -6,
};

enum { A0 = 10, A1, A2, A3, A4, A5, A6, A7 };

struct sbi_ret {
	int64_t error;
	uint64_t value;
};

static struct sbi_ret ok(uint64_t value)
{
	return (struct sbi_ret){SBI_SUCCESS, value};
}

static struct sbi_ret failed(enum sbi_error error)
{
	return (struct sbi_ret){error, 0};
}

/* Is hart named by (mask, base)? A base of -1 means all. */
static bool in_mask(unsigned hart, uint64_t mask, uint64_t base)
{
	if (base == UINT64_MAX)
		return true;
	return hart >= base && hart - base < 64 && (mask >> (hart - base) & 1);
}

/* A mask may only name harts that exist (specification, "Hart list parameter"). */
static bool mask_valid(const struct sim_vcpu *cpu, uint64_t mask, uint64_t base)
{
	if (base == UINT64_MAX)
		return true;
	if (base >= cpu->vm->n_vcpus)
		return mask == 0;
	for (unsigned i = 0; i < 64; i++)
		if ((mask >> i & 1) && base + i >= cpu->vm->n_vcpus)
			return false;
	return true;
}

static void set_timer(struct sim_vcpu *cpu, uint64_t ticks)
{
	cpu->stimecmp = ticks;
	timer_update(cpu);
}

static struct sbi_ret sbi_base(struct sim_vcpu *cpu, uint64_t function)
{
	static const uint32_t extensions[] = {0x10, 0x54494d45, 0x735049, 0x52464e43, 0x48534d,
		0x53525354, 0x4442434e, 0, 1, 2, 8};

	switch (function) {
	case 0:
		return ok(2u << 24); /* specification 2.0 */
	case 1:
		return ok(0x44); /* implementation id: none registered; 'D' */
	case 2:
		return ok(1);
	case 3:
		for (unsigned i = 0; i < ARRAY_SIZE(extensions); i++)
			if (extensions[i] == cpu->x[A0])
				return ok(1);
		return ok(0);
	case 4:
	case 5:
	case 6: /* mvendorid, marchid, mimpid */
		return ok(0);
	default:
		return failed(SBI_ERR_NOT_SUPPORTED);
	}
}

static struct sbi_ret sbi_ipi(struct sim_vcpu *cpu, uint64_t mask, uint64_t base)
{
	if (!mask_valid(cpu, mask, base))
		return failed(SBI_ERR_INVALID_PARAM);
	for (unsigned i = 0; i < cpu->vm->n_vcpus; i++) {
		struct sim_vcpu *to = cpu->vm->vcpu[i].sim;

		if (!in_mask(i, mask, base))
			continue;
		to->mip |= MIP_SSIP;
		to->attention = true;
		cpu_wake(to);
	}
	return ok(0);
}

/* Beyond this many pages a remote sfence.vma forgets everything at once. */
enum { RFENCE_PAGES_MAX = 64 };

/* Interrupting another CPU costs the same for the guest as for the monitor. */
static void charge_shootdown(struct sim_vcpu *cpu)
{
	uint64_t cycles = cpu->vm->cluster->machine->cost.shootdown;

	if (cpu->mode == MODE_NATIVE)
		cpu->charge += cycles;
	else
		monitor_event(cpu, EVENT_SHOOTDOWN, cycles);
}

static struct sbi_ret sbi_rfence(struct sim_vcpu *cpu, uint64_t function)
{
	uint64_t mask = cpu->x[A0], base = cpu->x[A1], start = cpu->x[A2], bytes = cpu->x[A3];
	uint64_t pages = bytes / PAGE_SIZE +
			 (bytes % PAGE_SIZE + start % PAGE_SIZE + PAGE_SIZE - 1) / PAGE_SIZE;

	if (function > 2)
		return failed(
			SBI_ERR_NOT_SUPPORTED); /* the others are the hypervisor extension's */
	if (!mask_valid(cpu, mask, base))
		return failed(SBI_ERR_INVALID_PARAM);
	if (function == 0) {
		code_fence(cpu->evm, cpu->vm);
		return ok(0);
	}
	for (unsigned i = 0; i < cpu->vm->n_vcpus; i++) {
		if (!in_mask(i, mask, base))
			continue;
		charge_shootdown(cpu);
		if ((start == 0 && bytes == 0) || pages > RFENCE_PAGES_MAX) {
			tlb_flush(cpu->vm->vcpu[i].sim);
			continue;
		}
		for (uint64_t p = 0; p < pages; p++)
			tlb_flush_page(cpu->vm->vcpu[i].sim, start + p * PAGE_SIZE);
	}
	return ok(0);
}

enum { HART_STARTED = 0, HART_STOPPED = 1, HART_SUSPENDED = 4 }; /* specification, table 9.1 */

/* Table 9.2: of either half, what is not the platform's own is the default or reserved. */
static struct sbi_ret hart_suspend(struct sim_vcpu *cpu, uint32_t type)
{
	uint32_t kind = type & 0x7fffffff;

	if (kind && kind < 0x10000000)
		return failed(SBI_ERR_INVALID_PARAM);
	if (type)
		return failed(SBI_ERR_NOT_SUPPORTED);
	if (!trap_pending(cpu)) {
		cpu->vcpu->state = VCPU_IDLE;
		cpu->suspended = true;
		cpu->yield = true;
	}
	return ok(0);
}

static struct sbi_ret sbi_hsm(struct sim_vcpu *cpu, uint64_t function)
{
	struct vm *vm = cpu->vm;
	uint64_t hart = cpu->x[A0];

	switch (function) {
	case 0: /* start */
		if (hart >= vm->n_vcpus)
			return failed(SBI_ERR_INVALID_PARAM);
		if (vm->vcpu[hart].state != VCPU_STOPPED)
			return failed(SBI_ERR_ALREADY_AVAILABLE);
		if (!gm_valid(vm, cpu->x[A1], 2))
			return failed(SBI_ERR_INVALID_ADDRESS);
		vm->cluster->engine->vcpu_start(&vm->vcpu[hart], cpu->x[A1], hart, cpu->x[A2]);
		return ok(0);
	case 1: /* stop: the calling hart, which does not return */
		cpu->vcpu->state = VCPU_STOPPED;
		cpu->yield = true;
		return ok(0);
	case 2:
		if (hart >= vm->n_vcpus)
			return failed(SBI_ERR_INVALID_PARAM);
		if (vm->vcpu[hart].state == VCPU_STOPPED)
			return ok(HART_STOPPED);
		return ok(vm->vcpu[hart].sim->suspended ? HART_SUSPENDED : HART_STARTED);
	case 3: /* suspend: the default retentive one is a WFI */
		return hart_suspend(cpu, (uint32_t)cpu->x[A0]);
	default:
		return failed(SBI_ERR_NOT_SUPPORTED);
	}
}

static struct sbi_ret sbi_reset(struct sim_vcpu *cpu, uint64_t function)
{
	uint32_t type = cpu->x[A0], reason = cpu->x[A1];

	if (function != 0)
		return failed(SBI_ERR_NOT_SUPPORTED);
	if (type > 2 || reason > 1)
		return failed(SBI_ERR_INVALID_PARAM);
	if (type != 0)
		cpu->vm->reset_wanted = true;
	if (reason == 1)
		vm_fail(cpu->vm, "the guest's kernel reported a system failure");
	else
		vm_power_off(cpu->vm, 0);
	cpu->yield = true;
	return ok(0);
}

/* One call moves at most this much: the guest asks again for the rest. */
enum { DBCN_MAX = 4096 };

static void charge_copy(struct sim_vcpu *cpu, uint64_t bytes)
{
	if (cpu->mode != MODE_NATIVE)
		monitor_charge(cpu, EVENT_CALL,
			bytes * cpu->vm->cluster->machine->cost.page_copy / PAGE_SIZE);
}

static struct sbi_ret sbi_debug_console(struct sim_vcpu *cpu, uint64_t function)
{
	struct vm *vm = cpu->vm;
	uint64_t bytes = MIN(cpu->x[A0], (uint64_t)DBCN_MAX), pa = cpu->x[A1];
	uint8_t buf[DBCN_MAX];
	size_t n;

	switch (function) {
	case 0:
		if (cpu->x[A2] || !gm_valid(vm, pa, cpu->x[A0]) || gm_read(vm, pa, buf, bytes))
			return failed(SBI_ERR_INVALID_PARAM);
		if (vm->console)
			stream_output(vm->console, buf, bytes);
		charge_copy(cpu, bytes);
		return ok(bytes);
	case 1:
		if (cpu->x[A2] || !gm_valid(vm, pa, cpu->x[A0]))
			return failed(SBI_ERR_INVALID_PARAM);
		n = vm->console ? stream_take_input(vm->console, buf, bytes) : 0;
		if (gm_write(vm, pa, buf, n))
			return failed(SBI_ERR_FAILED);
		charge_copy(cpu, n);
		return ok(n);
	case 2:
		buf[0] = cpu->x[A0];
		if (vm->console)
			stream_output(vm->console, buf, 1);
		return ok(0);
	default:
		return failed(SBI_ERR_NOT_SUPPORTED);
	}
}

/* The calls of SBI 0.1: the result is in a0 alone. */
static int64_t sbi_legacy(struct sim_vcpu *cpu, uint64_t extension)
{
	uint8_t byte = cpu->x[A0];

	switch (extension) {
	case 0:
		set_timer(cpu, cpu->x[A0]);
		return 0;
	case 1:
		if (cpu->vm->console)
			stream_output(cpu->vm->console, &byte, 1);
		return 0;
	case 2:
		return cpu->vm->console && stream_take_input(cpu->vm->console, &byte, 1) ? byte
											 : -1;
	case 8:
		vm_power_off(cpu->vm, 0);
		cpu->yield = true;
		return 0;
	default:
		return SBI_ERR_NOT_SUPPORTED;
	}
}

void sbi_call(struct sim_vcpu *cpu)
{
	const struct machine *m = cpu->vm->cluster->machine;
	uint64_t function = cpu->x[A6];
	struct sbi_ret ret;

	cpu->sbi_calls++;
	if (cpu->mode == MODE_NATIVE)
		cpu->charge += m->cost.uncached; /* what the kernel would do itself */
	else
		monitor_event(cpu, EVENT_CALL, m->cost.trap + m->cost.monitor_call);
	switch (cpu->x[A7]) {
	case 0x10:
		ret = sbi_base(cpu, function);
		break;
	case 0x54494d45:
		if (function == 0)
			set_timer(cpu, cpu->x[A0]);
		ret = function == 0 ? ok(0) : failed(SBI_ERR_NOT_SUPPORTED);
		break;
	case 0x735049:
		ret = function == 0 ? sbi_ipi(cpu, cpu->x[A0], cpu->x[A1])
				    : failed(SBI_ERR_NOT_SUPPORTED);
		break;
	case 0x52464e43:
		ret = sbi_rfence(cpu, function);
		break;
	case 0x48534d:
		ret = sbi_hsm(cpu, function);
		break;
	case 0x53525354:
		ret = sbi_reset(cpu, function);
		break;
	case 0x4442434e:
		ret = sbi_debug_console(cpu, function);
		break;
	case 0 ... 8:
		cpu->x[A0] = sbi_legacy(cpu, cpu->x[A7]);
		return;
	default:
		ret = failed(SBI_ERR_NOT_SUPPORTED);
		break;
	}
	cpu->x[A0] = ret.error;
	cpu->x[A1] = ret.value;
}
