/* SPDX-License-Identifier: MIT */
/*
 * Which node each vCPU runs on.
 */
#ifndef MONITOR_ENGINE_KVM_PLACE_H
#define MONITOR_ENGINE_KVM_PLACE_H

#include "monitor/engine/kvm/host.h"

/* Before VMs are placed: measure how busy other programs keep the host's CPUs (c->busy). */
void kvm_place_create(struct kvm_host *h);
void kvm_place_destroy(struct kvm_host *h);
/* Move vCPUs that wait for a CPU to nodes with idle CPUs. Call often: acts a few times a second.
 * With the lock. */
void kvm_place(struct kvm_host *h, uint64_t now_ns);

#endif
