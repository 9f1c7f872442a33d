// SPDX-License-Identifier: MIT
/*
 * cluster_check(), which --check-invariants calls, finds what is wrong. Two VMs of the simulated
 * engine with the memory system modelled, a shared disk read and written; all is well; then one
 * thing is made wrong in a child process, which must end with a line that says so.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "numa/memory/memmap.h"
#include "numa/memory/move.h"
#include "sharing/disk.h"
#include "tests/dies.h"
#include "tests/sim-vm.h"

enum {
	OWN = 3,
	READ = 5,
	WRITTEN = 6,
	UNTOUCHED = 9,
	BLOCKS = 16
}; /* pages of VM 0; blocks of the disk */

static char path[] = "/tmp/test-invariants-XXXXXX";
static struct disk *disk[2];

static void transfer(unsigned v, bool write, uint32_t ppn, unsigned block)
{
	struct disk_segment seg = {(uint64_t)ppn << PAGE_SHIFT, PAGE_SIZE};
	int (*f)(struct disk *, struct pmap *, unsigned, uint64_t, const struct disk_segment *,
		unsigned) = write ? disk_write : disk_read;

	ck_assert_int_eq(f(disk[v], sim.vm[v]->pmap, 0, block * 8, &seg, 1), 0);
}

static void load(unsigned v, uint32_t ppn)
{
	uint64_t value;

	ck_assert_int_eq(do_load(sim.vm[v]->vcpu[0].sim,
				 VM_RAM_BASE + ((uint64_t)ppn << PAGE_SHIFT), 8, &value),
		DONE);
}

static void store(unsigned v, uint32_t ppn)
{
	ck_assert_int_eq(
		do_store(sim.vm[v]->vcpu[0].sim, VM_RAM_BASE + ((uint64_t)ppn << PAGE_SHIFT), 8, 1),
		DONE);
}

static void setup(void)
{
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, BLOCKS << PAGE_SHIFT), 0);
	close(fd);
	sim_create(2);
	sim_machine.l1i = sim_machine.l1d = (struct machine_cache){32 << 10, 32, 2};
	sim_machine.l2 = (struct machine_cache){256 << 10, 128, 2};
	sim_machine.tlb_entries = 64;
	sim_machine.tlb_pages = 1;
	memory_share_zero(sim.mem);
	sim.images = image_cache_create(sim.mem);
	for (unsigned v = 0; v < 2; v++) {
		struct sim_vcpu *cpu = sim_vm(1, true)->vcpu[0].sim;

		ck_assert_int_eq(
			disk_open(sim.images, path, DISK_SHARED, OWNER_DISK | v, &disk[v]), 0);
		transfer(v, false, READ, READ);
		cpu->picked = cpu->placed = true;
		sim.vm[v]->vcpu[0].cpu = sim.vm[v]->vcpu[0].home = cpu->node = v;
	}
	sim.numa = true;
	numa_follow(&sim);
	for (unsigned v = 0; v < 2; v++) {
		store(v, OWN);
		load(v, READ);
		store(v, WRITTEN);
		transfer(v, true, WRITTEN, WRITTEN);
		load(v, WRITTEN);
	}
	cluster_check(&sim);
}

static void teardown(void)
{
	disk_close(disk[0]);
	disk_close(disk[1]);
	image_cache_destroy(sim.images);
	sim_destroy();
	memsys_destroy(sim.memsys);
	unlink(path);
}

/* ---- what can be wrong */

static struct sim_vcpu *cpu0(void)
{
	return sim.vm[0]->vcpu[0].sim;
}

static uint32_t frame_at(uint32_t ppn)
{
	return pmap_entry(sim.vm[0]->pmap, ppn)->mpn;
}

static struct tlb_entry *tlb_at(uint32_t ppn)
{
	struct tlb_entry *e = &cpu0()->tlb[((VM_RAM_BASE >> PAGE_SHIFT) + ppn) & (TLB_ENTRIES - 1)];

	ck_assert_ptr_eq(e->host, frame_data(sim.mem, frame_at(ppn)));
	return e;
}

/* The user of a frame that is an image or a disk. */
static struct frame_user file_user(uint32_t mpn, uint32_t mask)
{
	for (uint32_t i = 0; i < frame_users(sim.mem, mpn); i++)
		if ((frame_user(sim.mem, mpn, i).owner & 0xc0000000) == mask)
			return frame_user(sim.mem, mpn, i);
	ck_abort_msg("frame %u has no such user", mpn);
}

static void nothing(void)
{
}

static void tlb_leads_elsewhere(void)
{
	struct tlb_entry *e = tlb_at(OWN);

	e->host += (pmap_entry(sim.vm[1]->pmap, OWN)->mpn - (int64_t)frame_at(OWN)) * PAGE_SIZE;
	e->addend = (uintptr_t)e->host - e->read_tag;
}

static void tlb_leads_nowhere(void)
{
	struct tlb_entry *e = tlb_at(OWN);

	e->host = cpu0()->ram - PAGE_SIZE;
	e->addend = (uintptr_t)e->host - e->read_tag;
}

static void tlb_may_write(void)
{
	struct tlb_entry *e = tlb_at(READ);

	ck_assert_uint_eq(e->write_tag, TLB_NONE);
	e->write_tag = e->read_tag;
}

static void tlb_contradicts_itself(void)
{
	tlb_at(OWN)->addend += 8;
}

/* VM 0's CPU has read a page that has no frame, and is on the other node now: the zeroes it goes on
 * reading are those of the node it left. */
static void zeroes_of_the_node_before(void)
{
	load(0, UNTOUCHED);
	ck_assert_ptr_eq(
		cpu0()->tlb[((VM_RAM_BASE >> PAGE_SHIFT) + UNTOUCHED) & (TLB_ENTRIES - 1)].host,
		frame_data(sim.mem, sim.mem->zero[0]));
	cluster_check(&sim);
	cpu0()->node = 1;
}

/* Without the model a move leaves the TLB as it is. */
static void vcpu_moved_in_functional_fidelity(void)
{
	sim.numa = false;
	numa_follow(&sim);
	ck_assert_ptr_null(cpu0()->model);
	zeroes_of_the_node_before();
}

/* With it, the move should have emptied the TLB. */
static void vcpu_moved_with_its_tlb(void)
{
	zeroes_of_the_node_before();
}

/* A shootdown that did not happen: node 1 has a copy now, and its CPU goes on using the master. */
static void tlb_missed_a_move(void)
{
	struct sim_vcpu *cpu = sim.vm[1]->vcpu[0].sim;
	struct tlb_entry *e = &cpu->tlb[((VM_RAM_BASE >> PAGE_SHIFT) + READ) & (TLB_ENTRIES - 1)];
	struct tlb_entry before = *e;

	ck_assert_int_eq(page_replicate(sim.mem, frame_at(READ), 1, NULL), 0);
	cluster_check(&sim);
	*e = before;
}

static void code_leads_elsewhere(void)
{
	cpu0()->code[0] = (struct code_entry){
		VM_RAM_BASE, cpu0()->context, (frame_at(OWN) + 1000ull) << PAGE_SHIFT};
}

static void page_is_used_twice(void)
{
	frame_add_user(sim.mem, frame_at(READ), (struct frame_user){0, 77});
}

static void page_is_not_known(void)
{
	frame_del_user(sim.mem, frame_at(READ), (struct frame_user){0, READ});
}

static void owner_is_not_known(void)
{
	frame_add_user(sim.mem, frame_at(READ), (struct frame_user){12345, 1});
}

static void frame_is_of_another_kind(void)
{
	frame_set_kind(sim.mem, frame_at(OWN), FRAME_TEXT);
}

static void frames_are_miscounted(void)
{
	sim.mem->p->pool[1].kind[FRAME_PRIVATE]++;
}

static void block_is_used_twice(void)
{
	struct frame_user u = file_user(frame_at(READ), 0x80000000);

	u.page++;
	frame_add_user(sim.mem, frame_at(READ), u);
}

static void block_is_not_known(void)
{
	frame_del_user(sim.mem, frame_at(READ), file_user(frame_at(READ), 0x80000000));
}

static void modified_block_is_not_known(void)
{
	frame_del_user(sim.mem, frame_at(WRITTEN), file_user(frame_at(WRITTEN), 0xc0000000));
}

static void private_page_has_no_owner(void)
{
	memsys_own(sim.memsys, frame_at(OWN), MEMSYS_NO_TASK);
}

static void shared_page_has_an_owner(void)
{
	memsys_own(sim.memsys, frame_at(READ), 0);
}

static void line_is_in_the_l1_alone(void)
{
	struct memsys_cache *l1d = &memsys_cpu(sim.memsys, 0)->l1d;

	l1d->first[5] = 5ull << l1d->shift;
}

static const struct fault {
	const char *name;
	void (*plant)(void);
	const char *said; /* NULL: nothing is wrong */
} faults[] = {
	{"nothing", nothing, NULL},
	{"vcpu_moved_in_functional_fidelity", vcpu_moved_in_functional_fidelity, NULL},
	{"vcpu_moved_with_its_tlb", vcpu_moved_with_its_tlb, "in which no page of this VM is"},
	{"tlb_leads_elsewhere", tlb_leads_elsewhere, "in which no page of this VM is"},
	{"tlb_leads_nowhere", tlb_leads_nowhere, "in which no page of this VM is"},
	{"tlb_may_write", tlb_may_write, "is read-only"},
	{"tlb_contradicts_itself", tlb_contradicts_itself, "contradicts itself"},
	{"tlb_missed_a_move", tlb_missed_a_move, "for node 1"},
	{"code_leads_elsewhere", code_leads_elsewhere, "the table of code pages"},
	{"page_is_used_twice", page_is_used_twice, "owner 0 has"},
	{"page_is_not_known", page_is_not_known, "pmap 0: page 5"},
	{"owner_is_not_known", owner_is_not_known, "unknown"},
	{"frame_is_of_another_kind", frame_is_of_another_kind, "may write to frame"},
	{"frames_are_miscounted", frames_are_miscounted, "counted"},
	{"block_is_used_twice", block_is_used_twice, "owner 0x8"},
	{"block_is_not_known", block_is_not_known, "image /tmp"},
	{"modified_block_is_not_known", modified_block_is_not_known, "disk /tmp"},
	{"private_page_has_no_owner", private_page_has_no_owner, "takes it for task 0xffff's"},
	{"shared_page_has_an_owner", shared_page_has_an_owner, "takes it for task 0's"},
	{"line_is_in_the_l1_alone", line_is_in_the_l1_alone, "the L2 does not"},
};

static void plant_and_check(void *fault)
{
	((const struct fault *)fault)->plant();
	cluster_check(&sim);
}

START_TEST(each_fault_is_found_and_named)
{
	struct fault f = faults[_i];

	dies(f.name, plant_and_check, &f, f.said);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("invariants");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, each_fault_is_found_and_named, 0, (int)ARRAY_SIZE(faults));
	suite_add_tcase(s, t);
	return run_suite(s);
}
