/* SPDX-License-Identifier: MIT */
/*
 * ACPI tables, which describe the board to a guest.
 */
#ifndef MONITOR_ENGINE_KVM_ACPI_H
#define MONITOR_ENGINE_KVM_ACPI_H

#include "monitor/vm/vm.h"

/* Write the tables of a VM to buf, which will be at physical address `pa`; the first is the RSDP.
 * Returns the bytes used; die() if there is no room. */
uint64_t acpi_build(const struct vm *vm, uint8_t *buf, uint64_t bytes, uint64_t pa);

#endif
