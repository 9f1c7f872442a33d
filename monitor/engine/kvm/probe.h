/* SPDX-License-Identifier: MIT */
/*
 * What the engine needs of a host.
 */
#ifndef MONITOR_ENGINE_KVM_PROBE_H
#define MONITOR_ENGINE_KVM_PROBE_H

#include <stddef.h>

#include "monitor/engine/kvm/host.h"

/* Open h->fd and h->uffd. 0, or a negative errno and in `why` (at most n bytes) what is missing and
 * its remedy. */
int kvm_probe(struct kvm_host *h, char *why, size_t n);
/* Close them. */
void kvm_unprobe(struct kvm_host *h);

#endif
