// SPDX-License-Identifier: MIT
/*
 * Watches a guest's kernel at work (monitor/vm/service.h), from what any RISC-V Linux shows: while
 * a program runs, sscratch holds its task; while the kernel runs, tp (x4) does. So a trap from user
 * mode begins a service of the task in sscratch, and a return to user mode with the same task ends
 * it. In between, the kernel may have gone over to another task: tp is read whenever the
 * kernel accesses a control register (not sscratch: around that tp is the program's), which Linux
 * does right before and after each switch, to disable and enable interrupts. An interrupt that the
 * kernel takes during a service is part of it.
 *
 * Nothing here changes what a guest does, or when. A kernel that is not Linux gets numbers that
 * mean little. Tasks are numbers from the guest, compared and never followed.
 *
 * Page faults are told apart by the guest's page table as it was before and is afterwards:
 *
 *   demand zero   there is now a writable mapping, of another page than before, and that page is
 *                 all zeroes
 *   quick         there is a mapping which is not writable (the page was there, and others use it,
 *                 too), or of the same page as before (only a right was missing)
 *   copy          there is a writable mapping of another page, with contents: a private copy, or a
 *                 page of shared memory
 *   other         there is none (a signal follows), or the task slept
 */
#include <stdlib.h>
#include <string.h>

#include "monitor/engine/sim/mmu.h"
#include "monitor/engine/sim/mode.h"
#include "monitor/engine/sim/service.h"

/* Services begun and not ended: tasks that sleep in one, mostly. */
enum { OPEN_MAX = 4096, BUCKETS = 64 };

/* System calls of Linux (asm-generic/unistd.h). */
enum {
	NR_OPENAT = 56,
	NR_READ = 63,
	NR_WRITE = 64,
	NR_EXECVE = 221,
	NR_EXECVEAT = 281,
	NR_OPENAT2 = 437,
};

struct open_service {
	uint64_t task;
	uint32_t next; /* in its bucket, or of the free ones; index + 1 */
	uint8_t kind;
	bool left; /* another task ran meanwhile */
	uint64_t va, pte;
	uint64_t cycles[SERVICE_PARTS];
};

struct service_trace {
	uint32_t bucket[BUCKETS]; /* index + 1 */
	uint32_t free;
	uint32_t n, room; /* of open[]: ever used, allocated */
	struct open_service *open;
};

/* ---- open services, by task */

static uint32_t *bucket(struct service_trace *t, uint64_t task)
{
	return &t->bucket[(task >> 6 ^ task >> 12 ^ task >> 18) % BUCKETS];
}

static uint32_t find(struct service_trace *t, uint64_t task)
{
	uint32_t i = *bucket(t, task);

	while (i && t->open[i - 1].task != task)
		i = t->open[i - 1].next;
	return i;
}

/* 0: there are too many. */
static uint32_t add(struct service_trace *t, uint64_t task)
{
	uint32_t i = t->free, *b = bucket(t, task);

	if (i) {
		t->free = t->open[i - 1].next;
	} else {
		if (t->n == OPEN_MAX)
			return 0;
		if (t->n == t->room) {
			t->room = t->room ? 2 * t->room : 16;
			t->open = xrealloc(t->open, t->room * sizeof(t->open[0]));
		}
		i = ++t->n;
	}
	t->open[i - 1] = (struct open_service){.task = task, .next = *b};
	*b = i;
	return i;
}

static void drop(struct service_trace *t, uint32_t i)
{
	uint32_t *at = bucket(t, t->open[i - 1].task);

	while (*at != i)
		at = &t->open[*at - 1].next;
	*at = t->open[i - 1].next;
	t->open[i - 1].next = t->free;
	t->free = i;
}

/* ---- where time goes */

static uint8_t part_of[EVENTS]; /* + 1; 0: not caused by what the kernel does */

__attribute__((constructor)) static void sort_events(void)
{
	static const uint8_t calls[] = {
		EVENT_CALL, EVENT_DEVICE, EVENT_FRAME, EVENT_FILL, EVENT_SHOOTDOWN};

	for (unsigned e = EVENT_NONE + 1; e < EVENTS; e++)
		if (account_event_class[e] == CLASS_INSTRUCTION ||
			account_event_class[e] == CLASS_GUEST)
			part_of[e] = PART_PRIVILEGED + 1;
	part_of[EVENT_PAGE_FAULT] = part_of[EVENT_SFENCE] = PART_TLB + 1;
	part_of[EVENT_L2TLB_HIT] = part_of[EVENT_L2TLB_MISS] = PART_KERNEL_TLB + 1;
	for (unsigned i = 0; i < ARRAY_SIZE(calls); i++)
		part_of[calls[i]] = PART_CALLS + 1;
}

/* Running totals; what lies between two of them in the kernel is what it took. */
static void parts_now(struct sim_vcpu *cpu, uint64_t parts[SERVICE_PARTS])
{
	const struct account *a = &cpu->account;

	account_now(cpu);
	memset(parts, 0, SERVICE_PARTS * sizeof(parts[0]));
	for (unsigned e = EVENT_NONE + 1; e < EVENTS; e++)
		if (part_of[e])
			parts[part_of[e] - 1] += a->cycles[e];
	parts[PART_KERNEL] = a->supervisor + a->pause - a->user_pause - a->tlb[PRIV_S];
	parts[PART_KERNEL_TLB] += a->tlb[PRIV_S] - cpu->user_half_refills;
	parts[PART_TLB] += cpu->user_half_refills;
}

/* Attribute the time since the last call to what the kernel does now. */
static void attribute(struct sim_vcpu *cpu)
{
	uint64_t now[SERVICE_PARTS];
	uint64_t *to = cpu->serving ? cpu->evm->trace->open[cpu->serving - 1].cycles
				    : cpu->vm->services.of[SERVICE_KERNEL].cycles;

	parts_now(cpu, now);
	for (unsigned p = 0; p < SERVICE_PARTS; p++)
		to[p] += now[p] - cpu->parts_at[p];
	memcpy(cpu->parts_at, now, sizeof(now));
}

/* ---- services */

static enum service_kind call_kind(uint64_t number)
{
	switch (number) {
	case NR_OPENAT:
	case NR_OPENAT2:
		return SERVICE_OPEN;
	case NR_READ:
		return SERVICE_READ;
	case NR_WRITE:
		return SERVICE_WRITE;
	case NR_EXECVE:
	case NR_EXECVEAT:
		return SERVICE_EXECVE;
	default:
		return SERVICE_OTHER_CALL;
	}
}

static enum service_kind kind_of(const struct sim_vcpu *cpu, uint64_t cause)
{
	switch (cause) {
	case CAUSE_ECALL_U:
		return call_kind(cpu->x[17]);
	case CAUSE_FETCH_PAGE:
	case CAUSE_LOAD_PAGE:
	case CAUSE_STORE_PAGE:
		return SERVICE_OTHER_FAULT; /* until its end shows which */
	default:
		return cause >> 63 ? SERVICE_INTERRUPT : SERVICE_EXCEPTION;
	}
}

void service_begin(struct sim_vcpu *cpu, uint64_t cause, uint64_t tval)
{
	struct service_trace *t = cpu->evm->trace;
	struct open_service *s;

	parts_now(cpu, cpu->parts_at);
	cpu->task = cpu->sscratch;
	cpu->serving = find(t, cpu->task);
	if (cpu->serving) /* the task ended in a service, and its number is another's now */
		drop(t, cpu->serving);
	cpu->serving = add(t, cpu->task);
	if (!cpu->serving) {
		cpu->vm->services.untraced++;
		return;
	}
	s = &t->open[cpu->serving - 1];
	s->kind = (uint8_t)kind_of(cpu, cause);
	s->va = tval;
	if (s->kind == SERVICE_OTHER_FAULT)
		s->pte = mmu_peek(cpu, tval);
}

void service_switch(struct sim_vcpu *cpu)
{
	struct service_trace *t = cpu->evm->trace;

	attribute(cpu);
	if (cpu->serving)
		t->open[cpu->serving - 1].left = true;
	cpu->task = cpu->x[4];
	cpu->serving = find(t, cpu->task);
}

static enum service_kind fault_kind(const struct sim_vcpu *cpu, const struct open_service *s)
{
	enum { VALID = 1, WRITABLE = 4 };
	const uint64_t frame = 0x003ffffffffffc00ull;
	uint64_t pte = s->left ? 0 : mmu_peek(cpu, s->va);
	bool same = (s->pte & VALID) && !((s->pte ^ pte) & frame);

	if (!(pte & VALID))
		return SERVICE_OTHER_FAULT;
	if (same || !(pte & WRITABLE))
		return SERVICE_QUICK_FAULT;
	return mmu_peek_zero(cpu, pte) ? SERVICE_DEMAND_ZERO : SERVICE_COPY_FAULT;
}

void service_end(struct sim_vcpu *cpu)
{
	struct service_trace *t = cpu->evm->trace;
	struct open_service *s = cpu->serving ? &t->open[cpu->serving - 1] : NULL;
	struct service_sum *sum;

	attribute(cpu);
	if (!s || s->task != cpu->sscratch)
		return;
	sum = &cpu->vm->services.of[s->kind == SERVICE_OTHER_FAULT ? fault_kind(cpu, s) : s->kind];
	sum->count++;
	for (unsigned p = 0; p < SERVICE_PARTS; p++)
		sum->cycles[p] += s->cycles[p];
	drop(t, cpu->serving);
	cpu->serving = 0;
}

/* ---- */

void service_init(struct sim_vm *evm)
{
	evm->trace = xcalloc(1, sizeof(*evm->trace));
}

void service_free(struct sim_vm *evm)
{
	free(evm->trace->open);
	free(evm->trace);
}

uint64_t service_overhead_bytes(const struct sim_vm *evm)
{
	return sizeof(*evm->trace) + evm->trace->room * sizeof(evm->trace->open[0]);
}
