// SPDX-License-Identifier: MIT
/*
 * The inside of the kvm engine: x86-64 VMs on a Linux host with hardware virtualization.
 *
 * One lock, the monitor's, makes a boundary (numa/memory/frame.h) out of every moment it is held: device
 * accesses, page faults and the periodic work all take it, so that frames, pmaps, devices and
 * sharing are the code the simulator runs. What differs is that vCPUs go on while it is held. They
 * see memory through a *view*: a range of the monitor's address space behind a KVM memory slot, in
 * which the engine puts frames, and learns by userfaultfd what is missing or may not be stored to.
 * Holding the lock, never touch a view's bytes: the fault would wait for the lock. Frames are
 * reached by frame_data(), which never faults that way.
 *
 *   kvm.c    the engine: VMs, the main loop
 *   probe.c  can this host do it, and if not, why
 *   vcpu.c   a thread for each vCPU: exits
 *   cpuid.c  what CPU the guest sees
 *   view.c   putting frames into a view and taking them out
 *   sample.c what pages are hot; perf.c what processors tell of that
 *   fault.c  the thread that answers faults
 *   doorbell.c  drivers' notices and devices' interrupts
 *   place.c  which node a vCPU runs on
 *   pc.c     the board: power, reset, interrupt lines
 *   acpi.c   the tables that describe it
 *   boot.c   loading a bzImage, or an ELF kernel
 */
#ifndef MONITOR_ENGINE_KVM_KVM_H
#define MONITOR_ENGINE_KVM_KVM_H

#include <linux/kvm.h>
#include <pthread.h>
#include <sys/types.h>

#include "monitor/vm/engine.h"
#include "numa/memory/host.h"

/* How a page is mapped in a view. */
enum mapped {
	NOT_MAPPED,
	MAPPED_READ,
	MAPPED_WRITE,
	SAMPLED /* mapped, and taken from the page table to see who touches it */
};

/* What the CPUs of one node see of one VM. */
struct kvm_view {
	struct vm *vm;
	int fd;        /* KVM's VM */
	unsigned node; /* whose copies of pages it has */
	uint8_t *base; /* the VM's memory, from its first page on */
	uint32_t n_pages;
	uint32_t *mpn;   /* by ppn: the frame that is mapped */
	uint8_t *mapped; /* by ppn: enum mapped */
};

enum { KVM_LINES = 24 }; /* inputs of the I/O APIC */

struct engine_vm {
	struct kvm_view view;
	uint32_t lines;       /* levels of interrupt lines, by GSI */
	int irqfd[KVM_LINES]; /* by GSI: interrupts of virtio devices; -1: none */
	uint64_t doorbells;   /* heard by the main loop */
	uint64_t faults_missing, faults_write, faults_worker, faults_nowhere;
	uint64_t maps, unmaps, protects, sampled, touched;
};

struct engine_vcpu {
	int fd;
	struct kvm_run *run;
	pthread_t thread;
	bool started;           /* the thread exists */
	bool ended;             /* and has left its loop; under the lock */
	pid_t tid;              /* of the thread, for faults; 0: not yet */
	unsigned bound;         /* to the node of this CPU its thread is bound when it starts */
	uint64_t exits;         /* those that the monitor saw; its thread */
	uint64_t out_ns;        /* its thread's time in the monitor, with waiting for the lock */
	uint64_t waited_ns;     /* ready, but without a CPU of the host; place.c */
	uint64_t moved_ns;      /* host's ns when it last came to another node */
	uint64_t rip, arg, cr3; /* to start with, when `boot`; cr3 0: in protected mode */
	bool boot;
};

/* The one cluster that a process runs under this engine. */
struct kvm_host {
	struct cluster *c;
	int fd;   /* /dev/kvm */
	int uffd; /* for all views */
	struct kvm_cpuid2 *cpuid;
	pthread_mutex_t lock;
	struct host_memory *memory;
	pthread_t handler;
	int handler_stop;    /* eventfd: ends the handler */
	bool huge;           /* memory is in huge pages */
	bool stopping;       /* every vCPU is to leave; under the lock */
	uint64_t began;      /* host's ns when machine time was 0 */
	uint64_t look_again; /* host's ns: not before, for identical pages */
	uint64_t retries;    /* KVM_RUN met a mapping that was just being changed */
	struct kvm_sampler *sampler;
	uint64_t count_again; /* cycles: VMAs are counted again */
	bool few_vmas;
	uint64_t locked_ns; /* that the main loop had the lock */
};
extern struct kvm_host kvm_host;

/* ---- probe.c */

/* Open what the engine needs: kvm_host.fd and .uffd. 0, or a negative errno and in why (at most n
 * bytes) what is missing and what to do about it. */
int kvm_probe(char *why, size_t n);
void kvm_unprobe(void);

/* ---- kvm.c */

/* The host's time, from any begin, in ns; and what of it the calling thread had a CPU. */
uint64_t kvm_now_ns(void);
uint64_t kvm_work_ns(void);

/* ---- vcpu.c */

void kvm_vcpu_create(struct vcpu *vcpu);
void kvm_vcpu_destroy(struct vcpu *vcpu);
/* Start the thread; make it leave KVM_RUN soon. With the lock. */
void kvm_vcpu_run(struct vcpu *vcpu);
void kvm_vcpu_kick(struct vcpu *vcpu);
/* The vCPU of a VM whose thread that is, or NULL. With the lock. */
const struct vcpu *kvm_vcpu_of(const struct vm *vm, uint32_t tid);

/* ---- doorbell.c */

/* Many VMs need many descriptors: as many as the host lets us have. */
void kvm_bells_limit(void);
/* All devices are attached, and no vCPU runs. */
void kvm_bells_create(const struct cluster *c);
void kvm_bells_destroy(void);
void kvm_irqfds_close(struct engine_vm *e);
/* Wait for doorbells, so many ns at most, without the lock; how many rang. Then, with it, let their
 * devices look. */
int kvm_bells_wait(uint64_t ns);
void kvm_bells_ring(int n);

/* ---- place.c */

/* Before VMs are placed: how busy the host's CPUs are with other things. */
void kvm_place_look(struct cluster *c);
/* Now and then: vCPUs that wait for a CPU come to nodes with idle ones. With the lock. */
void kvm_place(struct cluster *c, uint64_t now_ns);

/* ---- cpuid.c */

void kvm_cpuid_init(void);
void kvm_cpuid_set(const struct vcpu *vcpu);

/* ---- view.c: all with the lock */

void kvm_view_create(struct kvm_view *v, struct vm *vm, int fd, unsigned node);
void kvm_view_destroy(struct kvm_view *v);
/*
 * Make the pages [ppn, ppn + n) of the view what the pmap says they are: mapped to their frame,
 * with the right to write or without, or not there. CPUs in the guest may run meanwhile; they see
 * the old page or the new one, and never may store to a frame they must not.
 */
void kvm_view_update(struct kvm_view *v, uint32_t ppn, uint32_t n);
/* No CPU of the view may go on using frame `old` for this page. */
void kvm_view_shootdown(struct kvm_view *v, uint32_t ppn, uint32_t old);
/* There is no frame for this page, and the VM has failed: let its CPUs have something until they
 * stop. */
void kvm_view_abandon(struct kvm_view *v, uint32_t ppn);
/* Take the right to write from a page until kvm_view_update(). */
void kvm_view_protect(struct kvm_view *v, uint32_t ppn);
/* Take all of these pages out. */
void kvm_view_clear(struct kvm_view *v, uint32_t ppn, uint32_t n);
/* For sample.c: who touches which of these pages first is to be known; how many of them are mapped
 * and not waiting to be touched already. Then: one is touched. And: it is not to be known any more.
 */
uint32_t kvm_view_sample(struct kvm_view *v, uint32_t ppn, uint32_t n);
void kvm_view_restore(struct kvm_view *v, uint32_t ppn);
void kvm_view_unsample(struct kvm_view *v, uint32_t ppn, uint32_t n);
/* Those who wait for a fault in these pages look again. */
void kvm_view_wake(struct kvm_view *v, uint32_t ppn, uint32_t n);
/* Lines of /proc/self/maps, and how many the host allows. */
uint64_t kvm_vmas(void);
uint64_t kvm_vmas_max(void);
/* Of the monitor's address space, VMs' memory included, what page tables map by huge pages. */
uint64_t kvm_huge_bytes(void);

/* ---- fault.c */

void kvm_faults_start(void);
void kvm_faults_stop(void);

/* ---- sample.c: all with the lock */

void kvm_sampler_create(void);
void kvm_sampler_destroy(void);
/* Look on, if the bound allows; vCPUs ran so long so far. */
void kvm_sample(uint64_t ran_ns);
/* A sampled page is touched by a CPU of `node`: may move it. */
void kvm_sample_touched(struct kvm_view *v, uint32_t ppn, unsigned node, bool write);
/* Answering a touch took so long; what all took so far. */
void kvm_sample_took(uint64_t ns);
uint64_t kvm_sample_ns(void);
/* Where samples come from: "processor" or "faults". */
const char *kvm_sample_source(void);
/* Of the processors', those there was no room for. */
uint64_t kvm_samples_lost(void);
extern const struct placement_ops kvm_placement_ops;

/* ---- pc.c */

extern const struct board board_pc;
enum {
	PC_GAP = 0xc0000000u, /* RAM beyond this is above 4 GiB */
	PC_VIRTIO = 0xd0000000u,
	PC_UART = 0x3f8,
	PC_KEYBOARD = 0x60,
	PC_POWER = 0x600, /* ACPI sleep control, sleep status, reset */
	PC_POWER_STATUS = 0x601,
	PC_RESET = 0x602,
	PC_RESET_VALUE = 1,
	PC_SLEEP_OFF = 5, /* SLP_TYP of S5 */
	PC_IRQ_UART = 4,
	PC_BIOS = 0xe0000, /* where the tables are */
	PC_BIOS_END = 0x100000,
	PC_IOAPIC = 0xfec00000u,
	PC_LAPIC = 0xfee00000u,
};

/* ---- acpi.c */

/* Write the tables of a VM to buf, which will be at physical address `pa`; the first is the RSDP.
 * The bytes used; die() if there is no room. */
uint64_t acpi_build(const struct vm *vm, uint8_t *buf, uint64_t bytes, uint64_t pa);

/* ---- boot.c */

struct boot;
int kvm_boot_check(struct boot *b, uint64_t ram_bytes, uint64_t extra_bytes);
int kvm_boot_load(const struct boot *b, struct vm *vm, const void *extra, uint64_t extra_bytes);

#endif
