// SPDX-License-Identifier: MIT
/*
 * A libFuzzer harness for the device models. The input is a program for a hostile guest: it pokes
 * guest memory and device registers, rings doorbells and lets boundaries pass. A start of most
 * programs brings a device up properly, since a fuzzer would take long to find the way by itself.
 * Anything but a crash, a sanitizer report or a hang is right; after each program the VM's memory
 * must still be consistent.
 */
#include <linux/fuse.h>
#include <stdio.h>
#include <unistd.h>

#include "monitor/dev/balloon.h"
#include "sharing/share.h"
#include "tests/fs-files.h"
#include "tests/fuzz/program.h"
#include "tests/virtio-driver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char image_path[] = "/tmp/disco-fuzz-XXXXXX";

static void remove_disk(void)
{
	unlink(image_path);
}

static const char *disk_image(void)
{
	static bool made;
	static const uint8_t block[4096];
	int fd;

	if (made)
		return image_path;
	made = true;
	fd = mkstemp(image_path);
	atexit(remove_disk);
	for (unsigned i = 0; i < 16; i++)
		if (write(fd, block, sizeof(block)) != sizeof(block))
			die("cannot write %s", image_path);
	close(fd);
	return image_path;
}

static const char *files(void)
{
	if (!*files_dir) {
		make_files();
		atexit(remove_files);
	}
	return files_dir;
}

enum { FS = 5, BALLOON, SLOTS };

/* Guest memory is made of the few places where something is listening: rings, tables, buffers. */
static uint64_t place(struct program *p)
{
	uint64_t word = take(p, 2), slot = word >> 13 & 7;

	switch (word & 3) {
	case 0:
		return desc_pa((unsigned)slot, word >> 12 & 1) + (word >> 2 & 0x7f);
	case 1:
		return avail_pa((unsigned)slot, word >> 12 & 1) + (word >> 2 & 0x1f);
	case 2:
		/* Half of them whole pages, which are what is mapped. */
		return BUF + ((word >> 2) * 16 & ~(word & 0x8000 ? PAGE_SIZE - 1ull : 0));
	default:
		return VM_RAM_BASE + FAKE_RAM_BYTES - (word >> 2 & 0xff);
	}
}

/* A chain as a driver would make it, except that the program chooses the places, the sizes and
 * where the writable part begins, and that the notification is up to it. */
static void request(struct program *p, unsigned slot, unsigned queue)
{
	uint8_t shape = (uint8_t)take(p, 1);
	unsigned head = shape >> 5, n = 1 + (shape & 3), writable = shape >> 2 & 3;

	for (unsigned i = 0; i < n; i++) {
		uint16_t bytes = (uint16_t)take(p, 2), flags = i < n - 1 ? NEXT : 0;

		if (i >= writable)
			flags |= WRITE;
		if (bytes & 1) /* whole sectors are what a disk likes */
			bytes = (uint16_t)((bytes >> 1 & 31) * SECTOR_SIZE);
		put_desc(desc_pa(slot, queue), (head + i) % QUEUE_SIZE, place(p), bytes, flags,
			(uint16_t)((head + i + 1) % QUEUE_SIZE));
	}
	offer(slot, queue, (uint16_t)head);
	if (shape & 0x10)
		set_reg(slot, 0x50, queue);
}

/* The same for a disk: header, data, status. */
static void disk_request(struct program *p, unsigned type)
{
	uint64_t d = desc_pa(0, 0);
	uint16_t flags = type & 1 ? NEXT : NEXT | WRITE;

	gm_write64(&fake.vm, BUF, type);
	gm_write64(&fake.vm, BUF + 8, take(p, 1));
	put_desc(d, 0, BUF, 16, NEXT, 1);
	put_desc(d, 1, place(p) & ~511ull, (uint32_t)take(p, 1) * SECTOR_SIZE, flags, 2);
	put_desc(d, 2, place(p), (uint32_t)take(p, 1) * SECTOR_SIZE, flags, 3);
	put_desc(d, 3, place(p), 1, WRITE, 0);
	offer(0, 0, 0);
	set_reg(0, 0x50, 0);
}

/* The same for the file system: the reply's header, pages, and what the program wants. */
static void fs_send(unsigned queue, const struct fuse_in_header *h, const uint64_t args[8],
	uint32_t args_bytes, uint64_t pa, uint32_t bytes, uint32_t pages)
{
	uint64_t d = desc_pa(FS, queue);

	gm_write(&fake.vm, BUF, h, sizeof(*h));
	gm_write(&fake.vm, BUF + sizeof(*h), args, 64);
	put_desc(d, 0, BUF, (uint32_t)sizeof(*h) + args_bytes, NEXT, 1);
	put_desc(d, 1, BUF + 0x1000, 16, WRITE | NEXT, 2);
	put_desc(d, 2, BUF + 0x20000, PAGE_SIZE * (pages & 63) + PAGE_SIZE, WRITE | NEXT, 3);
	put_desc(d, 3, pa, bytes + 1, WRITE, 0);
	offer(FS, queue, 0);
	set_reg(FS, 0x50, queue);
}

static void fs_up(uint32_t flags)
{
	struct fuse_in_header h = {.opcode = FUSE_INIT, .len = sizeof(h) + 64};
	uint64_t args[8] = {7 | 38ull << 32, (uint64_t)flags << 32};

	start(FS, 0);
	fs_send(1, &h, args, 64, BUF + 0x2000, 0, 0);
}

static void fs_request(struct program *p, unsigned queue)
{
	static const char *const name[] = {"big", "sub", "b", ".."};
	uint8_t shape = (uint8_t)take(p, 1);
	struct fuse_in_header h = {
		.opcode = (uint32_t)take(p, 1) % 64, .nodeid = take(p, 1) % (N_NODES + 2)};
	uint64_t args[8] = {0};
	uint32_t bytes = shape & 1 ? (uint32_t)take(p, 1) : 40;

	if (shape & 2) { /* a handle, an offset, a size */
		if (shape & 32)
			h.opcode = FUSE_READ;
		args[1] = take(p, 2);
		args[2] = take(p, 2);
	} else if (shape & 4) {
		strcpy((char *)args, name[take(p, 1) & 3]);
		bytes = (uint32_t)strlen((char *)args) + 1;
	} else {
		for (unsigned i = 0; i < 3; i++)
			args[i] = take(p, 8);
	}
	h.len = shape & 8 ? (uint32_t)take(p, 4) : (uint32_t)sizeof(h) + bytes;
	fs_send(queue, &h, args, bytes, shape & 16 ? place(p) : BUF + 0x10000, (uint32_t)take(p, 2),
		(uint32_t)take(p, 1));
}

static struct device *balloon;

/* Of page numbers, statistics or pages to report, long enough to take more than one boundary. */
static void balloon_request(struct program *p, unsigned queue)
{
	uint8_t shape = (uint8_t)take(p, 1);
	uint16_t flags = queue == 3 ? WRITE : 0;

	put_desc(desc_pa(BALLOON, queue), shape & 7, place(p), 17 * (uint32_t)take(p, 2),
		flags ^ (uint16_t)(shape >> 6 & WRITE), 0);
	offer(BALLOON, queue, shape & 7);
	if (shape & 16)
		set_reg(BALLOON, 0x50, queue);
	if (shape & 32)
		balloon_ask(balloon);
	if (shape & 64)
		balloon_set_target(balloon, shape);
}

/* Of a register: where something is, or near the start. */
static uint64_t offset(struct program *p, bool far)
{
	static const uint32_t known[] = {0x28, 0x1000, 0x1004, 0x2000, 0x2080, 0x2084, 0x200000,
		0x200004, 0x201000, 0x201004, 0x4000, 0x4008, 0xbff8, 0xbffc, 0x300000, 0x5ffffc};
	uint8_t byte = (uint8_t)take(p, 1);

	return far ? known[byte % ARRAY_SIZE(known)] : byte;
}

static uint64_t device_base(uint8_t which)
{
	static const uint64_t base[] = {
		BOARD_TEST, BOARD_RTC, BOARD_ACLINT, BOARD_PLIC, BOARD_UART};

	which %= SLOTS + ARRAY_SIZE(base);
	return which < SLOTS ? BOARD_VIRTIO + 0x1000u * which : base[which - SLOTS];
}

static void step(struct program *p, struct stream *uart, struct stream *console, struct subnet *net)
{
	uint8_t op = (uint8_t)take(p, 1);
	unsigned slot = op >> 4 & 7, queue = op >> 7, size = 1u << (op >> 4 & 3);
	uint64_t pa, value;

	switch (op & 15) {
	case 0: /* bring up with some of what is offered */
		set_reg(slot, 0x14, 0);
		if (slot < SLOTS)
			start(slot, reg(slot, 0x10) & ~(take(p, 1) << 24));
		for (unsigned q = 2; slot == BALLOON && q < 4; q++)
			place_queue(slot, q, QUEUE_SIZE, desc_pa(slot, q), avail_pa(slot, q),
				used_pa(slot, q));
		break;
	case 1:
	case 2: /* a whole descriptor, in a ring or in a table; mostly with sane flags and next */
		pa = op & 1 ? desc_pa(slot, queue) : BUF;
		value = take(p, 2);
		put_desc(pa, value & 15, place(p), (uint32_t)take(p, value & 0x80 ? 4 : 2),
			(uint16_t)(value >> 8 & 7), (uint16_t)(value >> 11 & 15));
		break;
	case 3:
		offer(slot, queue, (uint16_t)(take(p, 1) & 15));
		break;
	case 4:
		if (op & 16) {
			fs_request(p, queue);
			break;
		}
		if (slot == BALLOON)
			balloon_request(p, (unsigned)take(p, 1) & 3);
		else
			request(p, slot % SLOTS, queue);
		break;
	case 5:
		set_reg(slot, 0x50, queue);
		break;
	case 6: /* bytes into memory */
		pa = place(p);
		value = take(p, 8);
		gm_write(&fake.vm, pa, &value, size);
		break;
	case 7:
		disk_request(p, op >> 4);
		break;
	case 8:
	case 9: /* any register */
		pa = device_base((uint8_t)take(p, 1)) + (offset(p, op & 1) & ~(size - 1u));
		mmio_write(pa, size, take(p, size));
		break;
	case 10:
		pa = device_base((uint8_t)take(p, 1)) + (offset(p, op & 64) & ~(size - 1u));
		mmio_read(pa, size);
		break;
	case 11:
		fake_run_phase();
		break;
	case 12:
		fake_boundary();
		subnet_run(net, fake.cluster.now);
		pmap_refill(fake.vm.pmap, 0);
		break;
	case 13: {
		char text[64];

		memset(text, op, sizeof(text));
		if (fake.cluster.mem->boundary)
			stream_input(op & 16 ? console : uart, text, 1 + (op >> 5));
		break;
	}
	case 14:
		fake.now = fake.cluster.now += take(p, 4);
		break;
	case 15: /* a queue somewhere else */
		place_queue(
			slot, queue, (uint32_t)take(p, 1), place(p) & ~15ull, place(p), place(p));
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t mac[2][6] = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}};
	struct program p = {data, size};
	struct vm *vm = fake_vm_create(size & 1, size & 2 ? 16 << 20 : 192 << 10);
	struct subnet_link link = {1000000000, size & 8 ? 5000 : 0, 0, SUBNET_MTU};
	struct stream *uart = stream_create(), *console = stream_create();
	struct subnet *net = subnet_create(fake.cluster.mem, &link);
	struct image_cache *images = image_cache_create(fake.cluster.mem);
	struct disk *disk;
	struct tree *tree;

	if (disk_open(images, disk_image(), DISK_SHARED, OWNER_DISK, &disk))
		die("no disk");
	if (tree_open(images, files(), &tree))
		die("no directory");
	fake.cluster.share = size & 4 ? SHARE_ALL : 0;
	plic_create(vm);
	if (vm->bios)
		aclint_create(vm);
	testdev_create(vm);
	rtc_create(vm);
	uart_create(vm, uart);
	virtio_blk_create(vm, 0, disk);
	virtio_console_create(vm, 1, console);
	virtio_net_create(vm, 2, net, mac[0]);
	virtio_net_create(vm, 3, net, mac[1]);
	virtio_rng_create(vm, 4);
	virtio_fs_create(vm, FS, "fs", tree, size & 4);
	balloon = virtio_balloon_create(vm, BALLOON, size & 16);
	for (unsigned irq = 1; irq <= BOARD_IRQ_RTC; irq++)
		mmio_write(BOARD_PLIC + 4 * irq, 4, irq & 7);
	mmio_write(BOARD_PLIC + 0x2000, 4, UINT32_MAX);
	if (size & 8)
		fs_up((uint32_t)size << 20);
	while (p.left && vm->state != VM_FAILED)
		step(&p, uart, console, net);
	fake_boundary();
	subnet_run(net, fake.cluster.now);
	pmap_check(vm->pmap);
	memory_check(fake.cluster.mem);
	fake_devices_destroy();
	tree_close(tree);
	image_cache_destroy(images);
	subnet_destroy(net);
	stream_destroy(uart);
	stream_destroy(console);
	fake_vm_destroy();
	return 0;
}
