// SPDX-License-Identifier: MIT
/*
 * What a guest's kernel does for its programs, and what that takes: table 2 of the Disco paper. A
 * service is everything from a user program's trap into the kernel to the return to that program:
 * a system call, a page fault, an interrupt that met the program. Only time in which its task has a
 * CPU counts: what other tasks do while it sleeps is theirs. Kinds are Linux's on RISC-V.
 *
 * The engine counts (engine/sim/service.c), which is where the rules are; STATS.md has them for
 * readers. A service is counted when it ends.
 */
#ifndef MONITOR_VM_SERVICE_H
#define MONITOR_VM_SERVICE_H

#include <stdint.h>

/* Identifier, name in statistics, title. */
#define SERVICE_KINDS(X)                                                                           \
	X(DEMAND_ZERO, "demand_zero", "demand zero fault")                                         \
	X(QUICK_FAULT, "quick_fault", "quick fault")                                               \
	X(COPY_FAULT, "copy_fault", "copy fault")                                                  \
	X(OTHER_FAULT, "other_fault", "other faults")                                              \
	X(OPEN, "open", "open")                                                                    \
	X(READ, "read", "read")                                                                    \
	X(WRITE, "write", "write")                                                                 \
	X(EXECVE, "execve", "execve")                                                              \
	X(OTHER_CALL, "other_call", "other system calls")                                          \
	X(EXCEPTION, "exception", "other exceptions")                                              \
	X(INTERRUPT, "interrupt", "interrupts")                                                    \
	X(TLB_MISS, "tlb_miss", "TLB miss of a program")                                           \
	X(KERNEL, "kernel", "the kernel's own")

enum service_kind {
#define X(id, name, title) SERVICE_##id,
	SERVICE_KINDS(X)
#undef X
		SERVICES
};
extern const char *const service_name[SERVICES];
extern const char *const service_title[SERVICES];

/* Where its time went. All but the first and the last are the monitor's. */
enum service_part {
	PART_KERNEL,     /* the guest's kernel, with its stalls */
	PART_TLB,        /* refills for user addresses; faults passed on; sfence.vma */
	PART_PRIVILEGED, /* other privileged instructions, traps passed on, interrupts injected */
	PART_CALLS,      /* monitor calls, devices, the monitor's own page faults */
	PART_KERNEL_TLB, /* refills for kernel addresses, by hardware or monitor */
	SERVICE_PARTS
};
extern const char *const service_part_name[SERVICE_PARTS];

struct service_sum {
	uint64_t count;
	uint64_t cycles[SERVICE_PARTS];
};

struct services {
	struct service_sum of[SERVICES];
	uint64_t untraced; /* services that were not told apart: too many at a time */
};

/* *sum += *now - *then */
void services_add(struct services *sum, const struct services *now, const struct services *then);
uint64_t service_cycles(const struct service_sum *s); /* of all parts */

#endif
