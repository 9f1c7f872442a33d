// SPDX-License-Identifier: MIT
/*
 * Pages that cross the subnet while everything else goes on: random packets between VMs, cut at
 * random from their memories, with stores of sender and receiver before and after, migrations,
 * replications, latency, broadcasts, lack of buffers, resets, and VMs that end with packets under
 * way. Beside each VM runs a plain model of its memory, and beside the switch one of what each card
 * must get; bytes are compared throughout, and the invariant checkers run after every step.
 *
 * The guests' drivers are played through the device's registers and rings; stores go through the
 * pmap as an engine's do.
 */
#include <errno.h>

#include "numa/memory/move.h"
#include "sharing/share.h"
#include "tests/small-machine.h"
#include "tests/virtio-driver.h"

enum {
	VMS = 3,
	NODES = 3,
	RING = 64,
	RX_QUEUE = 0,
	TX_QUEUE = 1,
	RING_PAGES = 8, /* of both queues; not modelled */
	HEAD_PAGES = 2, /* headers of what is sent */
	DATA_PAGES = 40,
	RX_PAGES = RING, /* a receive buffer begins in each */
	PAGES = RING_PAGES + HEAD_PAGES + DATA_PAGES + RX_PAGES + 1,
	BYTES = PAGES * PAGE_SIZE,
	DATA_AT = (RING_PAGES + HEAD_PAGES) * PAGE_SIZE,
	RX_AT = DATA_AT + DATA_PAGES * PAGE_SIZE,
	WAITING = 4096,
	MRG = 1 << 15,
};

struct expected {
	uint32_t bytes;
	uint8_t *data;
	unsigned to; /* of what was sent: a VM, or VMS for all others */
};

struct guest {
	struct world *w;
	struct vm vm;
	struct vcpu vcpu;
	struct device *card;
	bool alive;
	uint8_t model[BYTES];          /* what the guest must see */
	struct expected list[WAITING]; /* what must come, in order */
	unsigned first, last;
	struct expected sent[WAITING]; /* since the last boundary */
	unsigned n_staged;
	struct {
		uint64_t pa;
		uint32_t bytes;
	} buffer[RING]; /* the driver's; bytes 0: not posted */
	uint16_t avail[2], used[2];
	unsigned n_received, n_sent;
};

struct world {
	uint64_t seed, now;
	struct subnet *net;
	struct guest vm[VMS];
	unsigned port[VMS]; /* whose ports they are, in order of attachment */
	unsigned n_stores, n_moves, n_broken;
	struct subnet_stats past; /* of cards that are gone */
};

/* As ck_assert(), which is too slow to be used for every byte. */
#define MUST(what)                                                                                 \
	do {                                                                                       \
		if (!(what))                                                                       \
			die("%s:%d: not so: %s", __FILE__, __LINE__, #what);                       \
	} while (0)

static unsigned pick(struct world *w, unsigned n)
{
	return (unsigned)(splitmix64(&w->seed) >> 33) % n;
}

static unsigned number(const struct guest *g)
{
	return (unsigned)(g - g->w->vm);
}

/* ---- a guest's driver -------------------------------------------------------------------- */

static void set(struct guest *g, unsigned offset, uint32_t value)
{
	g->card->ops->write(g->card, &g->vcpu, offset, 4, value);
}

static uint64_t ring_pa(unsigned queue, unsigned part)
{
	return VM_RAM_BASE + (queue * 4 + part) * PAGE_SIZE;
}

static void driver_start(struct guest *g)
{
	set(g, 0x70, 0);
	set(g, 0x70, 3);
	set(g, 0x24, 0);
	set(g, 0x20, MRG);
	set(g, 0x24, 1);
	set(g, 0x20, 1);
	set(g, 0x70, 3 | FEATURES_OK);
	for (unsigned q = 0; q < 2; q++) {
		for (unsigned part = 0; part < 3; part++)
			MUST(!gm_zero(&g->vm, ring_pa(q, part), PAGE_SIZE));
		set(g, 0x30, q);
		set(g, 0x38, RING);
		for (unsigned part = 0; part < 3; part++) {
			set(g, 0x80 + 0x10 * part, (uint32_t)ring_pa(q, part));
			set(g, 0x84 + 0x10 * part, 0);
		}
		set(g, 0x44, 1);
		g->avail[q] = g->used[q] = 0;
	}
	memset(g->buffer, 0, sizeof(g->buffer));
	set(g, 0x70, 3 | FEATURES_OK | DRIVER_OK);
}

static void descriptor(
	struct guest *g, unsigned queue, unsigned i, uint64_t pa, uint32_t bytes, uint16_t flags)
{
	uint64_t at = ring_pa(queue, 0) + 16 * i;

	gm_write64(&g->vm, at, pa);
	gm_write32(&g->vm, at + 8, bytes);
	gm_write16(&g->vm, at + 12, flags);
	gm_write16(&g->vm, at + 14, (uint16_t)(i + 1));
}

static void make_available(struct guest *g, unsigned queue, uint16_t head)
{
	gm_write16(&g->vm, ring_pa(queue, 1) + 4 + 2 * (g->avail[queue] % RING), head);
	gm_write16(&g->vm, ring_pa(queue, 1) + 2, ++g->avail[queue]);
	set(g, 0x50, queue);
}

static void do_post(struct guest *g)
{
	for (unsigned n = pick(g->w, 30); n > 0; n--) {
		unsigned i = pick(g->w, RING), kind = pick(g->w, 4);
		uint64_t pa = VM_RAM_BASE + RX_AT + (uint64_t)i * PAGE_SIZE;
		uint32_t bytes = PAGE_SIZE;

		if (g->buffer[i].bytes)
			continue;
		if (kind == 0) {
			pa += 8 * pick(g->w, 200);
			bytes = 100 + pick(g->w, 1500);
		} else if (kind == 1) {
			bytes = 12 + pick(g->w, PAGE_SIZE - 12);
		}
		g->buffer[i].pa = pa;
		g->buffer[i].bytes = bytes;
		descriptor(g, RX_QUEUE, i, pa, bytes, WRITE);
		make_available(g, RX_QUEUE, (uint16_t)i);
	}
}

static struct expected copy_of(const uint8_t *data, uint32_t bytes, unsigned to)
{
	struct expected e = {bytes, xcalloc(1, bytes), to};

	memcpy(e.data, data, bytes);
	return e;
}

static void expect(struct guest *to, const struct expected *e)
{
	MUST(to->last - to->first < WAITING);
	to->list[to->last++ % WAITING] = copy_of(e->data, e->bytes, e->to);
}

static void do_send(struct guest *g)
{
	static uint8_t packet[PACKET_MAX];
	static const uint8_t all[6] = {255, 255, 255, 255, 255, 255};
	struct world *w = g->w;
	unsigned to = pick(w, VMS), n = 1 + pick(w, 6), parts = 1;
	uint8_t mac[6] = {2, 0, 0, 0, 0, (uint8_t)to}, *header;
	uint32_t at = RING_PAGES * PAGE_SIZE + pick(w, PAGE_SIZE), bytes = 14 + pick(w, 100), total;
	bool group = pick(w, 8) == 0;

	if (to == number(g))
		return;
	/* Two headers, virtio's of nothing and Ethernet's, somewhere in the pages for them. */
	header = g->model + at;
	memset(header, 0, 12);
	memcpy(header + 12, group ? all : mac, 6);
	memcpy(header + 18, mac, 6);
	header[23] = (uint8_t)number(g);
	if (pick(w, 8) == 0)
		header[23] = (uint8_t)to; /* says it is another: no harm */
	MUST(!gm_write(&g->vm, VM_RAM_BASE + at, header, 24));
	descriptor(g, TX_QUEUE, 0, VM_RAM_BASE + at, 12 + bytes, n > 1 ? NEXT : 0);
	memcpy(packet, header + 12, bytes);
	total = bytes;
	for (; parts < n; parts++) {
		uint32_t from = DATA_AT + pick(w, DATA_PAGES - 4) * PAGE_SIZE;

		bytes = (1 + pick(w, 3)) * PAGE_SIZE;
		if (pick(w, 3) == 0) {
			from += pick(w, PAGE_SIZE);
			bytes = 1 + pick(w, 3 * PAGE_SIZE);
		}
		descriptor(g, TX_QUEUE, parts, VM_RAM_BASE + from, bytes, parts + 1 < n ? NEXT : 0);
		memcpy(packet + total, g->model + from, bytes);
		total += bytes;
	}
	make_available(g, TX_QUEUE, 0);
	g->n_sent++;
	MUST(g->n_staged < WAITING);
	g->sent[g->n_staged++] = copy_of(packet, total, group ? VMS : to);
}

/* What the switch does at the boundary: in order of port. */
static void forward(struct world *w)
{
	for (unsigned p = 0; p < VMS; p++) {
		unsigned i = w->port[p];
		struct guest *from = &w->vm[i];

		for (unsigned n = 0; n < from->n_staged; n++) {
			struct expected *e = &from->sent[n];

			for (unsigned to = 0; to < VMS; to++)
				if (to != i && (e->to == to || e->to == VMS))
					expect(&w->vm[to], e);
			free(e->data);
		}
		from->n_staged = 0;
	}
}

/* What lies at pa in the guest's memory by its model, updated with what a used buffer got. */
static void take_bytes(struct guest *g, uint64_t pa, const uint8_t *data, uint32_t bytes)
{
	memcpy(g->model + (pa - VM_RAM_BASE), data, bytes);
}

/* The driver's interrupt: every packet must be the next that is due. */
static void do_receive(struct guest *g)
{
	uint16_t index;

	MUST(!gm_read16(&g->vm, ring_pa(RX_QUEUE, 2) + 2, &index));
	while (g->used[RX_QUEUE] != index) {
		struct expected *e = &g->list[g->first % WAITING];
		uint8_t header[12] = {0}, *all;
		uint16_t buffers = 1;
		uint32_t at = 0;

		MUST(g->first != g->last);
		all = xcalloc(1, 12 + e->bytes);
		memcpy(all + 12, e->data, e->bytes);
		for (unsigned i = 0; i < buffers; i++, g->used[RX_QUEUE]++) {
			uint64_t entry = ring_pa(RX_QUEUE, 2) + 4 + 8 * (g->used[RX_QUEUE] % RING);
			uint32_t id, bytes;

			MUST(g->used[RX_QUEUE] != index);
			gm_read32(&g->vm, entry, &id);
			gm_read32(&g->vm, entry + 4, &bytes);
			MUST(id < RING && bytes && bytes <= g->buffer[id].bytes);
			if (!i) {
				MUST(bytes >= 12);
				gm_read(&g->vm, g->buffer[id].pa, header, 12);
				memcpy(&buffers, header + 10, 2);
				memcpy(all, header, 12);
				memset(header, 0, 10);
				MUST(!memcmp(all, header, 12));
			}
			MUST(at + bytes <= 12 + e->bytes);
			take_bytes(g, g->buffer[id].pa, all + at, bytes);
			at += bytes;
			g->buffer[id].bytes = 0;
		}
		MUST(at == 12 + e->bytes);
		free(all);
		free(e->data);
		g->first++;
		g->n_received++;
	}
}

/* ---- what else happens ------------------------------------------------------------------- */

static void do_stores(struct guest *g)
{
	struct memory *mem = fake.cluster.mem;

	mem->boundary = false;
	for (unsigned n = pick(g->w, 20); n > 0; n--) {
		uint32_t ppn = RING_PAGES + pick(g->w, PAGES - RING_PAGES),
			 at = pick(g->w, PAGE_SIZE);
		bool writable;
		void *host;
		int err;

		/* What is posted is the device's. */
		if (ppn * PAGE_SIZE >= RX_AT && ppn < PAGES - 1 &&
			(g->buffer[ppn - RX_AT / PAGE_SIZE].bytes ||
				(ppn * PAGE_SIZE > RX_AT &&
					g->buffer[ppn - RX_AT / PAGE_SIZE - 1].bytes)))
			continue;
		err = pmap_fault(g->vm.pmap, ppn, pick(g->w, NODES), true, &host, &writable);
		if (err == -EAGAIN)
			break;
		MUST(!err && writable);
		((uint8_t *)host)[at] = g->model[ppn * PAGE_SIZE + at] =
			(uint8_t)(pick(g->w, 255) + 1);
		g->w->n_stores++;
	}
	mem->boundary = true;
}

static void do_move(struct world *w)
{
	struct memory *mem = fake.cluster.mem;
	struct guest *g = &w->vm[pick(w, VMS)];
	uint32_t mpn = pmap_entry(g->vm.pmap, pick(w, PAGES))->mpn;

	if (mpn == MPN_NONE)
		return;
	if (pick(w, 2))
		w->n_moves += !page_migrate(mem, mpn, pick(w, NODES), NULL);
	else
		w->n_moves += !page_replicate(mem, mpn, pick(w, NODES), NULL);
}

static void drop_list(struct guest *g)
{
	for (; g->first != g->last; g->first++)
		free(g->list[g->first % WAITING].data);
	while (g->n_staged)
		free(g->sent[--g->n_staged].data);
}

static void guest_start(struct world *w, unsigned i)
{
	struct guest *g = &w->vm[i];
	uint8_t mac[6] = {2, 0, 0, 0, 0, (uint8_t)i};

	memset(g, 0, sizeof(*g));
	g->w = w;
	g->vm.cluster = &fake.cluster;
	g->vm.id = i;
	g->vm.board = &board_virt;
	g->vm.ram_bytes = BYTES;
	g->vm.n_vcpus = 1;
	g->vm.vcpu = &g->vcpu;
	g->vcpu.vm = &g->vm;
	g->vm.pmap = pmap_create(fake.cluster.mem, i, PAGES, &fake_pmap_ops, &g->vm);
	g->card = virtio_net_create(&g->vm, 0, w->net, mac);
	for (uint32_t at = DATA_AT; at < RX_AT; at += 8) {
		uint64_t word = splitmix64(&w->seed);

		memcpy(g->model + at, &word, 8);
	}
	MUST(!gm_write(&g->vm, VM_RAM_BASE + DATA_AT, g->model + DATA_AT, RX_AT - DATA_AT));
	driver_start(g);
	g->alive = true;
}

/* The VM ends; what it sent and what was on its way to it are where they are. */
static void guest_end(struct guest *g)
{
	const struct subnet_stats *s;
	struct subnet_stats now;

	subnet_total(g->w->net, &now);
	g->card->ops->destroy(g->card);
	subnet_total(g->w->net, &g->w->past);
	s = &g->w->past;
	MUST(now.pages_mapped >= s->pages_mapped);
	pmap_destroy(g->vm.pmap);
	drop_list(g);
	g->alive = false;
}

static void check_all(struct world *w)
{
	memory_check(fake.cluster.mem);
	memory_check_owners(fake.cluster.mem);
	for (unsigned i = 0; i < VMS; i++) {
		struct guest *g = &w->vm[i];

		if (!g->alive)
			continue;
		pmap_check(g->vm.pmap);
		/* Posted buffers may hold what is not announced yet: it is, for that is done at
		 * once. So all of memory must be as the model says. */
		for (uint32_t ppn = RING_PAGES; ppn < PAGES; ppn++) {
			uint32_t mpn = pmap_entry(g->vm.pmap, ppn)->mpn;
			const uint8_t *model = g->model + ppn * PAGE_SIZE;

			if (mpn != MPN_NONE)
				MUST(!memcmp(frame_data(fake.cluster.mem, mpn), model, PAGE_SIZE));
		}
	}
}

static void boundary(struct world *w)
{
	w->now += pick(w, 3) * 1000;
	for (unsigned i = 0; i < VMS; i++)
		if (w->vm[i].alive)
			pmap_release_deferred(w->vm[i].vm.pmap);
	for (unsigned i = 0; i < VMS; i++)
		if (w->vm[i].alive)
			device_run_deferred(&w->vm[i].vm);
	forward(w);
	subnet_run(w->net, w->now);
	for (unsigned i = 0; i < VMS; i++) {
		if (!w->vm[i].alive)
			continue;
		do_receive(&w->vm[i]);
		for (unsigned node = 0; node < NODES; node++)
			pmap_refill(w->vm[i].vm.pmap, node);
	}
}

static void world_start(struct world *w, uint64_t seed, unsigned share)
{
	static const struct subnet_link link = {.clock_hz = 1000000000,
		.latency_ns = 1500,
		.bits_second = 100000000000,
		.mtu = SUBNET_MTU_MAX};

	memset(&fake, 0, sizeof(fake));
	memset(w, 0, sizeof(*w));
	w->seed = seed;
	fake.cluster.machine = &fake.machine;
	fake.cluster.engine = &fake_engine;
	fake.cluster.mem = SMALL_MEMORY(600, 600, 600);
	fake.cluster.mem->boundary = true;
	fake.cluster.share = share;
	w->net = subnet_create(fake.cluster.mem, &link);
	for (unsigned i = 0; i < VMS; i++) {
		w->port[i] = i;
		guest_start(w, i);
	}
}

static void world_end(struct world *w)
{
	struct memory_usage u;

	for (unsigned i = 0; i < VMS; i++)
		if (w->vm[i].alive)
			guest_end(&w->vm[i]);
	subnet_destroy(w->net);
	memory_check(fake.cluster.mem);
	memory_usage(fake.cluster.mem, -1, &u);
	ck_assert_uint_eq(u.free, u.total); /* nothing leaks */
	memory_destroy(fake.cluster.mem);
}

static uint64_t walk(struct world *w, unsigned steps)
{
	uint64_t digest = 0;

	for (unsigned step = 0; step < steps; step++) {
		struct guest *g = &w->vm[pick(w, VMS)];

		switch (pick(w, 12)) {
		case 0 ... 3:
			do_send(g);
			break;
		case 4 ... 6:
			do_post(g);
			break;
		case 7 ... 8:
			do_stores(g);
			break;
		case 9:
			do_move(w);
			break;
		case 10:
			boundary(w);
			break;
		case 11:
			if (pick(w, 60))
				break;
			guest_end(g);
			check_all(w);
			for (unsigned p = 0; p < VMS - 1; p++)
				if (w->port[p] == number(g)) {
					w->port[p] = w->port[p + 1];
					w->port[p + 1] = number(g);
				}
			guest_start(w, number(g));
			break;
		}
		check_all(w);
	}
	/* With buffers and time, all that is due arrives, and nothing is held any more. */
	for (unsigned i = 0; i < 400; i++) {
		boundary(w);
		for (unsigned v = 0; v < VMS; v++)
			do_post(&w->vm[v]);
	}
	for (unsigned v = 0; v < VMS; v++) {
		ck_assert_uint_eq(w->vm[v].first, w->vm[v].last);
		digest = digest * 31 + pmap_digest(w->vm[v].vm.pmap) + w->vm[v].n_received;
	}
	ck_assert_uint_eq(packet_pool_frames(subnet_packets(w->net)), 0);
	check_all(w);
	return digest;
}

START_TEST(every_byte_arrives_as_it_was_sent)
{
	static struct world w;
	struct subnet_stats s;

	world_start(&w, 100 + (uint64_t)_i, SHARE_NET);
	walk(&w, 2500);
	subnet_total(w.net, &s);
	ck_assert_uint_gt(s.pages_mapped, 100);
	ck_assert_uint_gt(s.copied_part, 10000);
	ck_assert_uint_gt(s.copied_unaligned, 10000);
	ck_assert_uint_gt(w.n_stores, 1000);
	ck_assert_uint_gt(w.n_moves, 20);
	world_end(&w);
}
END_TEST

START_TEST(sharing_changes_no_byte)
{
	static struct world w;
	struct subnet_stats s;

	world_start(&w, 200 + (uint64_t)_i, 0);
	walk(&w, 1500);
	subnet_total(w.net, &s);
	ck_assert_uint_eq(s.pages_mapped, 0);
	ck_assert_uint_gt(s.copied_off, 100000);
	world_end(&w);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net-pages");
	TCase *tc = tcase_create("net-pages");

	tcase_add_loop_test(tc, every_byte_arrives_as_it_was_sent, 0, 8);
	tcase_add_loop_test(tc, sharing_changes_no_byte, 0, 2);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
