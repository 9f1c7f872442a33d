/* SPDX-License-Identifier: MIT */
/*
 * What the kvm engine has once in a process: descriptors, the monitor's lock, the clock. It is the
 * bottom of the engine; every other part is handed it, or finds it by a VM's cluster.
 *
 * The lock makes a boundary (numa/memory/frame.h) out of every moment it is held: device accesses,
 * page faults and the periodic work all take it, so that frames, pmaps, devices and sharing run
 * the same code as in the simulator. vCPUs continue to execute while another thread holds it.
 */
#ifndef MONITOR_ENGINE_KVM_HOST_H
#define MONITOR_ENGINE_KVM_HOST_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "monitor/vm/vm.h"
#include "numa/memory/host.h"

struct kvm_host {
	struct cluster *c;
	int fd;   /* /dev/kvm */
	int uffd; /* userfaultfd, for the memory of all VMs */
	struct host_memory *memory;
	bool huge;      /* memory is in huge pages */
	uint64_t began; /* host's ns when machine time was 0; 0: the run has not begun */

	pthread_mutex_t lock;
	bool stopping;    /* every vCPU must leave its loop */
	bool few_vmas;    /* the host's limit of VMAs is near: move and share no more pages */
	uint64_t retries; /* KVM_RUN met a mapping that was being changed */

	/* Each belongs to the part of its name; NULL before that part is created. */
	struct kvm_cpuid2 *cpuid;
	struct kvm_sampler *sampler;
	struct kvm_faults *faults;
	struct kvm_bells *bells;
	struct kvm_place *place;
	struct kvm_loop *loop;
};

/* Without descriptors (-1) and parts. kvm_host_destroy() frees the struct alone. */
struct kvm_host *kvm_host_create(struct cluster *c);
void kvm_host_destroy(struct kvm_host *h);

/* The host that a VM runs on. */
static inline struct kvm_host *kvm_host_of(const struct vm *vm)
{
	return vm->cluster->kvm;
}

/* The host's monotonic time, and the CPU time of the calling thread, in ns. Any thread. */
uint64_t kvm_now_ns(void);
uint64_t kvm_work_ns(void);
/* The CPU time of another thread, in ns; 0 if it is unknown. */
uint64_t kvm_thread_ns(pthread_t thread);
/* Durations of `ns` in cycles of the machine's clock, and back. */
uint64_t kvm_cycles(const struct machine *m, uint64_t ns);
uint64_t kvm_ns(const struct machine *m, uint64_t cycles);
/* Machine time in cycles, which follows the host's; the cluster's before the run. Any thread. */
uint64_t kvm_machine_now(const struct kvm_host *h);

/* VMAs (lines of /proc/self/maps) of the monitor, and the number that the host allows. */
uint64_t kvm_vmas(void);
uint64_t kvm_vmas_max(void);
/* Bytes of the monitor's address space, VMs' memory included, that huge pages map. */
uint64_t kvm_huge_bytes(void);

#endif
