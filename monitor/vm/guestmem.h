// SPDX-License-Identifier: MIT
/*
 * How device models and the monitor reach guest memory: by guest physical address, every byte
 * checked against the VM's memory, page by page through the pmap, so that first touch,
 * copy-on-write, decoded-code tracking and cache coherence hold for DMA as for stores. Read once
 * into a local, check, then use: a guest may change its memory at any time between two calls.
 *
 * 0, -EFAULT (not guest memory, or wraps), -EAGAIN (run phase: the frame reserve is empty;
 * device_defer() and do it at the boundary), -ENOMEM (machine memory is exhausted). Partial writes
 * may have happened on error. Owner thread (see monitor/vm/vm.h).
 */
#ifndef MONITOR_VM_GUESTMEM_H
#define MONITOR_VM_GUESTMEM_H

#include "monitor/vm/vm.h"

/* Does the VM have memory at all these addresses? */
bool gm_valid(const struct vm *vm, uint64_t pa, uint64_t bytes);
/* Where in the VM's memory a valid address is, in bytes; and in which of its pages. */
uint64_t gm_offset(const struct vm *vm, uint64_t pa);
uint32_t gm_ppn(const struct vm *vm, uint64_t pa);
int gm_read(struct vm *vm, uint64_t pa, void *buf, uint64_t bytes);
int gm_write(struct vm *vm, uint64_t pa, const void *buf, uint64_t bytes);
int gm_zero(struct vm *vm, uint64_t pa, uint64_t bytes);
/* Make every page of the range usable now (writable, if `write`): until the run phase ends, none of
 * the calls above then fails on it. Lets a device find out before it has done half its work. */
int gm_touch(struct vm *vm, uint64_t pa, uint64_t bytes, bool write);

/* Little-endian scalars, naturally aligned or not. */
int gm_read16(struct vm *vm, uint64_t pa, uint16_t *v);
int gm_read32(struct vm *vm, uint64_t pa, uint32_t *v);
int gm_read64(struct vm *vm, uint64_t pa, uint64_t *v);
/* A read from outside the machine, which changes no modelled cache. */
int gm_peek64(struct vm *vm, uint64_t pa, uint64_t *v);
int gm_write16(struct vm *vm, uint64_t pa, uint16_t v);
int gm_write32(struct vm *vm, uint64_t pa, uint32_t v);
int gm_write64(struct vm *vm, uint64_t pa, uint64_t v);

#endif
