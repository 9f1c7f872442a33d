/* SPDX-License-Identifier: MIT */
/*
 * Samples of memory accesses, from which placement policies learn which pages are hot. All with the
 * lock.
 */
#ifndef MONITOR_ENGINE_KVM_SAMPLE_H
#define MONITOR_ENGINE_KVM_SAMPLE_H

#include "monitor/engine/kvm/host.h"
#include "monitor/engine/kvm/memslot.h"

void kvm_sampler_create(struct kvm_host *h);
void kvm_sampler_destroy(struct kvm_host *h);
/* Take further samples, if the bound allows. vCPUs have run for `ran_ns` in all. */
void kvm_sample(struct kvm_host *h, uint64_t ran_ns);
/* A CPU of `node` accessed a sampled page. The page may move before this returns. */
void kvm_sample_touched(struct kvm_memslots *slots, uint32_t ppn, unsigned node, bool write);
/* Answering one such access took `ns`. */
void kvm_sample_took(struct kvm_host *h, uint64_t ns);

/* Statistics. Time that sampling took, in ns; where samples come from ("processor" or "faults");
 * samples of processors that were lost for lack of room. */
uint64_t kvm_sample_ns(const struct kvm_host *h);
const char *kvm_sample_source(const struct kvm_host *h);
uint64_t kvm_samples_lost(const struct kvm_host *h);

extern const struct placement_ops kvm_placement_ops;

#endif
