// SPDX-License-Identifier: MIT
/*
 * A libFuzzer harness for files of the host whose pages are mapped into several VMs. The input is a
 * program for two hostile guests on a machine of two nodes: FUSE requests, loads and stores by CPUs
 * that trust a TLB until it is shot down, pages given back, and beside them the monitor's moves,
 * copies and search for identical pages. Whatever the program does, what is mapped or cached is the
 * file's bytes and no CPU may store there; a reply that says that bytes were read is followed by
 * these; and no guest comes to see the other's memory.
 */
#include <linux/fuse.h>
#include <sys/stat.h>

#include "numa/memory/move.h"
#include "sharing/content.h"
#include "sharing/share.h"
#include "tests/fs-files.h"
#include "tests/fuzz/program.h"
#include "tests/virtio-driver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { VMS = 2, NODES = 2, PAGES = FAKE_RAM_BYTES >> PAGE_SHIFT, MS = 1000000 };
enum { REQUESTS = 1, DIRECT = 0x4000 /* the guest's O_DIRECT */ };
enum { IN = sizeof(struct fuse_in_header), OUT = sizeof(struct fuse_out_header) };
/* Pages that replies go to, that guests use for themselves, and that hold the rings. */
enum { TARGET = 0x120, TARGETS = 16, OWN = 0x200, OWNS = 8, RINGS = 0x10, RING_PAGES = 3 };

struct guest {
	struct vm vm;
	struct vcpu vcpu;
	struct device *fs;
	struct {
		uint32_t mpn;
		bool writable;
	} tlb[NODES][PAGES];
	uint16_t offered;
};

static struct guest guest[VMS];
static struct tree *tree;

/* ---- the machine -------------------------------------------------------------------------- */

static void shoot(void *engine, uint32_t ppn, uint32_t old)
{
	struct guest *g = engine;

	for (unsigned n = 0; n < NODES; n++)
		if (g->tlb[n][ppn].mpn == old)
			g->tlb[n][ppn].mpn = MPN_NONE;
}

static const struct pmap_ops ops = {.shootdown = shoot};
static const struct engine engine = {
	.name = "fuzz",
	.pmap_ops = &ops,
	.vcpu_irq = fake_irq,
	.vcpu_now = fake_now,
	.page_written = fake_page_written,
	.vcpu_charge = fake_charge,
};

static void make_machine(uint64_t mem_bytes, unsigned share)
{
	struct machine *m = &fake.machine;

	memset(&fake, 0, sizeof(fake));
	m->n_nodes = m->n_cpus = NODES;
	for (unsigned n = 0; n < NODES; n++)
		m->node[n] = (struct machine_node){n, 1, mem_bytes / NODES};
	m->clock_hz = 1000 * MS;
	m->timebase_hz = 10000000;
	fake.cluster = (struct cluster){.machine = m, .engine = &engine, .share = share};
	fake.cluster.mem = memory_create(m);
	if (share & SHARE_ZERO)
		memory_share_zero(fake.cluster.mem);
	fake.cluster.content = content_create(fake.cluster.mem, m,
		&(struct content_options){
			.zero = share & SHARE_ZERO, .same = true, .rate = 1000, .seed = 1});
}

static void set(struct guest *g, unsigned offset, uint64_t value)
{
	g->fs->ops->write(g->fs, &g->vcpu, offset, 4, value & UINT32_MAX);
}

static void ring_at(struct guest *g, unsigned reg, unsigned page)
{
	set(g, reg, VM_RAM_BASE + page * PAGE_SIZE);
	set(g, reg + 4, (VM_RAM_BASE + page * PAGE_SIZE) >> 32);
}

/* The rings of the queue of requests: descriptors, what is offered, what is used, a page each. */
static void bring_up(struct guest *g)
{
	static const uint8_t zeros[RING_PAGES * PAGE_SIZE];

	gm_write(&g->vm, VM_RAM_BASE + RINGS * PAGE_SIZE, zeros, sizeof(zeros));
	g->offered = 0;
	set(g, 0x70, 0);
	set(g, 0x70, 3);
	set(g, 0x24, 1);
	set(g, 0x20, VIRTIO_F_VERSION_1 >> 32);
	set(g, 0x70, 3 | FEATURES_OK);
	set(g, 0x30, REQUESTS);
	set(g, 0x38, QUEUE_SIZE);
	ring_at(g, 0x80, RINGS);
	ring_at(g, 0x90, RINGS + 1);
	ring_at(g, 0xa0, RINGS + 2);
	set(g, 0x44, 1);
	set(g, 0x70, 3 | FEATURES_OK | DRIVER_OK);
}

/* Of a guest's memory alone: no two bytes are equal, and no program can write it, because what it
 * writes are runs of equal bytes, or has zeros. */
static uint64_t secret(unsigned v)
{
	return 0x8191a1b1c1d1e1f1ull + 0x0101010101010101ull * v;
}

static void make_guest(unsigned v, bool share)
{
	struct guest *g = &guest[v];

	memset(g, 0, sizeof(*g));
	memset(g->tlb, 0xff, sizeof(g->tlb));
	g->vcpu.vm = &g->vm;
	g->vm = (struct vm){.cluster = &fake.cluster,
		.id = v,
		.board = &board_virt,
		.ram_bytes = FAKE_RAM_BYTES,
		.n_vcpus = 1,
		.vcpu = &g->vcpu};
	g->vm.pmap = pmap_create(fake.cluster.mem, v, PAGES, &ops, g);
	g->vm.log = content_add(fake.cluster.content, g->vm.pmap);
	plic_create(&g->vm);
	g->fs = virtio_fs_create(&g->vm, 0, "fs", tree, share);
	bring_up(g);
	for (uint64_t i = 0; i < OWNS; i++)
		for (uint64_t at = 0; at < PAGE_SIZE; at += 256)
			gm_write64(&g->vm, VM_RAM_BASE + (OWN + i) * PAGE_SIZE + at, secret(v));
}

static void run_phase(void)
{
	for (unsigned v = 0; v < VMS && fake.cluster.mem->boundary; v++)
		for (unsigned n = 0; n < NODES; n++)
			pmap_refill(guest[v].vm.pmap, n);
	fake.cluster.mem->boundary = false;
}

static void boundary(void)
{
	fake.cluster.mem->boundary = true;
	for (unsigned v = 0; v < VMS; v++)
		pmap_release_deferred(guest[v].vm.pmap);
	for (unsigned v = 0; v < VMS; v++)
		if (guest[v].vm.state == VM_RUNNING)
			device_run_deferred(&guest[v].vm);
}

/* ---- what must be so ---------------------------------------------------------------------- */

static uint64_t file_size(uint64_t id)
{
	const struct tree_node *n = tree_node(tree, id);

	return n && S_ISREG(n->mode) ? n->bytes : 0;
}

static void must_be_file(uint64_t id, uint64_t at, const uint8_t *bytes, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		if (bytes[i] != (at + i < file_size(id) ? file_byte(at + i) : 0))
			die("file %u is wrong at %u", (unsigned)id, (unsigned)(at + i));
}

/* Every page of every file that is cached. */
static void check_files(void)
{
	struct memory *mem = fake.cluster.mem;

	for (uint32_t id = 1; id <= tree_nodes(tree); id++)
		for (uint32_t i = 0; i < (file_size(id) + PAGE_SIZE - 1) >> PAGE_SHIFT; i++) {
			uint32_t mpn;
			bool cached;

			if (tree_block(tree, id, i, 0, &mpn, &cached))
				continue;
			for (unsigned n = 0; n < NODES; n++)
				must_be_file(id, (uint64_t)i << PAGE_SHIFT,
					frame_data(mem, frame_view(mem, mpn, n)), PAGE_SIZE);
		}
}

static void check_guest(unsigned v)
{
	const struct guest *g = &guest[v];
	const struct memory *mem = fake.cluster.mem;

	pmap_check(g->vm.pmap);
	for (uint32_t ppn = 0; ppn < PAGES; ppn++) {
		const struct pmap_entry *e = pmap_entry(g->vm.pmap, ppn);
		const uint64_t *word;

		for (unsigned n = 0; n < NODES; n++) {
			uint32_t mpn = g->tlb[n][ppn].mpn;
			bool writable;

			if (mpn == MPN_NONE)
				continue;
			if (pmap_view(mem, g->vm.pmap, ppn, n, &writable) != mpn)
				die("a CPU of node %u uses frame %u for page %u", n, mpn, ppn);
			if (g->tlb[n][ppn].writable && !writable)
				die("a CPU of node %u may store to frame %u", n, mpn);
		}
		if (e->mpn == MPN_NONE)
			continue;
		word = frame_data(mem, e->mpn);
		for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
			if (word[i] == secret(!v))
				die("guest %u sees the other's memory in page %u", v, ppn);
	}
}

/* ---- steps -------------------------------------------------------------------------------- */

static void look(void)
{
	fake.now = fake.cluster.now += 12 * MS;
	for (unsigned v = 0; v < VMS; v++)
		content_ran(fake.cluster.content, v, fake.now * 100);
	content_scan(fake.cluster.content, fake.cluster.now, 0);
	for (unsigned v = 0; v < VMS; v++) {
		struct guest *g = &guest[v];

		for (uint32_t i = 0; g->vm.log->fresh && i < NODES * PAGES; i++)
			g->tlb[i % NODES][i / NODES].writable = false;
		g->vm.log->fresh = false;
	}
}

static uint32_t any_page(struct program *p)
{
	uint8_t b = (uint8_t)take(p, 1);

	return b & 1   ? TARGET + (b >> 1) % TARGETS
	       : b & 2 ? OWN + (b >> 2) % OWNS
		       : RINGS + (b >> 2);
}

/* A CPU's load or store, by its TLB. Stores to rings would only break the device, which the other
 * harness is for: they go elsewhere. */
static void touch(struct program *p, struct guest *g, bool write)
{
	struct memory *mem = fake.cluster.mem;
	uint32_t ppn = any_page(p), mpn;
	uint8_t how = (uint8_t)take(p, 1);
	unsigned node = how & 1;
	bool writable;

	if (write && ppn - RINGS < RING_PAGES)
		ppn = TARGET;
	mpn = g->tlb[node][ppn].mpn;
	if (mpn == MPN_NONE || (write && !g->tlb[node][ppn].writable)) {
		void *host;

		mpn = pmap_view(mem, g->vm.pmap, ppn, node, &writable);
		if (mpn == MPN_NONE || (write && !writable)) {
			if (pmap_fault(g->vm.pmap, ppn, node, write, &host, &writable))
				return;
			/* At the boundary that was the master; what the CPU uses is its view. */
			mpn = pmap_view(mem, g->vm.pmap, ppn, node, &writable);
		}
		if (write && !writable)
			die("page %u may not be stored to after a fault", ppn);
		g->tlb[node][ppn].mpn = mpn;
		g->tlb[node][ppn].writable = writable;
		if (write)
			content_wrote(g->vm.log, ppn);
	}
	if (write)
		memset((uint8_t *)frame_data(mem, mpn) + (how >> 1) * 32, how, 1 + how % 32);
}

/* Header and arguments, the reply's header and two buffers for the rest: one chain, offered. */
#define REQUEST (VM_RAM_BASE + RINGS * PAGE_SIZE + 0x400)
#define REPLY   (REQUEST + 0x400)
static void send(struct guest *g, const struct fuse_in_header *h, const void *args,
	const uint64_t buf[2], const uint32_t bytes[2])
{
	const struct {
		uint64_t pa;
		uint32_t bytes;
		uint16_t flags, next;
	} desc[] = {{REQUEST, h->len, NEXT, 1}, {REPLY, OUT, WRITE | NEXT, 2},
		{buf[0], bytes[0], WRITE | NEXT, 3}, {buf[1], bytes[1], WRITE, 0}};
	const struct fuse_out_header none = {0};

	gm_write(&g->vm, REQUEST, h, IN);
	gm_write(&g->vm, REQUEST + IN, args, h->len - IN);
	gm_write(&g->vm, REPLY, &none, OUT);
	gm_write(&g->vm, VM_RAM_BASE + RINGS * PAGE_SIZE, desc, sizeof(desc));
	gm_write16(&g->vm,
		VM_RAM_BASE + (RINGS + 1) * PAGE_SIZE + 4 + 2 * (g->offered % QUEUE_SIZE), 0);
	gm_write16(&g->vm, VM_RAM_BASE + (RINGS + 1) * PAGE_SIZE + 2, ++g->offered);
	set(g, 0x50, REQUESTS);
}

static void init(struct guest *g, uint32_t flags)
{
	const uint64_t buf[2] = {
		VM_RAM_BASE + TARGET * PAGE_SIZE, VM_RAM_BASE + (TARGET + 1) * PAGE_SIZE};
	const uint32_t bytes[2] = {PAGE_SIZE, PAGE_SIZE};
	const struct fuse_init_in in = {
		.major = 7, .minor = 38, .max_readahead = 131072, .flags = flags};
	const struct fuse_in_header h = {.opcode = FUSE_INIT, .len = IN + sizeof(in)};

	send(g, &h, &in, buf, bytes);
}

/*
 * One request whose reply is a header and then two buffers, each at a place of its own; mostly a
 * READ. At the boundary it is answered at once; when it is answered there and nothing else has
 * happened since, the pages read are compared with the file.
 */
static void request(struct program *p, struct guest *g, uint8_t op)
{
	static const char *const name[] = {"big", "sub", "b", ".."};
	struct fuse_in_header h = {.opcode = FUSE_READ, .nodeid = take(p, 1) % (N_NODES + 2)};
	struct fuse_out_header out = {0};
	union {
		uint8_t bytes[64];
		struct fuse_read_in read;
		char name[64];
		uint32_t word[16];
	} args = {0};
	uint64_t buf[2];
	uint32_t bytes[2], n_args = sizeof(args.read);
	uint8_t shape = (uint8_t)take(p, 1);
	uint8_t read[8 * PAGE_SIZE];

	if (op & 16) {
		h.opcode = (uint32_t)take(p, 1) % 64;
		for (unsigned i = 0; i < 4; i++)
			args.word[i] = (uint32_t)take(p, 2);
		if (op & 32)
			strcpy(args.name, name[take(p, 1) & 3]);
		n_args = (uint32_t)take(p, 1) % 64;
	} else {
		/* Mostly whole pages. */
		args.read.offset = take(p, 2) & (shape & 1 ? UINT16_MAX : 7u << PAGE_SHIFT);
		args.read.size = shape & 2 ? (uint32_t)take(p, 2) : 8 * PAGE_SIZE;
		args.read.flags = shape & 4 ? DIRECT : 0;
	}
	h.len = IN + n_args;
	for (unsigned i = 0; i < 2; i++) {
		buf[i] = VM_RAM_BASE + (TARGET + take(p, 1) % TARGETS) * PAGE_SIZE +
			 (shape & 8 ? take(p, 1) * 16 : 0);
		bytes[i] = shape & 16 ? (uint32_t)take(p, 2) : (1 + (shape >> 5 & 3)) * PAGE_SIZE;
		bytes[i] = MAX(bytes[i], 1u);
	}
	send(g, &h, &args, buf, bytes);
	if (h.opcode != FUSE_READ || !fake.cluster.mem->boundary || g->vm.state != VM_RUNNING)
		return;
	gm_read(&g->vm, REPLY, &out, OUT);
	if (out.error || out.len <= OUT || buf[0] + bytes[0] > buf[1])
		return;
	out.len -= OUT;
	if (out.len > bytes[0] + bytes[1] || out.len > sizeof(read))
		die("a reply of %u bytes", out.len);
	gm_read(&g->vm, buf[0], read, MIN(out.len, bytes[0]));
	if (out.len > bytes[0])
		gm_read(&g->vm, buf[1], read + bytes[0], out.len - bytes[0]);
	must_be_file(h.nodeid, args.read.offset, read, out.len);
}

static void step(struct program *p)
{
	uint8_t op = (uint8_t)take(p, 1);
	struct guest *g = &guest[op >> 7];
	struct memory *mem = fake.cluster.mem;
	uint32_t ppn, mpn, to;

	switch (op & 15) {
	case 0:
	case 1:
	case 2:
	case 3:
		if (g->vm.state == VM_RUNNING)
			request(p, g, op);
		break;
	case 4:
	case 5:
	case 6:
		touch(p, g, true);
		break;
	case 7:
	case 8:
		touch(p, g, false);
		break;
	case 9:
		run_phase();
		break;
	case 10:
		boundary();
		break;
	default:
		if (!mem->boundary)
			break;
		ppn = any_page(p);
		mpn = pmap_entry(g->vm.pmap, ppn)->mpn;
		if ((op & 15) == 11 && ppn - RINGS >= RING_PAGES) {
			pmap_drop(g->vm.pmap, ppn);
			content_given(fake.cluster.content, g->vm.id, ppn);
		} else if ((op & 15) == 12) {
			content_hint(fake.cluster.content, g->vm.id, ppn);
		} else if ((op & 15) == 13 && mpn != MPN_NONE) {
			page_migrate(mem, mpn, op >> 4 & 1, &to);
		} else if ((op & 15) == 14 && mpn != MPN_NONE) {
			page_replicate(mem, mpn, op >> 4 & 1, &to);
		} else if ((op & 15) == 15) {
			look();
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct program p = {data, size};
	struct image_cache *images;

	if (!*files_dir) {
		make_files();
		atexit(remove_files);
	}
	make_machine(size & 1 ? 16 << 20 : 64 * PAGE_SIZE, size & 2 ? SHARE_ALL : SHARE_FILES);
	images = image_cache_create(fake.cluster.mem);
	if (tree_open(images, files_dir, &tree))
		die("no directory");
	for (unsigned v = 0; v < VMS; v++) {
		make_guest(v, v == 0 || size & 4);
		init(&guest[v], (uint32_t)size << 20);
	}
	while (p.left)
		step(&p);
	boundary();
	memory_check(fake.cluster.mem);
	content_check(fake.cluster.content);
	for (unsigned v = 0; v < VMS; v++)
		check_guest(v);
	check_files();
	content_destroy(fake.cluster.content);
	for (unsigned v = 0; v < VMS; v++) {
		for (unsigned i = 0; i < guest[v].vm.n_devices; i++)
			guest[v].vm.device[i]->ops->destroy(guest[v].vm.device[i]);
		pmap_destroy(guest[v].vm.pmap);
	}
	tree_close(tree);
	image_cache_destroy(images);
	memory_destroy(fake.cluster.mem);
	return 0;
}
