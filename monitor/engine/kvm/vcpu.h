/* SPDX-License-Identifier: MIT */
/*
 * vCPUs: KVM's descriptor and a host thread for each.
 */
#ifndef MONITOR_ENGINE_KVM_VCPU_H
#define MONITOR_ENGINE_KVM_VCPU_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "monitor/vm/vm.h"

struct kvm_vcpu {
	int fd;
	struct kvm_run *run;
	pthread_t thread;
	bool started;           /* the thread exists; main loop */
	bool ended;             /* the thread has left its loop; under the lock */
	pid_t tid;              /* of the thread; 0: not known yet; under the lock */
	unsigned bound;         /* CPU to whose node the thread binds itself when it starts */
	uint64_t exits;         /* returns to the monitor; its thread */
	uint64_t out_ns;        /* its thread's time in the monitor, waits for the lock included */
	uint64_t waited_ns;     /* time that it was ready but had no CPU of the host; place.c */
	uint64_t moved_ns;      /* host's ns when it last came to another node; place.c */
	uint64_t rip, arg, cr3; /* to start with, if `boot`; cr3 0: in protected mode */
	bool boot;
};

/* KVM's vCPU, without a thread. The VM has its descriptor. */
void kvm_vcpu_create(struct vcpu *vcpu);
void kvm_vcpu_destroy(struct vcpu *vcpu);
/* Start the thread. With the lock. */
void kvm_vcpu_run(struct vcpu *vcpu);
/* Make the thread leave KVM_RUN soon. With the lock. */
void kvm_vcpu_kick(struct vcpu *vcpu);
/* Wait for the thread, if it was started, to end. Without the lock. */
void kvm_vcpu_join(struct vcpu *vcpu);
/* The vCPU of a VM whose thread is `tid`, or NULL. With the lock. */
const struct vcpu *kvm_vcpu_of(const struct vm *vm, uint32_t tid);
/* CPU time that all vCPUs of the cluster have received, in ns. With the lock. */
uint64_t kvm_vcpus_ran_ns(const struct cluster *c);

#endif
