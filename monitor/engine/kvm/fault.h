/* SPDX-License-Identifier: MIT */
/*
 * The thread that answers page faults of guests.
 */
#ifndef MONITOR_ENGINE_KVM_FAULT_H
#define MONITOR_ENGINE_KVM_FAULT_H

#include "monitor/engine/kvm/host.h"

/* Before any vCPU runs; after all have stopped, without the lock. */
void kvm_faults_start(struct kvm_host *h);
void kvm_faults_stop(struct kvm_host *h);

#endif
