// SPDX-License-Identifier: MIT
/*
 * Views: see kvm.h. An absent page is one of anonymous memory that userfaultfd guards in missing
 * mode; a present one is a page of a node's memfd. One that may not be stored to has both the right
 * to write in the address space and userfaultfd's write protection, because a store must wait in
 * KVM for the handler and not fail.
 *
 * Until userfaultfd watches a new mapping, it is without rights that would let a vCPU do what the
 * handler must know of: store to a frame of others, or have the kernel put a page of its own where
 * there is nothing. An access in that moment makes KVM_RUN return EFAULT, and is tried again once
 * the lock is free (vcpu.c).
 *
 * Pages that are sampled stay what they are in the address space, but the page table forgets them,
 * and userfaultfd tells who misses them (its minor mode). One that has never been touched is not
 * told of, so a sampled page may be in use at any time: it counts as mapped where safety matters.
 *
 * The kernel keeps one record (a VMA) for each run of pages that lie side by side in their memfd,
 * too; protected and unprotected ones of a run share it. Neighbours with neighbouring frames are
 * put in by one mmap().
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "monitor/vm/board.h"
#include "monitor/engine/kvm/kvm.h"
#include "numa/util.h"

enum { HUGE_BYTES = 2 << 20 };

static uint64_t at(const struct kvm_view *v, uint32_t ppn)
{
	return (uint64_t)(uintptr_t)v->base + ((uint64_t)ppn << PAGE_SHIFT);
}

static void watch(const struct kvm_view *v, uint32_t ppn, uint32_t n, uint64_t mode)
{
	struct uffdio_register r = {.range = {at(v, ppn), (uint64_t)n << PAGE_SHIFT}, .mode = mode};

	if (ioctl(kvm_host.uffd, UFFDIO_REGISTER, &r))
		die("userfaultfd: %u pages of %s cannot be watched: %s", n, v->vm->name,
			strerror(errno));
}

static void protect(const struct kvm_view *v, uint32_t ppn, uint32_t n, bool on)
{
	struct uffdio_writeprotect w = {.range = {at(v, ppn), (uint64_t)n << PAGE_SHIFT},
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : UFFDIO_WRITEPROTECT_MODE_DONTWAKE};

	/* EAGAIN: the address space was just being changed, by a thread that is done soon. */
	while (ioctl(kvm_host.uffd, UFFDIO_WRITEPROTECT, &w))
		if (errno != EAGAIN)
			die("userfaultfd: %u pages of %s cannot be protected: %s", n, v->vm->name,
				strerror(errno));
}

static void map_at(void *where, uint32_t n, int prot, int flags, int fd, uint64_t offset)
{
	if (mmap(where, (size_t)n << PAGE_SHIFT, prot, flags | MAP_FIXED | MAP_NORESERVE, fd,
		    (off_t)offset) == MAP_FAILED)
		die("%u pages of a VM cannot be mapped: %s%s", n, strerror(errno),
			errno == ENOMEM ? " (vm.max_map_count is too small for so many VMs)" : "");
}

static void allow(const struct kvm_view *v, uint32_t ppn, uint32_t n)
{
	if (mprotect(
		    (void *)(uintptr_t)at(v, ppn), (size_t)n << PAGE_SHIFT, PROT_READ | PROT_WRITE))
		die("%u pages of %s cannot be given rights: %s", n, v->vm->name, strerror(errno));
}

static void put_nothing(struct kvm_view *v, uint32_t ppn, uint32_t n)
{
	map_at((void *)(uintptr_t)at(v, ppn), n, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	watch(v, ppn, n, UFFDIO_REGISTER_MODE_MISSING);
	allow(v, ppn, n);
	v->vm->e->unmaps++;
}

/* n frames from mpn on, which are neighbours. */
static void put_frames(struct kvm_view *v, uint32_t ppn, uint32_t n, uint32_t mpn, bool writable)
{
	void *where = (void *)(uintptr_t)at(v, ppn);
	uint64_t offset;
	int fd = host_frame(kvm_host.memory, kvm_host.c->mem, mpn, &offset);

	map_at(where, n, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, offset);
	watch(v, ppn, n, UFFDIO_REGISTER_MODE_WP);
	if (!writable) {
		protect(v, ppn, n, true);
		allow(v, ppn, n);
	}
	v->vm->e->maps++;
}

/* What a page of the view has to be. */
struct want {
	uint32_t mpn;
	enum mapped mapped;
};

static struct want want(const struct kvm_view *v, uint32_t ppn)
{
	bool writable;
	uint32_t mpn = pmap_entry(v->vm->pmap, ppn)->mpn;

	if (mpn == MPN_NONE)
		return (struct want){MPN_NONE, NOT_MAPPED};
	mpn = pmap_view(kvm_host.c->mem, v->vm->pmap, ppn, v->node, &writable);
	return (struct want){mpn, writable ? MAPPED_WRITE : MAPPED_READ};
}

static bool present(const struct kvm_view *v, uint32_t ppn)
{
	return v->mapped[ppn] == MAPPED_READ || v->mapped[ppn] == MAPPED_WRITE;
}

static bool is(const struct kvm_view *v, uint32_t ppn, struct want w)
{
	return w.mapped == v->mapped[ppn] && (!w.mapped || v->mpn[ppn] == w.mpn);
}

/* Does `b`, k pages after `a`, go on where a is? Frames of two nodes are in two files. */
static bool follows(struct want a, struct want b, uint32_t k)
{
	const struct memory *mem = kvm_host.c->mem;

	return a.mapped == b.mapped &&
	       (!a.mapped ||
		       (b.mpn == a.mpn + k && frame_node(mem, a.mpn) == frame_node(mem, b.mpn)));
}

void kvm_view_update(struct kvm_view *v, uint32_t ppn, uint32_t n)
{
	for (uint32_t i = 0, k; i < n; i += k) {
		struct want w = want(v, ppn + i);
		bool in_place = present(v, ppn + i) && w.mapped && v->mpn[ppn + i] == w.mpn;

		k = 1;
		if (is(v, ppn + i, w))
			continue;
		if (!in_place)
			for (; i + k < n; k++) {
				struct want next = want(v, ppn + i + k);

				if (is(v, ppn + i + k, next) || !follows(w, next, k))
					break;
			}
		if (in_place)
			protect(v, ppn + i, 1, w.mapped == MAPPED_READ);
		else if (w.mapped)
			put_frames(v, ppn + i, k, w.mpn, w.mapped == MAPPED_WRITE);
		else
			put_nothing(v, ppn + i, k);
		for (uint32_t j = 0; j < k; j++) {
			v->mpn[ppn + i + j] = w.mapped ? w.mpn + j : MPN_NONE;
			v->mapped[ppn + i + j] = (uint8_t)w.mapped;
		}
	}
}

void kvm_view_shootdown(struct kvm_view *v, uint32_t ppn, uint32_t old)
{
	if (v->mapped[ppn] == NOT_MAPPED || v->mpn[ppn] != old)
		return;
	/* A copy that is about to go, though the tables have it yet, sampled or not: its master has
	 * the same bytes. Anything else that is as the tables say is read-only, and stays. */
	if (want(v, ppn).mpn == old && frame_master(kvm_host.c->mem, old) != old) {
		v->mpn[ppn] = frame_master(kvm_host.c->mem, old);
		v->mapped[ppn] = MAPPED_READ;
		put_frames(v, ppn, 1, v->mpn[ppn], false);
		return;
	}
	kvm_view_update(v, ppn, 1);
}

void kvm_view_clear(struct kvm_view *v, uint32_t ppn, uint32_t n)
{
	bool any = false;

	for (uint32_t i = ppn; i < ppn + n && !any; i++)
		any = v->mapped[i] != NOT_MAPPED;
	if (!any)
		return;
	put_nothing(v, ppn, n);
	memset(v->mapped + ppn, NOT_MAPPED, n);
}

uint32_t kvm_view_sample(struct kvm_view *v, uint32_t ppn, uint32_t n)
{
	uint32_t sampled = 0;

	for (uint32_t i = ppn, k; i < ppn + n; i += k) {
		for (k = 0; i + k < ppn + n && present(v, i + k); k++)
			v->mapped[i + k] = SAMPLED;
		if (k) {
			watch(v, i, k, UFFDIO_REGISTER_MODE_WP | UFFDIO_REGISTER_MODE_MINOR);
			if (madvise((void *)(uintptr_t)at(v, i), (size_t)k << PAGE_SHIFT,
				    MADV_DONTNEED))
				die("%u pages of %s cannot be sampled: %s", k, v->vm->name,
					strerror(errno));
		}
		sampled += k;
		k += !k;
	}
	return sampled;
}

void kvm_view_restore(struct kvm_view *v, uint32_t ppn)
{
	struct uffdio_continue c = {
		.range = {at(v, ppn), PAGE_SIZE}, .mode = UFFDIO_CONTINUE_MODE_DONTWAKE};
	struct want w = want(v, ppn);

	/* One that nobody may store to would lose its protection here. A frame that was not even
	 * touched so far cannot be continued with, either. */
	if (v->mapped[ppn] == SAMPLED && v->mpn[ppn] == w.mpn && w.mapped == MAPPED_WRITE &&
		!ioctl(kvm_host.uffd, UFFDIO_CONTINUE, &c)) {
		v->mapped[ppn] = MAPPED_WRITE;
		return;
	}
	v->mapped[ppn] = SAMPLED;
	kvm_view_update(v, ppn, 1);
}

void kvm_view_unsample(struct kvm_view *v, uint32_t ppn, uint32_t n)
{
	for (uint32_t i = ppn; i < ppn + n; i++)
		if (v->mapped[i] != NOT_MAPPED)
			v->mapped[i] = SAMPLED;
	kvm_view_update(v, ppn, n);
}

void kvm_view_abandon(struct kvm_view *v, uint32_t ppn)
{
	map_at((void *)(uintptr_t)at(v, ppn), 1, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	v->mapped[ppn] = NOT_MAPPED;
}

void kvm_view_protect(struct kvm_view *v, uint32_t ppn)
{
	if (v->mapped[ppn] != MAPPED_WRITE && v->mapped[ppn] != SAMPLED)
		return;
	protect(v, ppn, 1, true);
	v->mapped[ppn] = MAPPED_READ;
	v->vm->e->protects++;
}

void kvm_view_wake(struct kvm_view *v, uint32_t ppn, uint32_t n)
{
	struct uffdio_range range = {at(v, ppn), (uint64_t)n << PAGE_SHIFT};

	if (ioctl(kvm_host.uffd, UFFDIO_WAKE, &range))
		die("userfaultfd: %s cannot be woken: %s", v->vm->name, strerror(errno));
}

static void add_slot(
	const struct kvm_view *v, unsigned slot, uint64_t pa, uint64_t offset, uint64_t bytes)
{
	struct kvm_userspace_memory_region r = {.slot = slot,
		.guest_phys_addr = pa,
		.memory_size = bytes,
		.userspace_addr = at(v, 0) + offset};

	if (bytes && ioctl(v->fd, KVM_SET_USER_MEMORY_REGION, &r))
		die("KVM: %s gets no memory: %s", v->vm->name, strerror(errno));
}

void kvm_view_create(struct kvm_view *v, struct vm *vm, int fd, unsigned node)
{
	const struct board *b = vm->board;
	uint64_t low = MIN(vm->ram_bytes, b->ram_gap - b->ram_base), skip;

	*v = (struct kvm_view){.vm = vm, .fd = fd, .node = node};
	v->n_pages = (uint32_t)(vm->ram_bytes >> PAGE_SHIFT);
	v->mpn = lazy_alloc(v->n_pages * sizeof(v->mpn[0]));
	v->mapped = lazy_alloc(v->n_pages);
	v->base = mmap(NULL, vm->ram_bytes + HUGE_BYTES, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (v->base == MAP_FAILED)
		die("no address space for the memory of %s: %s", vm->name, strerror(errno));
	/* Runs of frames begin at multiples of a huge page; so must what is mapped to them. */
	skip = -(uint64_t)(uintptr_t)v->base % HUGE_BYTES;
	if (skip)
		munmap(v->base, skip);
	v->base += skip;
	munmap(v->base + vm->ram_bytes, HUGE_BYTES - skip);
	put_nothing(v, 0, v->n_pages);
	add_slot(v, 0, b->ram_base, 0, low);
	add_slot(v, 1, b->ram_high, low, vm->ram_bytes - low);
}

void kvm_view_destroy(struct kvm_view *v)
{
	munmap(v->base, (size_t)v->n_pages << PAGE_SHIFT);
	lazy_free(v->mpn, v->n_pages * sizeof(v->mpn[0]));
	lazy_free(v->mapped, v->n_pages);
}

uint64_t kvm_vmas(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	uint64_t n = 0;
	int ch;

	while (f && (ch = getc(f)) != EOF)
		n += ch == '\n';
	if (f)
		fclose(f);
	return n;
}

uint64_t kvm_huge_bytes(void)
{
	FILE *f = fopen("/proc/self/smaps_rollup", "r");
	unsigned long long kb = 0;
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "ShmemPmdMapped: %llu", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb * 1024;
}

uint64_t kvm_vmas_max(void)
{
	FILE *f = fopen("/proc/sys/vm/max_map_count", "r");
	unsigned long long n = 65530;

	if (f) {
		if (fscanf(f, "%llu", &n) != 1)
			n = 65530;
		fclose(f);
	}
	return n;
}
