// SPDX-License-Identifier: MIT
/*
 * Devices of a clone: what the guest had set up is there, on a bus of its own; random numbers,
 * identifier and disk are not the original's any more; and a clone that would go wrong fails alone.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "monitor/vm/board.h"
#include "monitor/vm/clone.h"
#include "tests/sim-vm.h"
#include "tests/virt-map.h"

enum { RNG, BLK, NET };
enum { QUEUE = VM_RAM_BASE + 0x10000, BUF = VM_RAM_BASE + 0x20000, BLOCKS = 8 };

struct box {
	struct vm *vm;
	struct stream *stream;
	struct disk *disk;
};

static struct image_cache *images;
static struct subnet *subnet;
static char disk_file[] = "/tmp/disco-test-XXXXXX";

static struct box board(void)
{
	uint8_t mac[6] = {2, 0, 0, 0, 0, (uint8_t)sim.n_vms};
	struct box b = {
		.vm = vm_create(&sim, "vm", 1, SIM_RAM_BYTES, false, 1 + sim.n_vms),
		.stream = stream_create(),
	};

	ck_assert_int_eq(
		disk_open(images, disk_file, DISK_SHARED, OWNER_DISK | b.vm->id, &b.disk), 0);
	plic_create(b.vm);
	testdev_create(b.vm);
	rtc_create(b.vm);
	genid_create(b.vm);
	uart_create(b.vm, b.stream);
	virtio_rng_create(b.vm, RNG);
	virtio_blk_create(b.vm, BLK, b.disk);
	virtio_net_create(b.vm, NET, subnet, mac);
	return b;
}

static uint64_t get(struct vm *vm, uint64_t pa, unsigned size)
{
	struct device *d = device_find(vm, pa, size);

	ck_assert_ptr_nonnull(d);
	return d->ops->read(d, NULL, pa - d->base, size);
}

static void set(struct vm *vm, uint64_t pa, unsigned size, uint64_t value)
{
	struct device *d = device_find(vm, pa, size);

	ck_assert_ptr_nonnull(d);
	d->ops->write(d, NULL, pa - d->base, size, value);
}

static void set_virtio(struct vm *vm, unsigned slot, unsigned offset, uint32_t value)
{
	set(vm, BOARD_VIRTIO + 0x1000 * slot + offset, 4, value);
}

/* As a driver does (virtio 1.2, section 3.1.1), with a queue of 8 at QUEUE. */
static void bring_up(struct vm *vm, unsigned slot)
{
	static const uint32_t step[][2] = {{0x70, 1}, {0x70, 3}, {0x24, 1}, {0x20, 1}, {0x70, 11},
		{0x30, 0}, {0x38, 8}, {0x80, QUEUE}, {0x90, QUEUE + 0x1000}, {0xa0, QUEUE + 0x2000},
		{0x44, 1}, {0x70, 15}};

	for (unsigned i = 0; i < ARRAY_SIZE(step); i++)
		set_virtio(vm, slot, step[i][0], step[i][1]);
}

/* Request number n of the entropy device: 64 bytes to BUF. */
static void ask(struct vm *vm, uint16_t n)
{
	ck_assert_int_eq(gm_write64(vm, QUEUE, BUF), 0);
	ck_assert_int_eq(gm_write64(vm, QUEUE + 8, 2ull << 32 | 64), 0); /* for it to write */
	ck_assert_int_eq(gm_write16(vm, QUEUE + 0x1002, n), 0);
	set_virtio(vm, RNG, 0x50, 0);
}

static uint16_t answered(struct vm *vm)
{
	uint16_t n = 0;

	ck_assert_int_eq(gm_read16(vm, QUEUE + 0x2002, &n), 0);
	return n;
}

static void disk_transfer(struct box *b, bool write, uint64_t block, uint32_t ppn)
{
	struct disk_segment seg = {(uint64_t)ppn << PAGE_SHIFT, PAGE_SIZE};

	ck_assert_int_eq((write ? disk_write : disk_read)(
				 b->disk, b->vm->pmap, 0, block * PAGE_SIZE / SECTOR_SIZE, &seg, 1),
		0);
}

static uint64_t block_word(struct box *b, uint64_t block)
{
	disk_transfer(b, false, block, 0x300);
	return get64(b->vm, VM_RAM_BASE + 0x300000);
}

static void setup(void)
{
	static const uint8_t zero[BLOCKS * PAGE_SIZE];
	int fd = mkstemp(strcpy(disk_file, "/tmp/disco-test-XXXXXX"));

	ck_assert_int_eq(write(fd, zero, sizeof(zero)), sizeof(zero));
	close(fd);
	sim_create(1);
	images = image_cache_create(sim.mem);
	subnet = subnet_create(sim.mem, NULL);
}

static void teardown(struct box *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		pmap_check(b[i].vm->pmap);
	memory_check(sim.mem);
	for (unsigned i = sim.n_vms; i-- > 0;)
		vm_destroy(sim.vm[i]);
	free(sim.vm);
	for (unsigned i = 0; i < n; i++)
		stream_destroy(b[i].stream);
	image_cache_destroy(images);
	subnet_destroy(subnet);
	memory_check(sim.mem);
	memory_destroy(sim.mem);
	unlink(disk_file);
}

START_TEST(a_clones_devices_are_as_the_guest_left_them)
{
	struct box b[2] = {[0] = board()};
	struct vm *vm = b[0].vm, *clone;
	uint64_t id[2][2];

	for (unsigned irq = 1; irq <= BOARD_IRQ_GENID; irq++)
		set(vm, BOARD_PLIC + 4 * irq, 4, irq < 8 ? 1 : 3);
	set(vm, BOARD_PLIC + 0x2000, 4, UINT32_MAX);
	set(vm, BOARD_PLIC + 0x200000, 4, 1); /* threshold */
	set(vm, BOARD_UART + 7, 1, 0x5a);
	set(vm, BOARD_UART + 1, 1, 1);
	set(vm, BOARD_RTC + 0x0c, 4, 0x7fffffff); /* an alarm in a far future */
	set(vm, BOARD_RTC + 0x08, 4, 1);
	bring_up(vm, RNG);
	ask(vm, 1);
	ck_assert_uint_eq(answered(vm), 1);
	set_virtio(vm, RNG, 0x64, 1); /* acknowledged */
	b[1] = board();
	clone = b[1].vm;
	ck_assert_int_eq(vm_check_cloneable(vm), 0);
	vm_clone(vm, &clone, 1);
	ck_assert_int_eq(clone->state, VM_RUNNING);

	ck_assert_uint_eq(get(clone, BOARD_PLIC + 4 * BOARD_IRQ_GENID, 4), 3);
	ck_assert_uint_eq(get(clone, BOARD_PLIC + 0x2000, 4), UINT32_MAX);
	ck_assert_uint_eq(get(clone, BOARD_PLIC + 0x200000, 4), 1);
	ck_assert_uint_eq(get(clone, BOARD_UART + 7, 1), 0x5a);
	ck_assert_uint_eq(get(clone, BOARD_UART + 1, 1), 1);
	ck_assert_uint_eq(get(clone, BOARD_RTC + 0x18, 4), 1);

	/* What is typed on a console reaches its own VM. */
	stream_input(b[1].stream, "x", 1);
	ck_assert_uint_eq(get(clone, BOARD_UART + 5, 1) & 1, 1);
	ck_assert_uint_eq(get(vm, BOARD_UART + 5, 1) & 1, 0);
	ck_assert_uint_eq(get(clone, BOARD_UART, 1), 'x');

	/* The clone alone is told so, until it has read its identifier. */
	ck_assert_uint_eq(get(vm, BOARD_PLIC + 0x1000, 4), 0);
	ck_assert_uint_eq(clone->vcpu[0].sim->ext_lines, MIP_SEIP);
	ck_assert_uint_eq(get(clone, BOARD_PLIC + 0x200004, 4), BOARD_IRQ_GENID);
	for (unsigned i = 0; i < 2; i++)
		for (unsigned w = 0; w < 2; w++)
			id[i][w] = get(b[i].vm, BOARD_GENID + 8 * w, 8);
	ck_assert(id[0][0] != id[1][0] && id[0][1] != id[1][1]);
	set(clone, BOARD_PLIC + 0x200004, 4, BOARD_IRQ_GENID);
	ck_assert_uint_eq(get(clone, BOARD_PLIC + 0x1000, 4), 0);
	ck_assert_uint_eq(clone->vcpu[0].sim->ext_lines, 0);

	/* The queue goes on where it was, each in its own memory and with its own numbers. */
	ask(clone, 2);
	ck_assert_uint_eq(answered(clone), 2);
	ck_assert_uint_eq(answered(vm), 1);
	ask(vm, 2);
	ck_assert_uint_eq(answered(vm), 2);
	ck_assert_uint_ne(get64(vm, BUF), get64(clone, BUF));
	teardown(b, 2);
}
END_TEST

START_TEST(a_clone_has_the_originals_disk_and_its_own_writes)
{
	struct box b[3] = {[0] = board()};
	struct vm *to[2];

	put64(b[0].vm, VM_RAM_BASE + 0x200000, 111);
	disk_transfer(&b[0], true, 1, 0x200);
	put64(b[0].vm, VM_RAM_BASE + 0x200000, 222); /* the disk keeps 111 */
	disk_transfer(&b[0], true, 2, 0x200);
	for (unsigned i = 1; i < 3; i++) {
		b[i] = board();
		to[i - 1] = b[i].vm;
	}
	vm_clone(b[0].vm, to, 2);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(disk_stats(b[i].disk)->pages_private, 2);
		ck_assert_uint_eq(block_word(&b[i], 0), 0);
		ck_assert_uint_eq(block_word(&b[i], 1), 111);
		ck_assert_uint_eq(block_word(&b[i], 2), 222);
	}
	put64(b[1].vm, VM_RAM_BASE + 0x200000, 333);
	disk_transfer(&b[1], true, 1, 0x200);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(block_word(&b[i], 1), i == 1 ? 333 : 111);
	teardown(b, 3);
}
END_TEST

START_TEST(a_network_driver_that_is_up_keeps_its_address)
{
	struct box b[2] = {[0] = board()};
	struct vm *clone;

	bring_up(b[0].vm, NET);
	b[1] = board();
	clone = b[1].vm;
	vm_clone(b[0].vm, &clone, 1);
	ck_assert_int_eq(clone->state, VM_FAILED);
	ck_assert_msg(strstr(clone->reason, "network driver"), "%s", clone->reason);
	ck_assert_int_eq(b[0].vm->state, VM_RUNNING);
	teardown(b, 2);
}
END_TEST

START_TEST(a_device_that_cannot_be_cloned_is_named)
{
	static struct device_ops ops = {.type = "stone"};
	static struct device stone = {.ops = &ops, .base = 0x50000000, .size = 0x1000};
	struct box b = board();

	device_attach(b.vm, &stone);
	ck_assert_int_eq(vm_check_cloneable(b.vm), -ENOTSUP);
	b.vm->n_devices--; /* the last on the bus */
	teardown(&b, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("clone-devices");
	TCase *tc = tcase_create("clone-devices");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, a_clones_devices_are_as_the_guest_left_them);
	tcase_add_test(tc, a_clone_has_the_originals_disk_and_its_own_writes);
	tcase_add_test(tc, a_network_driver_that_is_up_keeps_its_address);
	tcase_add_test(tc, a_device_that_cannot_be_cloned_is_named);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
