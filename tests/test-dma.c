// SPDX-License-Identifier: MIT
/*
 * What devices and the monitor do to memory, as the memory-system model sees it. What devices write
 * leaves the caches, what they read becomes shared, in both phases, of a VM's own pages and of
 * pages that VMs share; the home's memory serves it; each line counts; and in functional fidelity
 * nothing does. What the monitor zeroes and copies, the CPU's caches have; whom it interrupts,
 * pays.
 */
#include <unistd.h>

#include "monitor/vm/counts.h"
#include "monitor/vm/device.h"
#include "numa/memory/move.h"
#include "sharing/disk.h"
#include "tests/sim-vm.h"

enum { LINE = 64, DEVICE_PA = 0x10000000, OWN_PAGE = 16, SHARED_PAGE = 17 };

static struct vm *vm;
static unsigned asked; /* stores to the device so far */
static bool quiet;     /* it does nothing else */

static uint64_t read_nothing(struct device *d, struct vcpu *v, uint64_t offset, unsigned size)
{
	(void)d, (void)v, (void)offset, (void)size;
	return 0;
}

/* Reads a line of the shared page and writes the first of the VM's own. */
static void transfer(
	struct device *d, struct vcpu *v, uint64_t offset, unsigned size, uint64_t value)
{
	uint64_t shared;

	(void)v, (void)offset, (void)size, (void)value;
	asked++;
	if (quiet)
		return;
	ck_assert(!d->vm->cluster->mem->boundary);
	ck_assert_int_eq(gm_read64(d->vm, VM_RAM_BASE + SHARED_PAGE * PAGE_SIZE, &shared), 0);
	ck_assert_uint_eq(shared, 7);
	ck_assert_int_eq(gm_write64(d->vm, VM_RAM_BASE + OWN_PAGE * PAGE_SIZE, asked), 0);
}

static void destroy(struct device *d)
{
	(void)d;
}

static const struct device_ops ops = {
	.type = "copier", .read = read_nothing, .write = transfer, .destroy = destroy};
static struct device device = {.ops = &ops, .base = DEVICE_PA, .size = 4096};

/* Load the own page's first line, tell the device, again and again. */
static const uint32_t loop[] = {
	0x00053283, /* ld t0,0(a0) */
	0x0055b023, /* sd t0,0(a1) */
	0x00150513, /* addi a0,a0,1 */
	0xfff50513, /* addi a0,a0,-1 */
	0xff1ff06f, /* j .-16 */
};

static void run_for(uint64_t cycles)
{
	sim.stop_at = sim.now + cycles;
	ck_assert_int_eq(sim.engine->run(&sim), 0);
	sim.mem->boundary = true;
}

static void setup(void)
{
	sim_create(2);
	sim_machine.l1i = sim_machine.l1d = (struct machine_cache){1024, LINE, 2};
	sim_machine.l2 = (struct machine_cache){16 << 10, LINE, 2};
	sim_machine.tlb_entries = 16;
	sim_machine.tlb_pages = 1;
	sim_machine.l2_hit_ns = 50;
	sim.numa = true;
	asked = 0;
	quiet = false;
	vm = sim_vm(1, false);
	device.vm = vm;
	device_attach(vm, &device);
	put_code(vm, VM_RAM_BASE, loop, ARRAY_SIZE(loop));
	vm->vcpu[0].sim->x[10] = VM_RAM_BASE + OWN_PAGE * PAGE_SIZE;
	vm->vcpu[0].sim->x[11] = DEVICE_PA;
	put64(vm, VM_RAM_BASE + OWN_PAGE * PAGE_SIZE, 1);
	put64(vm, VM_RAM_BASE + SHARED_PAGE * PAGE_SIZE, 7);
	/* Another VM has the shared page too. */
	pmap_share_in(sim_vm(1, false)->pmap, SHARED_PAGE, pmap_share_out(vm->pmap, SHARED_PAGE, 0),
		FRAME_PRIVATE);
	vm_power_off(sim.vm[1], 0);
}

static void teardown(void)
{
	memsys_check(sim.memsys);
	sim_destroy();
	memsys_destroy(sim.memsys);
}

static uint64_t ma_of(uint32_t ppn)
{
	return (uint64_t)pmap_entry(vm->pmap, ppn)->mpn << PAGE_SHIFT;
}

static const struct memsys_counts *counted(void)
{
	return memsys_counts(sim.memsys, vm->vcpu[0].cpu);
}

START_TEST(a_device_in_the_run_phase)
{
	run_for(100 * 1000);
	ck_assert_uint_gt(asked, 50);
	ck_assert_uint_eq(counted()->dma_reads, asked);
	ck_assert_uint_eq(counted()->dma_writes, asked);
	/* Each time the line is gone, and read from memory again. */
	ck_assert_uint_ge(counted()->local, asked - 1);
	ck_assert_uint_lt(counted()->local, asked + 20);
	ck_assert_uint_ge(counted()->invalidations, asked - 1);
}
END_TEST

START_TEST(without_the_device_the_line_stays)
{
	quiet = true;
	run_for(100 * 1000);
	ck_assert_uint_gt(asked, 50);
	ck_assert_uint_eq(counted()->dma_reads + counted()->dma_writes, 0);
	ck_assert_uint_lt(counted()->local, 20);
}
END_TEST

START_TEST(a_device_at_the_boundary)
{
	unsigned cpu = vm->vcpu[0].cpu;
	uint64_t pa = VM_RAM_BASE + OWN_PAGE * PAGE_SIZE, ma = ma_of(OWN_PAGE), v;
	uint8_t bytes[3 * LINE] = {9};
	struct memsys_counts before;
	struct memsys_home home;

	quiet = true;
	run_for(100 * 1000);
	memsys_data(memsys_cpu(sim.memsys, cpu), ma, true);
	ck_assert_int_eq(memsys_state(sim.memsys, cpu, ma), LINE_MODIFIED);
	before = *counted();

	/* Not a device's look: nothing happens. */
	ck_assert_int_eq(gm_peek64(vm, pa, &v), 0);
	ck_assert_int_eq(memsys_state(sim.memsys, cpu, ma), LINE_MODIFIED);
	ck_assert_int_eq(gm_touch(vm, pa, PAGE_SIZE, true), 0);
	ck_assert_int_eq(memsys_state(sim.memsys, cpu, ma), LINE_MODIFIED);

	ck_assert_int_eq(gm_read64(vm, pa, &v), 0);
	ck_assert_int_eq(memsys_state(sim.memsys, cpu, ma), LINE_SHARED);
	ck_assert_uint_eq(counted()->dma_reads, before.dma_reads + 1);
	ck_assert_uint_eq(counted()->write_backs, before.write_backs + 1);

	/* Three lines' length from the middle of one: four lines. */
	ck_assert_int_eq(gm_write(vm, pa + LINE / 2, bytes, sizeof(bytes)), 0);
	ck_assert_int_eq(memsys_state(sim.memsys, cpu, ma), LINE_INVALID);
	ck_assert_uint_eq(counted()->dma_writes, before.dma_writes + 4);
	ck_assert_int_eq(gm_zero(vm, pa, PAGE_SIZE), 0);
	ck_assert_uint_eq(counted()->dma_writes, before.dma_writes + 4 + PAGE_SIZE / LINE);

	/* The home's memory served all that, and the line written back; none from afar. */
	home = memsys_home(sim.memsys, frame_node(sim.mem, (uint32_t)(ma >> PAGE_SHIFT)));
	run_for(10 * 1000);
	v = memsys_home(sim.memsys, frame_node(sim.mem, (uint32_t)(ma >> PAGE_SHIFT))).requests;
	ck_assert_uint_ge(v - home.requests, 1 + 1 + 4 + PAGE_SIZE / LINE);
	ck_assert_uint_eq(memsys_home(sim.memsys, frame_node(sim.mem, (uint32_t)(ma >> PAGE_SHIFT)))
				  .remote_requests,
		home.remote_requests);
}
END_TEST

START_TEST(functional_fidelity_counts_nothing)
{
	uint64_t v;

	run_for(50 * 1000);
	ck_assert_uint_gt(counted()->dma_reads, 0);
	sim.numa = false;
	run_for(50 * 1000);
	v = counted()->dma_reads;
	asked = 0;
	run_for(50 * 1000);
	ck_assert_uint_gt(asked, 50);
	ck_assert_uint_eq(counted()->dma_reads, v);
	ck_assert_ptr_null(sim.mem->dma);
	sim.numa = true;
	run_for(50 * 1000);
	ck_assert_uint_gt(counted()->dma_reads, v);
}
END_TEST

/* ---- the monitor's own copies */

/* One store in each page from a0 up to a1, then jump in place. */
static const uint32_t touch[] = {
	0x00053023, /* sd zero,0(a0) */
	0x00c50533, /* add a0,a0,a2 */
	0xfeb54ce3, /* blt a0,a1,.-8 */
	0x0000006f, /* j . */
};

static void touch_pages(unsigned first, unsigned n)
{
	struct sim_vcpu *cpu = vm->vcpu[0].sim;

	put_code(vm, VM_RAM_BASE, touch, ARRAY_SIZE(touch));
	cpu->x[10] = VM_RAM_BASE + first * PAGE_SIZE;
	cpu->x[11] = VM_RAM_BASE + (first + n) * PAGE_SIZE;
	cpu->x[12] = PAGE_SIZE;
}

/* Each line once, and the guest's own store. */
START_TEST(the_monitor_zeroes_pages_by_its_cpu)
{
	enum { PAGES = 20 };

	touch_pages(32, PAGES);
	run_for(1000 * 1000);
	ck_assert_uint_eq(counted()->writes, PAGES * (PAGE_SIZE / LINE + 1));
	/* The code's line is replaced now and then. */
	ck_assert_uint_gt(counted()->local, PAGES * PAGE_SIZE / LINE);
	ck_assert_uint_le(counted()->local, PAGES * (PAGE_SIZE / LINE + 1));
	ck_assert_int_eq(
		memsys_state(sim.memsys, vm->vcpu[0].cpu, ma_of(32 + PAGES - 1) + PAGE_SIZE - LINE),
		LINE_MODIFIED);
	ck_assert_uint_ge(vm->vcpu[0].sim->skew,
		counts_stall(counted()) + PAGES * PAGE_SIZE / 8); /* all of it was charged */
}
END_TEST

START_TEST(the_monitor_copies_pages_by_its_cpu)
{
	uint64_t old = ma_of(SHARED_PAGE), new;
	unsigned cpu = vm->vcpu[0].cpu;

	touch_pages(SHARED_PAGE, 1);
	run_for(100 * 1000);
	new = ma_of(SHARED_PAGE);
	ck_assert_uint_ne(old, new);
	ck_assert_uint_eq(counted()->reads, PAGE_SIZE / LINE);
	ck_assert_uint_eq(counted()->writes, PAGE_SIZE / LINE + 1);
	ck_assert_int_eq(memsys_state(sim.memsys, cpu, old + PAGE_SIZE - LINE), LINE_SHARED);
	ck_assert_int_eq(memsys_state(sim.memsys, cpu, new + PAGE_SIZE - LINE), LINE_MODIFIED);
	ck_assert_uint_eq(memsys_frame_writes(sim.memsys, (uint32_t)(new >> PAGE_SHIFT)), 0);
	ck_assert_uint_eq(get64(vm, VM_RAM_BASE + SHARED_PAGE * PAGE_SIZE), 0);
}
END_TEST

/* ---- shootdowns */

static const uint32_t spin[] = {0x0000006f}; /* j . */

/* A VM of two harts: the first stores once to a copy-on-write page, the second spins. */
static void two_harts(void)
{
	sim_create(3);
	sim_machine.cost.shootdown = 70;
	sim_machine.cost.shootdown_interrupted = 500;
	vm = sim_vm(2, true);
	touch_pages(SHARED_PAGE, 1);
	put_code(vm, VM_RAM_BASE + PAGE_SIZE, spin, ARRAY_SIZE(spin));
	vm->vcpu[1].sim->pc = VM_RAM_BASE + PAGE_SIZE;
}

START_TEST(a_store_that_copies_interrupts_the_other_harts)
{
	two_harts();
	run_for(50 * 1000);
	ck_assert_uint_eq(vm->interrupted, 0); /* no CPU had the page */
	ck_assert_uint_eq(vm->vcpu[1].sim->skew, 0);
	sim_destroy();

	two_harts();
	put64(vm, VM_RAM_BASE + SHARED_PAGE * PAGE_SIZE, 7);
	pmap_share_in(sim_vm(1, false)->pmap, SHARED_PAGE, pmap_share_out(vm->pmap, SHARED_PAGE, 0),
		FRAME_PRIVATE);
	vm_power_off(sim.vm[1], 0);
	ck_assert_uint_eq(vm->interrupted, 0); /* at the boundary, for many pages at once */
	run_for(50 * 1000);
	ck_assert_uint_eq(vm->interrupted, 1);
	ck_assert_uint_eq(vm->vcpu[0].sim->skew, 70);
	ck_assert_uint_eq(vm->vcpu[1].sim->skew, 500);
	ck_assert_uint_eq(sim.interrupted, 0); /* no move */
	sim_destroy();
}
END_TEST

static void move_once(struct cluster *c, void *arg, uint64_t idle)
{
	unsigned *initiator = arg;

	(void)idle;
	if (c->now == 0 || *initiator == UINT32_MAX)
		return;
	c->handler = *initiator + 1;
	ck_assert_int_eq(page_migrate(c->mem, pmap_entry(vm->pmap, SHARED_PAGE)->mpn, 2, NULL), 0);
	c->handler = 0;
	*initiator = UINT32_MAX;
}

/* The page is moved on a CPU that runs neither hart, then on that of the first. */
START_TEST(a_move_interrupts_the_harts_that_run)
{
	for (unsigned first = 0; first < 2; first++) {
		unsigned initiator;

		two_harts();
		initiator = first ? vm->vcpu[0].cpu : 2;
		ck_assert_uint_ne(vm->vcpu[0].cpu, vm->vcpu[1].cpu);
		ck_assert(vm->vcpu[0].cpu != 2 && vm->vcpu[1].cpu != 2);
		sim.at_boundary = move_once;
		sim.at_boundary_arg = &initiator;
		run_for(50 * 1000);
		ck_assert_uint_eq(vm->interrupted, first ? 1 : 2);
		ck_assert_uint_eq(sim.interrupted, first ? 1 : 2);
		ck_assert_uint_eq(vm->move_cycles, first ? 500 : 1000);
		ck_assert_uint_eq(vm->vcpu[0].sim->skew, first ? 0 : 500);
		ck_assert_uint_eq(vm->vcpu[1].sim->skew, 500);
		sim_destroy();
	}
}
END_TEST

/* ---- disks: who moves which bytes */

static uint64_t moved[2]; /* [to memory] */

static void count_dma(void *arg, uint32_t owner, uint64_t ma, uint64_t bytes, bool to_memory)
{
	ck_assert_ptr_eq(arg, sim.mem);
	ck_assert_uint_eq(owner, vm->id);
	ck_assert_uint_le((ma & (PAGE_SIZE - 1)) + bytes, PAGE_SIZE);
	moved[to_memory] += bytes;
}

static void expect_moved(struct disk *d, bool write, uint64_t sector, uint64_t pa, uint32_t bytes,
	uint64_t from_memory, uint64_t to_memory)
{
	struct disk_segment seg = {.pa_offset = pa, .bytes = bytes};

	moved[0] = moved[1] = 0;
	ck_assert_int_eq(write ? disk_write(d, vm->pmap, 0, sector, &seg, 1)
			       : disk_read(d, vm->pmap, 0, sector, &seg, 1),
		0);
	ck_assert_uint_eq(moved[0], from_memory);
	ck_assert_uint_eq(moved[1], to_memory);
}

START_TEST(disks_move_bytes_by_dma)
{
	static const uint8_t blocks[4 * PAGE_SIZE];
	char path[] = "/tmp/disco-test-dma-XXXXXX";
	int fd = mkstemp(path);
	struct image_cache *cache;
	struct disk *d;

	ck_assert_int_eq(write(fd, blocks, sizeof(blocks)), sizeof(blocks));
	close(fd);
	sim_create(1);
	vm = sim_vm(1, false);
	cache = image_cache_create(sim.mem);
	sim.mem->dma = count_dma;
	sim.mem->model_arg = sim.mem;

	ck_assert_int_eq(disk_open(cache, path, DISK_SHARED, OWNER_DISK, &d), 0);
	/* A whole page is filled from the file, then mapped without a transfer, then written the
	 * same way. */
	expect_moved(d, false, 0, 0, PAGE_SIZE, 0, PAGE_SIZE);
	expect_moved(d, false, 0, PAGE_SIZE, PAGE_SIZE, 0, 0);
	expect_moved(d, true, 8, PAGE_SIZE, PAGE_SIZE, 0, 0);
	/* Part of one is copied from the cache; to write part of a block copies the block first. */
	expect_moved(d, false, 1, PAGE_SIZE, 512, 512, 512);
	expect_moved(d, true, 16, 2 * PAGE_SIZE, 512, PAGE_SIZE + 512, 2 * PAGE_SIZE + 512);
	expect_moved(d, true, 17, 2 * PAGE_SIZE, 1024, 1024, 1024);
	disk_close(d);

	ck_assert_int_eq(disk_open(cache, path, DISK_PRIVATE, OWNER_DISK, &d), 0);
	expect_moved(d, false, 3, 512, 8192, 0, 8192);
	expect_moved(d, true, 3, 512, 4096, 4096, 0);
	disk_close(d);
	image_cache_destroy(cache);
	sim_destroy();
	unlink(path);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("dma");
	TCase *t = tcase_create("devices"), *others = tcase_create("others");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_device_in_the_run_phase);
	tcase_add_test(t, without_the_device_the_line_stays);
	tcase_add_test(t, a_device_at_the_boundary);
	tcase_add_test(t, functional_fidelity_counts_nothing);
	tcase_add_test(t, the_monitor_zeroes_pages_by_its_cpu);
	tcase_add_test(t, the_monitor_copies_pages_by_its_cpu);
	tcase_add_test(others, a_store_that_copies_interrupts_the_other_harts);
	tcase_add_test(others, a_move_interrupts_the_harts_that_run);
	tcase_add_test(others, disks_move_bytes_by_dma);
	suite_add_tcase(s, t);
	suite_add_tcase(s, others);
	return run_suite(s);
}
