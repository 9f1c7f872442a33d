// SPDX-License-Identifier: MIT
/*
 * Memslot mappings: see memslot.h. An absent page is a page of anonymous memory that userfaultfd
 * guards in missing mode; a present one is a page of a node's memfd. A page that may not be stored
 * to has both the right to write in the address space and userfaultfd's write protection, because a
 * store must wait in KVM for the handler and not fail.
 *
 * A new mapping has no rights until userfaultfd watches it. With rights a vCPU could do what the
 * handler must know of: store to a frame that others use, or make the kernel put a page of its own
 * where none is. An access in that moment makes KVM_RUN return EFAULT, and vcpu.c tries again once
 * the lock is free.
 *
 * Sampled pages remain mapped in the address space, but the page table forgets them, and
 * userfaultfd reports the next access (its minor mode). It does not report a page that was never
 * accessed, so a sampled page may be in use at any time: safety checks treat it as mapped.
 *
 * The kernel keeps one record (a VMA) for each run of pages that are neighbours in their memfd,
 * too; protected and unprotected pages of a run share it. One mmap() puts in neighbours with
 * neighbouring frames.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <linux/userfaultfd.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "monitor/engine/kvm/host.h"
#include "monitor/engine/kvm/memslot.h"
#include "monitor/vm/board.h"
#include "numa/util.h"

enum { HUGE_BYTES = 2 << 20 };

static uint64_t at(const struct kvm_memslots *slots, uint32_t ppn)
{
	return (uint64_t)(uintptr_t)slots->base + ((uint64_t)ppn << PAGE_SHIFT);
}

static void watch(const struct kvm_memslots *slots, uint32_t ppn, uint32_t n, uint64_t mode)
{
	struct uffdio_register r = {
		.range = {at(slots, ppn), (uint64_t)n << PAGE_SHIFT}, .mode = mode};

	if (ioctl(kvm_host_of(slots->vm)->uffd, UFFDIO_REGISTER, &r))
		die("userfaultfd: %u pages of %s cannot be watched: %s", n, slots->vm->name,
			strerror(errno));
}

static void protect(const struct kvm_memslots *slots, uint32_t ppn, uint32_t n, bool on)
{
	struct uffdio_writeprotect w = {.range = {at(slots, ppn), (uint64_t)n << PAGE_SHIFT},
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : UFFDIO_WRITEPROTECT_MODE_DONTWAKE};

	/* EAGAIN: another thread is changing the address space, and is done soon. */
	while (ioctl(kvm_host_of(slots->vm)->uffd, UFFDIO_WRITEPROTECT, &w))
		if (errno != EAGAIN)
			die("userfaultfd: %u pages of %s cannot be protected: %s", n,
				slots->vm->name, strerror(errno));
}

static void map_at(void *where, uint32_t n, int prot, int flags, int fd, uint64_t offset)
{
	if (mmap(where, (size_t)n << PAGE_SHIFT, prot, flags | MAP_FIXED | MAP_NORESERVE, fd,
		    (off_t)offset) == MAP_FAILED)
		die("%u pages of a VM cannot be mapped: %s%s", n, strerror(errno),
			errno == ENOMEM ? " (vm.max_map_count is too small for so many VMs)" : "");
}

static void allow(const struct kvm_memslots *slots, uint32_t ppn, uint32_t n)
{
	if (mprotect((void *)(uintptr_t)at(slots, ppn), (size_t)n << PAGE_SHIFT,
		    PROT_READ | PROT_WRITE))
		die("%u pages of %s cannot be given rights: %s", n, slots->vm->name,
			strerror(errno));
}

static void put_nothing(struct kvm_memslots *slots, uint32_t ppn, uint32_t n)
{
	map_at((void *)(uintptr_t)at(slots, ppn), n, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	watch(slots, ppn, n, UFFDIO_REGISTER_MODE_MISSING);
	allow(slots, ppn, n);
	slots->unmaps++;
}

/* n neighbouring frames from mpn on. */
static void put_frames(
	struct kvm_memslots *slots, uint32_t ppn, uint32_t n, uint32_t mpn, bool writable)
{
	void *where = (void *)(uintptr_t)at(slots, ppn);
	uint64_t offset;
	int fd = host_frame(kvm_host_of(slots->vm)->memory, slots->vm->cluster->mem, mpn, &offset);

	map_at(where, n, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, offset);
	watch(slots, ppn, n, UFFDIO_REGISTER_MODE_WP);
	if (!writable) {
		protect(slots, ppn, n, true);
		allow(slots, ppn, n);
	}
	slots->maps++;
}

/* What a page of the mapping has to be. */
struct want {
	uint32_t mpn;
	enum mapped mapped;
};

static struct want want(const struct kvm_memslots *slots, uint32_t ppn)
{
	bool writable;
	uint32_t mpn = pmap_entry(slots->vm->pmap, ppn)->mpn;

	if (mpn == MPN_NONE)
		return (struct want){MPN_NONE, NOT_MAPPED};
	mpn = pmap_view(slots->vm->cluster->mem, slots->vm->pmap, ppn, slots->node, &writable);
	return (struct want){mpn, writable ? MAPPED_WRITE : MAPPED_READ};
}

static bool present(const struct kvm_memslots *slots, uint32_t ppn)
{
	return slots->mapped[ppn] == MAPPED_READ || slots->mapped[ppn] == MAPPED_WRITE;
}

static bool is(const struct kvm_memslots *slots, uint32_t ppn, struct want w)
{
	return w.mapped == slots->mapped[ppn] && (!w.mapped || slots->mpn[ppn] == w.mpn);
}

/* Does `b`, k pages after `a`, continue a's run? Frames of two nodes are in two files. */
static bool follows(const struct memory *mem, struct want a, struct want b, uint32_t k)
{
	return a.mapped == b.mapped &&
	       (!a.mapped ||
		       (b.mpn == a.mpn + k && frame_node(mem, a.mpn) == frame_node(mem, b.mpn)));
}

void kvm_memslots_update(struct kvm_memslots *slots, uint32_t ppn, uint32_t n)
{
	const struct memory *mem = slots->vm->cluster->mem;

	for (uint32_t i = 0, k; i < n; i += k) {
		struct want w = want(slots, ppn + i);
		bool in_place = present(slots, ppn + i) && w.mapped && slots->mpn[ppn + i] == w.mpn;

		k = 1;
		if (is(slots, ppn + i, w))
			continue;
		if (!in_place)
			for (; i + k < n; k++) {
				struct want next = want(slots, ppn + i + k);

				if (is(slots, ppn + i + k, next) || !follows(mem, w, next, k))
					break;
			}
		if (in_place)
			protect(slots, ppn + i, 1, w.mapped == MAPPED_READ);
		else if (w.mapped)
			put_frames(slots, ppn + i, k, w.mpn, w.mapped == MAPPED_WRITE);
		else
			put_nothing(slots, ppn + i, k);
		for (uint32_t j = 0; j < k; j++) {
			slots->mpn[ppn + i + j] = w.mapped ? w.mpn + j : MPN_NONE;
			slots->mapped[ppn + i + j] = (uint8_t)w.mapped;
		}
	}
}

void kvm_memslots_shootdown(struct kvm_memslots *slots, uint32_t ppn, uint32_t old)
{
	if (slots->mapped[ppn] == NOT_MAPPED || slots->mpn[ppn] != old)
		return;
	/* `old` is a replica that is about to be freed, though the pmap still names it, sampled or
	 * not: its master has the same bytes. Any other page that agrees with the pmap is
	 * read-only, and stays. */
	if (want(slots, ppn).mpn == old && frame_master(slots->vm->cluster->mem, old) != old) {
		slots->mpn[ppn] = frame_master(slots->vm->cluster->mem, old);
		slots->mapped[ppn] = MAPPED_READ;
		put_frames(slots, ppn, 1, slots->mpn[ppn], false);
		return;
	}
	kvm_memslots_update(slots, ppn, 1);
}

void kvm_memslots_clear(struct kvm_memslots *slots, uint32_t ppn, uint32_t n)
{
	bool any = false;

	for (uint32_t i = ppn; i < ppn + n && !any; i++)
		any = slots->mapped[i] != NOT_MAPPED;
	if (!any)
		return;
	put_nothing(slots, ppn, n);
	memset(slots->mapped + ppn, NOT_MAPPED, n);
}

uint32_t kvm_memslots_sample(struct kvm_memslots *slots, uint32_t ppn, uint32_t n)
{
	uint32_t sampled = 0;

	for (uint32_t i = ppn, k; i < ppn + n; i += k) {
		for (k = 0; i + k < ppn + n && present(slots, i + k); k++)
			slots->mapped[i + k] = SAMPLED;
		if (k) {
			watch(slots, i, k, UFFDIO_REGISTER_MODE_WP | UFFDIO_REGISTER_MODE_MINOR);
			if (madvise((void *)(uintptr_t)at(slots, i), (size_t)k << PAGE_SHIFT,
				    MADV_DONTNEED))
				die("%u pages of %s cannot be sampled: %s", k, slots->vm->name,
					strerror(errno));
		}
		sampled += k;
		k += !k;
	}
	return sampled;
}

void kvm_memslots_restore(struct kvm_memslots *slots, uint32_t ppn)
{
	struct uffdio_continue c = {
		.range = {at(slots, ppn), PAGE_SIZE}, .mode = UFFDIO_CONTINUE_MODE_DONTWAKE};
	struct want w = want(slots, ppn);

	/* UFFDIO_CONTINUE would remove a page's write protection. It also fails for a frame that was
	 * never accessed. */
	if (slots->mapped[ppn] == SAMPLED && slots->mpn[ppn] == w.mpn && w.mapped == MAPPED_WRITE &&
		!ioctl(kvm_host_of(slots->vm)->uffd, UFFDIO_CONTINUE, &c)) {
		slots->mapped[ppn] = MAPPED_WRITE;
		return;
	}
	slots->mapped[ppn] = SAMPLED;
	kvm_memslots_update(slots, ppn, 1);
}

void kvm_memslots_unsample(struct kvm_memslots *slots, uint32_t ppn, uint32_t n)
{
	for (uint32_t i = ppn; i < ppn + n; i++)
		if (slots->mapped[i] != NOT_MAPPED)
			slots->mapped[i] = SAMPLED;
	kvm_memslots_update(slots, ppn, n);
}

void kvm_memslots_abandon(struct kvm_memslots *slots, uint32_t ppn)
{
	map_at((void *)(uintptr_t)at(slots, ppn), 1, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	slots->mapped[ppn] = NOT_MAPPED;
}

void kvm_memslots_protect(struct kvm_memslots *slots, uint32_t ppn)
{
	if (slots->mapped[ppn] != MAPPED_WRITE && slots->mapped[ppn] != SAMPLED)
		return;
	protect(slots, ppn, 1, true);
	slots->mapped[ppn] = MAPPED_READ;
	slots->protects++;
}

void kvm_memslots_wake(struct kvm_memslots *slots, uint32_t ppn, uint32_t n)
{
	struct uffdio_range range = {at(slots, ppn), (uint64_t)n << PAGE_SHIFT};

	if (ioctl(kvm_host_of(slots->vm)->uffd, UFFDIO_WAKE, &range))
		die("userfaultfd: %s cannot be woken: %s", slots->vm->name, strerror(errno));
}

static void add_slot(const struct kvm_memslots *slots, int fd, unsigned slot, uint64_t pa,
	uint64_t offset, uint64_t bytes)
{
	struct kvm_userspace_memory_region r = {.slot = slot,
		.guest_phys_addr = pa,
		.memory_size = bytes,
		.userspace_addr = at(slots, 0) + offset};

	if (bytes && ioctl(fd, KVM_SET_USER_MEMORY_REGION, &r))
		die("KVM: %s gets no memory: %s", slots->vm->name, strerror(errno));
}

void kvm_memslots_create(struct kvm_memslots *slots, struct vm *vm, int fd, unsigned node)
{
	const struct board *b = vm->board;
	uint64_t low = MIN(vm->ram_bytes, b->ram_gap - b->ram_base), skip;

	*slots = (struct kvm_memslots){.vm = vm, .node = node};
	slots->n_pages = (uint32_t)(vm->ram_bytes >> PAGE_SHIFT);
	slots->mpn = lazy_alloc(slots->n_pages * sizeof(slots->mpn[0]));
	slots->mapped = lazy_alloc(slots->n_pages);
	slots->base = mmap(NULL, vm->ram_bytes + HUGE_BYTES, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (slots->base == MAP_FAILED)
		die("no address space for the memory of %s: %s", vm->name, strerror(errno));
	/* Runs of frames begin at multiples of a huge page; so must their mapping. */
	skip = -(uint64_t)(uintptr_t)slots->base % HUGE_BYTES;
	if (skip)
		munmap(slots->base, skip);
	slots->base += skip;
	munmap(slots->base + vm->ram_bytes, HUGE_BYTES - skip);
	put_nothing(slots, 0, slots->n_pages);
	add_slot(slots, fd, 0, b->ram_base, 0, low);
	add_slot(slots, fd, 1, b->ram_high, low, vm->ram_bytes - low);
}

void kvm_memslots_destroy(struct kvm_memslots *slots)
{
	munmap(slots->base, (size_t)slots->n_pages << PAGE_SHIFT);
	lazy_free(slots->mpn, slots->n_pages * sizeof(slots->mpn[0]));
	lazy_free(slots->mapped, slots->n_pages);
}

void kvm_memslots_check(const struct kvm_memslots *slots)
{
	const struct memory *mem = slots->vm->cluster->mem;

	for (uint32_t ppn = 0; ppn < slots->n_pages; ppn++) {
		bool writable;
		uint32_t mpn;

		if (!present(slots, ppn))
			continue;
		mpn = pmap_view(mem, slots->vm->pmap, ppn, slots->node, &writable);
		if (mpn != slots->mpn[ppn] || (slots->mapped[ppn] == MAPPED_WRITE && !writable))
			die("memslot mapping of %s: page %u is frame %u%s, but the pmap says %u%s",
				slots->vm->name, ppn, slots->mpn[ppn],
				slots->mapped[ppn] == MAPPED_WRITE ? ", writable" : "", mpn,
				writable ? ", writable" : "");
	}
}
