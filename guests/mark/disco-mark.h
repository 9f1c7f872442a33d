// SPDX-License-Identifier: MIT
/*
 * Markers: what a program in a guest tells the simulator of itself, by an instruction that does
 * nothing on any RISC-V machine: `slti x0, x0, N` (the unprivileged specification, "RV32I ...
 * HINT Instructions", leaves SLTI with rd = x0 to custom use). No privilege is needed, and the
 * kernel does not see it. On another machine or engine a program with markers just runs.
 *
 * A marker takes effect where the simulated CPUs next meet (the machine's quantum_cycles), and the
 * VM that marked waits until then: what follows a marker is all on its other side. Of all VMs'
 * fidelity markers the last holds, for the whole machine (`disco run --markers` says whose count); a region of interest lasts while any VM
 * is in one. In shell scripts: the program disco-mark.
 */
#ifndef DISCO_MARK_H
#define DISCO_MARK_H

enum disco_mark {
	DISCO_FUNCTIONAL = 1, /* no caches from here on: an instruction takes a cycle */
	DISCO_NUMA = 2,       /* caches, directory and latencies from here on */
	DISCO_BEGIN = 3,      /* the region of interest begins ... */
	DISCO_END = 4,        /* ... and ends; they nest */
	DISCO_LABEL = 16,     /* this to DISCO_LAST: recorded with its time, for the reader */
	DISCO_LAST = 2047,
};

/* n: a constant. The compiler moves no memory access across it. */
#ifdef __riscv
#define disco_mark(n) __asm__ volatile("slti x0, x0, %0" : : "i"(n) : "memory")
#else
#define disco_mark(n) __asm__ volatile("" : : "i"(n) : "memory")
#endif

#endif
