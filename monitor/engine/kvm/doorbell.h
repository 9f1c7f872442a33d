/* SPDX-License-Identifier: MIT */
/*
 * Drivers' notices (doorbells) and devices' interrupts, by eventfd.
 */
#ifndef MONITOR_ENGINE_KVM_DOORBELL_H
#define MONITOR_ENGINE_KVM_DOORBELL_H

#include "monitor/engine/kvm/host.h"
#include "monitor/engine/kvm/vm.h"

/* Raise the limit of open files to the host's maximum: each device of each VM takes descriptors. */
void kvm_bells_limit(void);
/* After all devices are attached, before any vCPU runs. */
void kvm_bells_create(struct kvm_host *h);
void kvm_bells_destroy(struct kvm_host *h);
void kvm_irqfds_close(struct kvm_vm *e);
/* Wait at most `ns` for doorbells, without the lock. Returns the number n that rang. Then, with the
 * lock, let the devices of these n act. */
int kvm_bells_wait(struct kvm_host *h, uint64_t ns);
void kvm_bells_ring(struct kvm_host *h, int n);

#endif
