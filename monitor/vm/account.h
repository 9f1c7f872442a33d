// SPDX-License-Identifier: MIT
/*
 * How the machine is virtualized, and what that costs: the modes of `disco run --mode`, and for
 * each vCPU where its time went, which of the guest's instructions and events the monitor could
 * have had to do with, and what they cost it. The events are one list, from which statistics and
 * tables follow. Instructions are those whose outcome depends on, or changes, the state of the
 * processor that a monitor keeps from its guests: Popek and Goldberg's sensitive ones ("Formal
 * Requirements for Virtualizable Third Generation Architectures", CACM 1974). On RISC-V all of them
 * are privileged, so a kernel that runs without privilege traps on each, which is mode trap.
 */
#ifndef MONITOR_VM_ACCOUNT_H
#define MONITOR_VM_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

enum mode {
	MODE_PLAIN,  /* as nested, but the second stage of translation is free */
	MODE_NATIVE, /* no monitor: the guest has the machine */
	MODE_NESTED, /* translation in two stages, both walked by the hardware */
	MODE_TRAP,   /* the guest's kernel has no privilege; the monitor fills the TLB */
	MODES
};
extern const char *const mode_name[MODES];

/*
 * Events by class, with their names in statistics. INSTRUCTION: sensitive ones executed, in every
 * mode. GUEST: traps taken to the guest's kernel or firmware. TLB: refills by the monitor (numa
 * fidelity). MONITOR: what it does for the guest or for itself.
 */
#define ACCOUNT_EVENTS(X)                                                                          \
	X(SSTATUS, INSTRUCTION, "sstatus")                                                         \
	X(SIE, INSTRUCTION, "sie")                                                                 \
	X(STVEC, INSTRUCTION, "stvec")                                                             \
	X(SCOUNTEREN, INSTRUCTION, "scounteren")                                                   \
	X(SENVCFG, INSTRUCTION, "senvcfg")                                                         \
	X(SSCRATCH, INSTRUCTION, "sscratch")                                                       \
	X(SEPC, INSTRUCTION, "sepc")                                                               \
	X(SCAUSE, INSTRUCTION, "scause")                                                           \
	X(STVAL, INSTRUCTION, "stval")                                                             \
	X(SIP, INSTRUCTION, "sip")                                                                 \
	X(STIMECMP, INSTRUCTION, "stimecmp")                                                       \
	X(SATP, INSTRUCTION, "satp")                                                               \
	X(MACHINE_CSR, INSTRUCTION, "machine_csr")                                                 \
	X(SRET, INSTRUCTION, "sret")                                                               \
	X(MRET, INSTRUCTION, "mret")                                                               \
	X(WFI, INSTRUCTION, "wfi")                                                                 \
	X(SFENCE, INSTRUCTION, "sfence.vma")                                                       \
	X(SYSCALL, GUEST, "system_call")                                                           \
	X(PAGE_FAULT, GUEST, "page_fault")                                                         \
	X(EXCEPTION, GUEST, "other_exception")                                                     \
	X(TIMER, GUEST, "timer")                                                                   \
	X(IPI, GUEST, "ipi")                                                                       \
	X(EXTERNAL, GUEST, "external")                                                             \
	X(L2TLB_HIT, TLB, "l2tlb_hit")                                                             \
	X(L2TLB_MISS, TLB, "l2tlb_miss")                                                           \
	X(CALL, MONITOR, "monitor_call")                                                           \
	X(DEVICE, MONITOR, "device")                                                               \
	X(FRAME, MONITOR, "frame")         /* a page found, taken, copied on write */              \
	X(FILL, MONITOR, "fill")           /* its bytes zeroed or copied */                        \
	X(SHOOTDOWN, MONITOR, "shootdown") /* asked for, or suffered */                            \
	X(SWITCH, MONITOR, "switch")       /* the CPU comes to run this vCPU */                    \
	X(MOVE, MONITOR, "move")           /* of pages, by placement */                            \
	X(TRANSFER, MONITOR, "transfer")   /* of packets; clones */                                \
	X(SCAN, MONITOR, "scan")           /* for zero and identical pages */

enum account_event {
	EVENT_NONE, /* an instruction that is not sensitive */
#define X(id, class, name) EVENT_##id,
	ACCOUNT_EVENTS(X)
#undef X
		EVENTS
};
enum account_class { CLASS_INSTRUCTION, CLASS_GUEST, CLASS_TLB, CLASS_MONITOR, ACCOUNT_CLASSES };
extern const char *const account_event_name[EVENTS];
extern const enum account_class account_event_class[EVENTS];
extern const char *const account_class_name[ACCOUNT_CLASSES];

/* All of a vCPU's time since it was started is in exactly one of user .. wait; in cycles. */
struct account {
	uint64_t user, supervisor, machine; /* of the guest, by privilege, with their stalls */
	uint64_t pause;                     /* spinning: from a pause to the end of its slice */
	uint64_t user_pause;                /* of pause, that by user programs */
	uint64_t monitor;                   /* all it was charged: the sum of cycles[] */
	uint64_t idle;                      /* in wfi, or suspended */
	uint64_t wait;                      /* ready, but others had the CPU, or memory was short */
	uint64_t
		instructions[3]; /* of user, supervisor, machine: a cycle each, the rest is stall */
	uint64_t tlb[3]; /* of their stalls, those for TLB refills: what the hardware does itself */
	uint64_t count[EVENTS];
	uint64_t trapped[EVENTS]; /* of these entered the monitor because of the mode */
	uint64_t cycles[EVENTS];  /* that the monitor charged for them */
};

/* *sum += *a */
void account_add(struct account *sum, const struct account *a);
/* What lies between two running totals. */
struct account account_between(const struct account *then, const struct account *now);
/* Of all times: what has passed. */
uint64_t account_total(const struct account *a);

#endif
