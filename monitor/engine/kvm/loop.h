/* SPDX-License-Identifier: MIT */
/*
 * The main loop of a run.
 */
#ifndef MONITOR_ENGINE_KVM_LOOP_H
#define MONITOR_ENGINE_KVM_LOOP_H

#include "monitor/engine/kvm/host.h"

void kvm_loop_create(struct kvm_host *h);
void kvm_loop_destroy(struct kvm_host *h);
/* The engine's `run` (monitor/vm/engine.h). */
int kvm_loop_run(struct cluster *c);
/* Time that the main loop held the lock, in ns. */
uint64_t kvm_loop_locked_ns(const struct kvm_host *h);

#endif
