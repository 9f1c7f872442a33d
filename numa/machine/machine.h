// SPDX-License-Identifier: MIT
/*
 * The machine: nodes with CPUs and memory, caches, latencies, and what the monitor's work costs. A
 * machine is a data file (libconfig syntax, numa/machine/machines/NAME.conf or any path), never
 * code; every number in it has a default so that a two-line file is a machine. The description is
 * read once and is constant afterwards: any thread may read it.
 */
#ifndef NUMA_MACHINE_MACHINE_H
#define NUMA_MACHINE_MACHINE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { MACHINE_MAX_NODES = 64, MACHINE_MAX_CPUS = 128 };

struct machine_node {
	unsigned first_cpu; /* CPUs first_cpu .. first_cpu + n_cpus - 1 */
	unsigned n_cpus;
	uint64_t mem_bytes; /* multiple of 4096 */
};

struct machine_cache {
	uint32_t size_bytes;
	uint32_t line_bytes;
	uint32_t ways;
};

struct machine {
	char name[32];
	char description[128];
	unsigned n_nodes;
	unsigned n_cpus;
	struct machine_node node[MACHINE_MAX_NODES];
	uint8_t cpu_node[MACHINE_MAX_CPUS];
	bool host;                           /* this computer: machine_load("host") */
	unsigned cpu_os[MACHINE_MAX_CPUS];   /* then: what its kernel calls the CPU */
	unsigned node_os[MACHINE_MAX_NODES]; /* and the node */

	uint64_t file_hash;        /* XXH64 of the file's bytes; 0: of no file */
	uint64_t clock_hz;         /* CPU clock; one instruction a cycle in functional fidelity */
	uint64_t timebase_hz;      /* what the guest's `time` counts */
	uint64_t quantum_cycles;   /* CPUs meet at a boundary this often; device and monitor work is
				      done there */
	uint64_t slice_cycles;     /* within a quantum, vCPUs of one VM alternate this often */
	uint64_t timeslice_cycles; /* a vCPU yields its CPU to a waiting one after this long */

	struct machine_cache l1i, l1d, l2;
	uint32_t tlb_entries;
	uint32_t tlb_ways;       /* 0: fully associative */
	uint32_t tlb_pages;      /* pages an entry maps: 1, or 2 for the page pairs of MIPS */
	uint32_t l2tlb_entries;  /* of each vCPU's TLB in software, in mode trap; 0: none */
	uint32_t l2_hit_ns;      /* an L1 miss that the L2 has */
	uint32_t dirty_extra_ns; /* a miss that another CPU's cache has to answer, beyond the way */
	uint32_t controller_ns;  /* occupancy of the home's controller by one request ... */
	uint32_t link_ns; /* ... and of its network port, when it came from another node; both
			     matter only when contention is modelled */
	uint32_t latency_ns[MACHINE_MAX_NODES]
			   [MACHINE_MAX_NODES]; /* uncontended miss, [cpu's node][home node] */

	uint64_t monitor_text; /* bytes of the monitor's code, of which each node has a copy;
				  multiple of 4096 */

	struct {                       /* charged to the CPU on which it happens, in cycles */
		uint64_t trap;         /* enter and leave the monitor */
		uint64_t monitor_call; /* dispatch of one call, beyond the trap */
		uint64_t page_fault;   /* pmap miss: find or allocate a frame */
		uint64_t page_copy;    /* copy 4 KiB */
		uint64_t page_zero;    /* zero 4 KiB */
		uint64_t page_share;   /* let one more VM use a page: of a clone, of a packet */
		uint64_t page_scan;    /* hash 4 KiB, in search of identical pages */
		uint64_t shootdown;    /* one mapping on one CPU: for the CPU that asks, */
		uint64_t shootdown_interrupted; /* and for the one that is interrupted */
		uint64_t vcpu_switch;           /* change the vCPU a CPU runs */
		uint64_t mmio;                  /* emulate one device access */
		uint64_t tlb_refill; /* TLB miss, beyond the accesses to the page table */
		/* In mode trap: */
		uint64_t emulate;   /* one privileged instruction, beyond the trap */
		uint64_t reflect;   /* begin a trap in the guest's kernel, beyond the trap */
		uint64_t l2tlb_hit; /* TLB miss that the software TLB answers, beyond tlb_refill */
		uint64_t tlb_fill;  /* and one it does not: walk, look up, enter; beyond trap and
				       tlb_refill */
		/* In mode native: */
		uint64_t uncached; /* one access to a device's register */
	} cost;
};

/*
 * Load a machine by preset name ("flash8"), by the path of a file (a name with a '/', or one that
 * ends in ".conf"), or by the name "host": this computer as hwloc sees it. Returns 0 and a machine
 * the caller frees with machine_free(); or a negative errno after one line on stderr naming file,
 * line and fault. Checked: counts in range, every node's memory a multiple of 4 KiB, matrix square,
 * cache lines and sets powers of two, no unknown setting.
 */
int machine_load(const char *name, struct machine **out);
void machine_free(struct machine *m);

/* Print what `disco topology` shows: nodes, CPUs, memory, caches, latency matrix, costs. */
void machine_print(const struct machine *m, FILE *out);

/* Print one line for each preset: name and description. 0, or a negative errno after one line on
 * stderr: the program's data is not found. */
int machine_list(FILE *out);

#endif
