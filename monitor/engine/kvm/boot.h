/* SPDX-License-Identifier: MIT */
/*
 * Loading a kernel without firmware: the board's parts of boot_open() and boot_vm()
 * (monitor/vm/board.h).
 */
#ifndef MONITOR_ENGINE_KVM_BOOT_H
#define MONITOR_ENGINE_KVM_BOOT_H

#include <stdint.h>

struct boot;
struct vm;

int kvm_boot_check(struct boot *b, uint64_t ram_bytes, uint64_t extra_bytes);
int kvm_boot_load(const struct boot *b, struct vm *vm, const void *extra, uint64_t extra_bytes);

#endif
