/* SPDX-License-Identifier: MIT */
/*
 * Which CPU a guest sees.
 */
#ifndef MONITOR_ENGINE_KVM_CPUID_H
#define MONITOR_ENGINE_KVM_CPUID_H

#include "monitor/engine/kvm/host.h"

/* Ask KVM once what it supports; die() if it does not tell. */
void kvm_cpuid_create(struct kvm_host *h);
void kvm_cpuid_destroy(struct kvm_host *h);
/* Give a vCPU its CPUID leaves. `fd` is KVM's vCPU. */
void kvm_cpuid_set(const struct vcpu *vcpu, int fd);

#endif
