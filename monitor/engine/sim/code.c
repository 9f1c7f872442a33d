// SPDX-License-Identifier: MIT
/*
 * The cache of decoded blocks; why it is so is said in code.h. Blocks live in one arena per VM, are
 * found by a hash of their physical address, and are listed by page so that fence.i can drop those
 * of a rewritten page. Dropping never frees a block that is being executed: it only happens in
 * instructions that end a block, and memory is reused only when the whole arena is.
 */
#include <stdlib.h>
#include <string.h>

#include "monitor/engine/sim/code.h"
#include "monitor/engine/sim/mmu.h"

const void *exec_label[2][INSN_COUNT];

enum { BLOCK_BYTES_MAX = sizeof(struct block) + (BLOCK_MAX + 1) * sizeof(struct op) };

void code_init(struct vm *vm)
{
	struct sim_vm *evm = vm->sim;
	size_t pages = vm->ram_bytes >> PAGE_SHIFT;

	evm->arena = lazy_alloc(ARENA_BYTES);
	evm->hash = lazy_alloc(HASH_BUCKETS * sizeof(evm->hash[0]));
	evm->page_blocks = lazy_alloc(pages * sizeof(evm->page_blocks[0]));
	evm->page_code = lazy_alloc(pages);
}

void code_free(struct vm *vm)
{
	struct sim_vm *evm = vm->sim;
	size_t pages = vm->ram_bytes >> PAGE_SHIFT;

	lazy_free(evm->arena, ARENA_BYTES);
	lazy_free(evm->hash, HASH_BUCKETS * sizeof(evm->hash[0]));
	lazy_free(evm->page_blocks, pages * sizeof(evm->page_blocks[0]));
	lazy_free(evm->page_code, pages);
}

static struct block **bucket_of(struct sim_vm *evm, uint64_t va, uint64_t pa)
{
	uint64_t h = (pa >> 1) * 0x9e3779b97f4a7c15ull ^ (va >> 12);

	return &evm->hash[(h ^ h >> 29) & (HASH_BUCKETS - 1)];
}

/* Every link and jump entry of every hart becomes stale: a new generation for each. */
static void new_contexts(struct sim_vm *evm, struct vm *vm)
{
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		struct sim_vcpu *cpu = vm->vcpu[i].sim;

		cpu->context = ++evm->generation << 2 | (cpu->context & 3);
		cpu->fetch_page = FETCH_NONE;
	}
}

static void drop_all(struct sim_vm *evm, struct vm *vm)
{
	size_t pages = vm->ram_bytes >> PAGE_SHIFT;

	memset(evm->hash, 0, HASH_BUCKETS * sizeof(evm->hash[0]));
	for (size_t i = 0; i < pages; i++) {
		if (evm->page_code[i])
			evm->page_blocks[i] = 0;
		evm->page_code[i] = 0;
	}
	evm->arena_used = 0;
	evm->n_dirty = 0;
	evm->flushes++;
	new_contexts(evm, vm);
}

void code_drop_all(struct vm *vm)
{
	drop_all(vm->sim, vm);
}

static void drop_page(struct sim_vm *evm, uint32_t ppn)
{
	for (uint32_t at = evm->page_blocks[ppn]; at;) {
		struct block *b = (struct block *)(evm->arena + at - 1);
		struct block **p = bucket_of(evm, b->va, b->pa);

		while (*p && *p != b)
			p = &(*p)->hash_next;
		if (*p)
			*p = b->hash_next;
		at = b->page_next;
	}
	evm->page_blocks[ppn] = 0;
	evm->page_code[ppn] = 0;
}

void code_fence(struct sim_vm *evm, struct vm *vm)
{
	if (!evm->n_dirty)
		return;
	if (evm->n_dirty > ARRAY_SIZE(evm->dirty)) {
		drop_all(evm, vm);
		return;
	}
	for (unsigned i = 0; i < evm->n_dirty; i++)
		drop_page(evm, evm->dirty[i]);
	evm->n_dirty = 0;
	new_contexts(evm, vm);
}

/* The page now holds decoded code: stores to it must take the slow path once, to be seen. */
static void mark_code_page(struct sim_vcpu *cpu, uint32_t ppn)
{
	struct sim_vm *evm = cpu->evm;
	struct vm *vm = cpu->vm;
	const struct pmap_entry *e;

	if (evm->page_code[ppn])
		return;
	evm->page_code[ppn] = CODE_PRESENT;
	e = pmap_entry(vm->pmap, ppn);
	if (e->mpn == MPN_NONE)
		return;
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		tlb_forget_host(vm->vcpu[i].sim, frame_data(vm->cluster->mem, e->mpn), true);
}

static uint32_t ppn_of(uint64_t pa)
{
	return (uint32_t)((pa - VM_RAM_BASE) >> PAGE_SHIFT);
}

/*
 * Decode from (va, pa). An instruction that crosses the page's end is a block of its own that is
 * not kept: its second half is another page, with a mapping and a life of its own. Nor is one from
 * a page that PMP divides: each of its instructions is checked when it is fetched. NULL: the first
 * instruction could not be fetched, and the exception is pending.
 */
static struct block *decode_block(struct sim_vcpu *cpu, uint64_t va, uint64_t pa)
{
	struct sim_vm *evm = cpu->evm;
	struct block *b = (struct block *)(evm->arena + evm->arena_used);
	unsigned room = PAGE_SIZE - (va & (PAGE_SIZE - 1));
	unsigned off = 0, n = 0;
	enum insn insn = I_END;

	b->kept = pmp_uniform(cpu, pa);
	do {
		struct op *op = &b->op[n];
		uint16_t low = 0, high = 0;
		uint32_t word;
		unsigned bytes;

		if (!mem_code16(cpu, pa + off, &low)) {
			mem_fault(cpu, CAUSE_FETCH_ACCESS, va);
			return NULL;
		}
		bytes = (low & 3) == 3 ? 4 : 2;
		if (off + bytes > room) {
			uint64_t pa2;

			if (n)
				break; /* begins a block of its own */
			if (mem_fetch_pa(cpu, va + 2, &pa2))
				return NULL;
			if (!mem_code16(cpu, pa2, &high)) {
				mem_fault(cpu, CAUSE_FETCH_ACCESS, va + 2);
				return NULL;
			}
			b->kept = false;
		} else if (bytes == 4 && !mem_code16(cpu, pa + off + 2, &high)) {
			mem_fault(cpu, CAUSE_FETCH_ACCESS, va);
			return NULL;
		}
		word = bytes == 4 ? low | (uint32_t)high << 16 : decode_expand(low);
		insn = decode32(word, op);
		op->run = exec_label[evm->model][insn];
		op->off = off / 2;
		off += bytes;
		n++;
	} while (b->kept && !insn_ends_block(insn) && off < room && n < BLOCK_MAX);
	if (!insn_ends_block(insn)) {
		memset(&b->op[n], 0, sizeof(b->op[n]));
		b->op[n].run = exec_label[evm->model][I_END];
		b->op[n].off = off / 2;
	}
	b->va = va;
	b->pa = pa;
	b->n = n;
	b->bytes = off;
	b->span = MIN(off, room) - 1;
	for (unsigned i = 0; i < 2; i++)
		b->link[i] = (struct link){NULL, UINT64_MAX, UINT64_MAX};
	evm->decoded += n;
	return b;
}

struct block *code_lookup(struct sim_vcpu *cpu)
{
	struct sim_vm *evm = cpu->evm;
	uint64_t va = cpu->pc, pa;
	struct jump_entry *j = &cpu->jump[(va >> 1) & (JUMP_ENTRIES - 1)];
	struct block **head, *b;

	if (j->pc == va && j->context == cpu->context)
		return j->block;
	if (mem_fetch_pa(cpu, va, &pa))
		return NULL;
	head = bucket_of(evm, va, pa);
	for (b = *head; b; b = b->hash_next)
		if (b->pa == pa && b->va == va)
			break;
	if (!b) {
		if (evm->arena_used + BLOCK_BYTES_MAX > ARENA_BYTES)
			drop_all(evm, cpu->vm);
		b = decode_block(cpu, va, pa);
		if (!b || !b->kept)
			return b;
		mark_code_page(cpu, ppn_of(pa));
		evm->arena_used += sizeof(*b) + (b->n + 1u) * sizeof(b->op[0]);
		head = bucket_of(evm, va, pa);
		b->hash_next = *head;
		*head = b;
		b->page_next = evm->page_blocks[ppn_of(pa)];
		evm->page_blocks[ppn_of(pa)] = (uint32_t)((uint8_t *)b - evm->arena) + 1;
	}
	*j = (struct jump_entry){va, cpu->context, b};
	return b;
}
