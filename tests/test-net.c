// SPDX-License-Identifier: MIT
/*
 * The virtio network device beyond plain frames: checksums and segments left to do, for peers that
 * take them so and for peers that do not; where the parts of a packet are placed, and which pages
 * are mapped; and what a driver may get wrong. Checksums are verified by a sum of this file's own.
 */
#include "tests/virtio-board.h"

enum { CSUM = 1, GUEST_CSUM = 2, MRG = 1 << 15 };
enum { GUEST_TSO4 = 1 << 7, GUEST_TSO6 = 1 << 8, HOST_TSO4 = 1 << 11, HOST_TSO6 = 1 << 12 };
enum { NEEDS_CSUM = 1, TCPV4 = 1, TCPV6 = 4 };
enum { SENDER = CSUM | HOST_TSO4 | HOST_TSO6, ALL = SENDER | GUEST_CSUM | GUEST_TSO4 | GUEST_TSO6 };
#define FRAME   (BUF + 0x40000)                /* virtio header and frame, as sent */
#define RX(i)   (BUF + 0x100000 + (i)*0x20000) /* receive buffers */
#define PAYLOAD (BUF + 0x60000)                /* page-aligned */

struct net_header {
	uint8_t flags, gso_type;
	uint16_t hdr_len, gso_size, csum_start, csum_offset, num_buffers;
};

static uint8_t frame[1 << 17]; /* the frame, from its Ethernet header */
static uint32_t frame_bytes, headers;

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) << 16 | get16(p + 2);
}

static uint32_t sum_words(uint32_t sum, const uint8_t *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

/* Of the TCP part at `tcp`: addresses, protocol and length. */
static uint32_t pseudo(const uint8_t *f, uint32_t tcp, uint32_t bytes)
{
	bool v6 = f[14] >> 4 == 6;
	uint8_t tail[4] = {0, 6, (uint8_t)((bytes - tcp) >> 8), (uint8_t)(bytes - tcp)};

	return sum_words(sum_words(0, f + (v6 ? 22 : 26), v6 ? 32 : 8), tail, 4);
}

/* A TCP segment with `payload` bytes of payload, its checksum left to do. */
static void make_tcp(bool v6, uint32_t payload)
{
	static const uint8_t ether[12] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1};
	uint32_t tcp = v6 ? 54 : 34, options = 12;

	memset(frame, 0, sizeof(frame));
	headers = tcp + 20 + options;
	frame_bytes = headers + payload;
	memcpy(frame, ether, 12);
	put16(frame + 12, v6 ? 0x86dd : 0x0800);
	for (unsigned i = 0; i < 40; i++)
		frame[14 + i] = (uint8_t)(i * 7 + 1); /* addresses, mostly */
	if (v6) {
		frame[14] = 0x60;
		put16(frame + 18, frame_bytes - tcp);
		frame[20] = 6;
	} else {
		frame[14] = 0x45;
		put16(frame + 16, frame_bytes - 14);
		put16(frame + 18, 0xfffe); /* identification: wraps */
		frame[23] = 6;
		put16(frame + 24, 0);
		put16(frame + 24, ~sum_words(0, frame + 14, 20));
	}
	memset(frame + tcp, 0, 20 + options);
	put16(frame + tcp, 4000);
	frame[tcp + 4] = 0xff, frame[tcp + 5] = 0xff, frame[tcp + 6] = 0xf0; /* sequence: wraps */
	frame[tcp + 12] = (uint8_t)((20 + options) / 4 << 4);
	frame[tcp + 13] = 0x80 | 0x10 | 8 | 1; /* CWR ACK PSH FIN */
	for (uint32_t i = 0; i < payload; i++)
		frame[headers + i] = (uint8_t)(i * 5 + i / 251);
	put16(frame + tcp + 16, pseudo(frame, tcp, frame_bytes));
}

static struct net_header offload(uint8_t gso_type, uint16_t gso_size)
{
	uint16_t tcp = frame[14] >> 4 == 6 ? 54 : 34;

	return (struct net_header){NEEDS_CSUM, gso_type, 0, gso_size, tcp, 16, 0};
}

/* n buffers of `room` bytes for B, at RX(0) and on. */
static void post(unsigned n, uint32_t room)
{
	for (unsigned i = 0; i < n; i++) {
		put_desc(desc_pa(NET_B, 0), i, RX(i), room, WRITE, 0);
		offer(NET_B, 0, (uint16_t)i);
	}
}

/* A sends the chain at descriptor 0. */
static void transmit(void)
{
	offer(NET_A, 1, 0);
	fake_run_phase();
	notify(NET_A, 1);
	fake_boundary();
	subnet_run(subnet, 0);
}

/* A sends `frame`, in one buffer. */
static void send_with(const struct net_header *h)
{
	gm_write(vm, FRAME, h, sizeof(*h));
	gm_write(vm, FRAME + 12, frame, frame_bytes);
	put_desc(desc_pa(NET_A, 1), 0, FRAME, 12 + frame_bytes, 0, 0);
	transmit();
}

static struct subnet_stats total(void)
{
	struct subnet_stats s;

	subnet_total(subnet, &s);
	return s;
}

/* What was received as used element `index`, of one buffer. */
static uint32_t received(uint16_t index, struct net_header *h, uint8_t *to)
{
	uint32_t head, bytes = used_bytes(NET_B, 0, index, &head);

	ck_assert_uint_ge(bytes, 12 + 14);
	gm_read(vm, RX(head), h, sizeof(*h));
	gm_read(vm, RX(head) + 12, to, bytes - 12);
	return bytes - 12;
}

START_TEST(offloads_reach_who_takes_them)
{
	static uint8_t got[1 << 17];
	struct net_header h, sent;

	for (unsigned v6 = 0; v6 < 2; v6++) {
		start(NET_A, SENDER);
		start(NET_B, ALL);
		post(2, 0x11000);
		make_tcp(v6, 60000);
		sent = offload(v6 ? TCPV6 : TCPV4, 1400);
		sent.hdr_len = 7; /* a lie, which goes no further */
		send_with(&sent);
		ck_assert_uint_eq(used_index(NET_B, 0), 1);
		ck_assert_uint_eq(received(1, &h, got), frame_bytes);
		ck_assert_mem_eq(got, frame, frame_bytes);
		ck_assert_uint_eq(h.flags, NEEDS_CSUM);
		ck_assert_uint_eq(h.gso_type, sent.gso_type);
		ck_assert_uint_eq(h.gso_size, 1400);
		ck_assert_uint_eq(h.hdr_len, headers);
		ck_assert_uint_eq(h.csum_start, sent.csum_start);
		ck_assert_uint_eq(h.csum_offset, 16);
		/* Too short to be cut: not said to be. */
		make_tcp(v6, 1400);
		send_with(&sent);
		ck_assert_uint_eq(received(2, &h, got), frame_bytes);
		ck_assert_uint_eq(h.gso_type, 0);
		ck_assert_uint_eq(h.flags, NEEDS_CSUM);
	}
}
END_TEST

/* `got` is the segment of `frame` that begins `done` bytes into the payload. */
static void check_segment(
	const uint8_t *got, uint32_t bytes, unsigned index, uint32_t done, bool sum)
{
	bool v6 = frame[14] >> 4 == 6, last = done + bytes - headers == frame_bytes - headers;
	uint32_t tcp = v6 ? 54 : 34;

	ck_assert_mem_eq(got, frame, 14);
	ck_assert_mem_eq(got + headers, frame + headers + done, bytes - headers);
	if (v6) {
		ck_assert_uint_eq(get16(got + 18), bytes - tcp);
		ck_assert_mem_eq(got + 20, frame + 20, 34);
	} else {
		ck_assert_uint_eq(get16(got + 16), bytes - 14);
		ck_assert_uint_eq(get16(got + 18), (0xfffe + index) & 0xffff);
		ck_assert_uint_eq(sum_words(0, got + 14, 20), 0xffff);
		ck_assert_mem_eq(got + 26, frame + 26, 8);
	}
	ck_assert_uint_eq(get32(got + tcp + 4), get32(frame + tcp + 4) + done);
	ck_assert_uint_eq(got[tcp + 13], 0x10 | (index ? 0 : 0x80) | (last ? 9 : 0));
	if (sum)
		ck_assert_uint_eq(
			sum_words(pseudo(got, tcp, bytes), got + tcp, bytes - tcp), 0xffff);
	else
		ck_assert_uint_eq(get16(got + tcp + 16), pseudo(got, tcp, bytes));
}

START_TEST(segments_are_cut_for_who_does_not)
{
	static uint8_t got[1 << 17];
	struct net_header h, sent;

	for (unsigned i = 0; i < 4; i++) {
		bool v6 = i & 1, sum = i & 2;
		uint32_t done = 0, bytes;

		start(NET_A, SENDER);
		/* The other's segments do not help. */
		start(NET_B, sum ? 0 : GUEST_CSUM | (v6 ? GUEST_TSO4 : GUEST_TSO6));
		post(8, 0x4000);
		make_tcp(v6, 7 * 1001 - 3); /* an odd size, so that pages do not fit it */
		sent = offload(v6 ? TCPV6 : TCPV4, 1001);
		send_with(&sent);
		ck_assert_uint_eq(used_index(NET_B, 0), 7);
		for (unsigned n = 0; n < 7; n++) {
			bytes = received((uint16_t)(n + 1), &h, got);
			ck_assert_uint_eq(h.gso_type, 0);
			ck_assert_uint_eq(h.flags, sum ? 0 : NEEDS_CSUM);
			ck_assert_uint_eq(bytes, n < 6 ? headers + 1001 : headers + 998);
			check_segment(got, bytes, n, done, sum);
			done += bytes - headers;
		}
	}
	ck_assert_uint_eq(total().cut, 4);
}
END_TEST

START_TEST(checksums_are_computed_for_who_does_not)
{
	static uint8_t got[1 << 17];
	struct net_header h, sent;

	for (uint32_t payload = 0; payload < 9000; payload = payload * 2 + 1) {
		start(NET_A, SENDER);
		start(NET_B, GUEST_TSO4 | GUEST_TSO6); /* not worth anything without GUEST_CSUM */
		post(1, 0x4000);
		make_tcp(payload & 2, payload);
		sent = offload(0, 0);
		send_with(&sent);
		ck_assert_uint_eq(received(1, &h, got), frame_bytes);
		ck_assert_uint_eq(h.flags, 0);
		ck_assert_uint_eq(sum_words(pseudo(got, sent.csum_start, frame_bytes),
					  got + sent.csum_start, frame_bytes - sent.csum_start),
			0xffff);
		put16(got + sent.csum_start + 16, get16(frame + sent.csum_start + 16));
		ck_assert_mem_eq(got, frame, frame_bytes);
	}
}
END_TEST

/* After whatever A did, a plain frame still gets through. */
static void still_works(void)
{
	struct net_header plain = {0};
	uint16_t before = used_index(NET_B, 0);

	make_tcp(false, 100);
	send_with(&plain);
	ck_assert_uint_eq(used_index(NET_B, 0), before + 1);
	ck_assert(!(reg(NET_A, 0x70) & NEEDS_RESET) && !(reg(NET_B, 0x70) & NEEDS_RESET));
}

START_TEST(impossible_wishes_are_dropped)
{
	static const struct {
		struct net_header h;
		uint8_t patch_at, patch; /* a byte of the frame, from the network header */
	} bad[] = {
		{{NEEDS_CSUM, 0, 0, 0, 65535, 0, 0}, 0, 0}, /* beyond the frame */
		{{NEEDS_CSUM, 0, 0, 0, 65535, 65535, 0}, 0, 0},
		{{NEEDS_CSUM, 0, 0, 0, 3034, 31, 0}, 0, 0},      /* by a byte */
		{{NEEDS_CSUM, 0, 0, 0, 13, 0, 0}, 0, 0},         /* in the Ethernet header */
		{{NEEDS_CSUM, TCPV4, 0, 0, 34, 16, 0}, 0, 0},    /* segments of nothing */
		{{NEEDS_CSUM, TCPV4, 0, 1, 34, 16, 0}, 0, 0},    /* thousands of them */
		{{0, TCPV4, 0, 1000, 34, 16, 0}, 0, 0},          /* no checksum */
		{{NEEDS_CSUM, TCPV4, 0, 1000, 34, 6, 0}, 0, 0},  /* not TCP's */
		{{NEEDS_CSUM, TCPV4, 0, 1000, 38, 16, 0}, 0, 0}, /* not where IP ends */
		{{NEEDS_CSUM, TCPV4, 0, 1000, 3040, 16, 0}, 0, 0},
		{{NEEDS_CSUM, TCPV6, 0, 1000, 34, 16, 0}, 0, 0},     /* it is IPv4 */
		{{NEEDS_CSUM, 3, 0, 1000, 34, 16, 0}, 0, 0},         /* UDP */
		{{NEEDS_CSUM, 0x81, 0, 1000, 34, 16, 0}, 0, 0},      /* ECN was not offered */
		{{NEEDS_CSUM, 255, 65535, 65535, 34, 16, 0}, 0, 0},  /* nothing at all */
		{{NEEDS_CSUM, TCPV4, 0, 1000, 34, 16, 0}, 0, 0x65},  /* version 6 inside IPv4 */
		{{NEEDS_CSUM, TCPV4, 0, 1000, 34, 16, 0}, 0, 0x44},  /* IP header too short */
		{{NEEDS_CSUM, TCPV4, 0, 1000, 34, 16, 0}, 0, 0x4f},  /* ... and too long */
		{{NEEDS_CSUM, TCPV4, 0, 1000, 34, 16, 0}, 9, 17},    /* UDP inside */
		{{NEEDS_CSUM, TCPV4, 0, 1000, 34, 16, 0}, 32, 0x40}, /* TCP header too short */
	};

	start(NET_A, SENDER);
	start(NET_B, ALL);
	post(1, 0x4000);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		make_tcp(false, 3000);
		if (bad[i].patch)
			frame[14 + bad[i].patch_at] = bad[i].patch;
		send_with(&bad[i].h);
		ck_assert_msg(used_index(NET_B, 0) == 0, "header %u got through", i);
	}
	still_works();

	/* The same to one that would have them cut; and what was not negotiated. */
	start(NET_B, 0);
	post(2, 0x4000);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		make_tcp(false, 3000);
		if (bad[i].patch)
			frame[14 + bad[i].patch_at] = bad[i].patch;
		send_with(&bad[i].h);
		ck_assert_msg(used_index(NET_B, 0) == 0, "header %u got through", i);
	}
	still_works();
	start(NET_A, 0);
	make_tcp(false, 3000);
	send_with(&(struct net_header){NEEDS_CSUM, 0, 0, 0, 34, 16, 0});
	send_with(&(struct net_header){0, TCPV4, 0, 1000, 34, 16, 0});
	ck_assert_uint_eq(used_index(NET_B, 0), 1);
	still_works();
}
END_TEST

START_TEST(frames_are_of_a_size)
{
	struct net_header h = {0};

	start(NET_A, SENDER);
	start(NET_B, ALL | 1 << 3); /* MTU */
	post(2, 0x12000);
	make_tcp(false, 0);
	for (uint32_t bytes = 0; bytes < 14; bytes++) {
		frame_bytes = bytes;
		send_with(&h);
	}
	frame_bytes = SUBNET_MTU + 14 + 5; /* beyond what was agreed, without being segments */
	send_with(&h);
	frame_bytes = PACKET_MAX + 1;
	send_with(&h);
	ck_assert_uint_eq(used_index(NET_B, 0), 0);
	still_works();
	frame_bytes = SUBNET_MTU + 14;
	memset(frame + 14, 1, frame_bytes - 14);
	send_with(&h);
	ck_assert_uint_eq(used_index(NET_B, 0), 2);
}
END_TEST

/* A packet of headers and n whole pages of A's, sent as Linux sends a file. */
static void send_pages(unsigned n, uint32_t tail)
{
	struct net_header h;
	uint64_t d = desc_pa(NET_A, 1);

	make_tcp(false, n * PAGE_SIZE + tail);
	h = offload(TCPV4, 1448);
	gm_write(vm, FRAME + 100, &h, sizeof(h));
	gm_write(vm, FRAME + 112, frame, headers);
	gm_write(vm, PAYLOAD, frame + headers, n * PAGE_SIZE + tail);
	put_desc(d, 0, FRAME + 100, 12 + headers, NEXT, 1);
	put_desc(d, 1, PAYLOAD, n * PAGE_SIZE + tail, 0, 0);
	transmit();
}

/* The packet as it lies in B's buffers from used element `first` on. */
static void check_merged(uint16_t first, unsigned n_buffers)
{
	static uint8_t got[1 << 17];
	uint32_t head, at = 0;
	uint16_t num;

	ck_assert_uint_eq(used_index(NET_B, 0), first + n_buffers - 1);
	for (unsigned i = 0; i < n_buffers; i++) {
		uint32_t bytes = used_bytes(NET_B, 0, (uint16_t)(first + i), &head);
		uint64_t pa;

		gm_read64(vm, desc_pa(NET_B, 0) + 16 * head, &pa);
		gm_read(vm, pa, got + at, bytes);
		at += bytes;
	}
	memcpy(&num, got + 10, 2);
	ck_assert_uint_eq(num, n_buffers);
	ck_assert_uint_eq(at, 12 + frame_bytes);
	ck_assert_mem_eq(got + 12, frame, frame_bytes);
	memory_check(fake.cluster.mem);
	pmap_check(vm->pmap);
}

static uint32_t frame_at(uint64_t pa)
{
	return pmap_entry(vm->pmap, (uint32_t)((pa - VM_RAM_BASE) >> PAGE_SHIFT))->mpn;
}

START_TEST(pages_meet_pages)
{
	uint32_t head;

	fake.machine.cost.page_share = 200;
	fake.machine.cost.page_copy = 4800;
	fake.machine.cost.shootdown = 800;
	start(NET_A, SENDER);
	start(NET_B, ALL | MRG);
	post(5, PAGE_SIZE);
	send_pages(3, 100);
	/* Headers, three pages, the rest: each in a buffer of its own. */
	check_merged(1, 5);
	ck_assert_uint_eq(used_bytes(NET_B, 0, 1, &head), 12 + headers);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(used_bytes(NET_B, 0, (uint16_t)(2 + i), &head), PAGE_SIZE);
		ck_assert_uint_eq(frame_at(RX(head)), frame_at(PAYLOAD + i * PAGE_SIZE));
	}
	ck_assert_uint_eq(total().pages_mapped, 3);
	ck_assert_uint_eq(total().copied_part, headers + 100);
	/* Paid: 3 pages out and in, an interrupt for both sides, and what was copied. */
	ck_assert_uint_eq(fake.charged[0], 6 * 200 + 2 * 800 + (headers + 100) * 4800 / PAGE_SIZE);
	/* The sender writes on: the receiver's stays as it was. */
	gm_write(vm, PAYLOAD, "changed", 7);
	ck_assert_uint_ne(frame_at(PAYLOAD), frame_at(RX(1)));
	check_merged(1, 5);
}
END_TEST

START_TEST(buffers_are_chosen)
{
	static const uint32_t room[] = {
		PAGE_SIZE, 1536, PAGE_SIZE, 1536, PAGE_SIZE, PAGE_SIZE + 512};
	uint32_t head;

	start(NET_A, SENDER);
	start(NET_B, ALL | MRG);
	for (unsigned i = 0; i < ARRAY_SIZE(room); i++) {
		put_desc(desc_pa(NET_B, 0), i, RX(i) + (room[i] == 1536 ? 1024 : 0), room[i], WRITE,
			0);
		offer(NET_B, 0, (uint16_t)i);
	}
	send_pages(2, 0);
	check_merged(1, 3);
	used_bytes(NET_B, 0, 1, &head);
	ck_assert_uint_eq(head, 1); /* headers: the first that is no page */
	used_bytes(NET_B, 0, 2, &head);
	ck_assert_uint_eq(head, 0);
	used_bytes(NET_B, 0, 3, &head);
	ck_assert_uint_eq(head, 2);
	/* What was passed over comes next, and the sixth begins with a page. */
	send_pages(2, 0);
	check_merged(4, 3);
	used_bytes(NET_B, 0, 4, &head);
	ck_assert_uint_eq(head, 3);
	used_bytes(NET_B, 0, 6, &head);
	ck_assert_uint_eq(head, 5);
	ck_assert_uint_eq(total().pages_mapped, 4);
}
END_TEST

START_TEST(pages_that_meet_none_are_copied)
{
	start(NET_A, SENDER);
	start(NET_B, ALL | MRG);
	for (unsigned i = 0; i < 8; i++) {
		put_desc(desc_pa(NET_B, 0), i, RX(i) + 64, 2048, WRITE, 0);
		offer(NET_B, 0, (uint16_t)i);
	}
	send_pages(3, 0);
	check_merged(1, 7); /* and every buffer is full but the last */
	ck_assert_uint_eq(total().pages_mapped, 0);
	ck_assert_uint_eq(total().copied_unaligned, 3 * PAGE_SIZE);
	ck_assert_uint_ne(frame_at(PAYLOAD), frame_at(RX(1)));
	/* Without merging, a chain that happens to fit is served by mapping too. */
	start(NET_B, ALL);
	put_desc(desc_pa(NET_B, 0), 0, RX(0), 12, NEXT | WRITE, 1);
	put_desc(desc_pa(NET_B, 0), 1, RX(0) + 64, headers, NEXT | WRITE, 2);
	put_desc(desc_pa(NET_B, 0), 2, RX(1), 4 * PAGE_SIZE, WRITE, 0);
	offer(NET_B, 0, 0);
	send_pages(3, 5);
	ck_assert_uint_eq(used_index(NET_B, 0), 1);
	ck_assert_uint_eq(total().pages_mapped, 3);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(
			frame_at(RX(1) + i * PAGE_SIZE), frame_at(PAYLOAD + i * PAGE_SIZE));
}
END_TEST

START_TEST(with_sharing_off_buffers_are_filled)
{
	uint32_t head;

	start(NET_A, SENDER);
	start(NET_B, ALL | MRG);
	post(5, PAGE_SIZE);
	send_pages(3, 100);
	check_merged(1, 4);
	for (uint16_t i = 1; i < 4; i++)
		ck_assert_uint_eq(used_bytes(NET_B, 0, i, &head), PAGE_SIZE);
	ck_assert_uint_eq(total().pages_mapped, 0);
	ck_assert_uint_eq(total().copied_off, frame_bytes);
	ck_assert_uint_eq(packet_pool_frames(subnet_packets(subnet)), 0);
}
END_TEST

START_TEST(packets_wait_for_room_and_end_with_a_reset)
{
	start(NET_A, SENDER);
	start(NET_B, ALL | MRG);
	post(2, PAGE_SIZE);
	send_pages(3, 0);
	ck_assert_uint_eq(used_index(NET_B, 0), 0);
	ck_assert_uint_eq(packet_pool_frames(subnet_packets(subnet)), 3);
	for (unsigned i = 2; i < 4; i++) {
		put_desc(desc_pa(NET_B, 0), i, RX(i), PAGE_SIZE, WRITE, 0);
		offer(NET_B, 0, (uint16_t)i);
	}
	gm_write(vm, PAYLOAD, "changed", 7); /* too late */
	subnet_run(subnet, 0);
	check_merged(1, 4);
	ck_assert_uint_eq(packet_pool_frames(subnet_packets(subnet)), 0);

	/* One that does not come to fit is dropped after a while: 10 ms. */
	put_desc(desc_pa(NET_B, 0), 0, RX(0), PAGE_SIZE, WRITE, 0);
	offer(NET_B, 0, 0);
	send_pages(3, 0);
	subnet_run(subnet, 9999999);
	ck_assert_uint_eq(packet_pool_frames(subnet_packets(subnet)), 3);
	subnet_run(subnet, 10000000);
	ck_assert_uint_eq(packet_pool_frames(subnet_packets(subnet)), 0);
	ck_assert_uint_eq(total().dropped, 1);

	/* Buffers looked at belong to a driver that is gone. */
	start(NET_B, ALL | MRG);
	put_desc(desc_pa(NET_B, 0), 7, RX(7), PAGE_SIZE, WRITE, 0);
	offer(NET_B, 0, 7);
	still_works();
}
END_TEST

static void setup_sharing(void)
{
	board_share = SHARE_NET;
	setup();
}

static void setup_off(void)
{
	board_share = 0;
	setup();
}

int main(void)
{
	Suite *s = suite_create("net");
	TCase *on = tcase_create("sharing"), *off = tcase_create("off");

	tcase_add_checked_fixture(on, setup_sharing, teardown);
	tcase_add_checked_fixture(off, setup_off, teardown);
	tcase_add_test(on, offloads_reach_who_takes_them);
	tcase_add_test(on, segments_are_cut_for_who_does_not);
	tcase_add_test(on, checksums_are_computed_for_who_does_not);
	tcase_add_test(on, impossible_wishes_are_dropped);
	tcase_add_test(on, frames_are_of_a_size);
	tcase_add_test(on, pages_meet_pages);
	tcase_add_test(on, buffers_are_chosen);
	tcase_add_test(on, pages_that_meet_none_are_copied);
	tcase_add_test(off, with_sharing_off_buffers_are_filled);
	tcase_add_test(on, packets_wait_for_room_and_end_with_a_reset);
	suite_add_tcase(s, on);
	suite_add_tcase(s, off);
	return run_suite(s);
}
