// SPDX-License-Identifier: MIT
/*
 * The magic instruction `slti x0, x0, N`, by which a program in a guest speaks to the simulator. It
 * does nothing on any RISC-V machine (the unprivileged specification, "RV32I ... HINT
 * Instructions", leaves SLTI with rd = x0 to custom use). It needs no privilege, and the kernel
 * does not see it. On another machine or engine a program with magic instructions just runs.
 *
 * A magic instruction takes effect at the next quantum barrier of the simulated CPUs (the machine's
 * quantum_cycles). Its VM waits until then, so that all that follows is on the other side. The
 * fidelity is the whole machine's: the last magic instruction of any VM sets it (`disco run
 * --markers` names the VMs that may). A region of interest lasts while any VM is in one. In shell
 * scripts, use the program disco-mark.
 */
#ifndef DISCO_MARK_H
#define DISCO_MARK_H

enum disco_mark {
	DISCO_FUNCTIONAL = 1, /* no caches from here on: an instruction takes a cycle */
	DISCO_NUMA = 2,       /* caches, directory and latencies from here on */
	DISCO_BEGIN = 3,      /* a region of interest begins ... */
	DISCO_END = 4,        /* ... and ends; they nest */
	DISCO_LABEL = 16,     /* DISCO_LABEL to DISCO_LAST: recorded with its time */
	DISCO_LAST = 2047,
};

/* n: a constant. The compiler moves no memory access across it. */
#ifdef __riscv
#define disco_mark(n) __asm__ volatile("slti x0, x0, %0" : : "i"(n) : "memory")
#else
#define disco_mark(n) __asm__ volatile("" : : "i"(n) : "memory")
#endif

#endif
