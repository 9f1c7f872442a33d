// SPDX-License-Identifier: MIT
/*
 * The virtual subnet: who gets which frame and in which order, what is dropped and counted.
 */
#include <errno.h>
#include <malloc.h>
#include <string.h>

#include "sharing/subnet.h"
#include "tests/small-machine.h"

enum { PORTS = 4, LOG = 4096 };

static struct memory *mem;
static struct subnet *net;
static struct subnet_port *port[PORTS];
static int deaf[PORTS];
static bool echo[PORTS];
static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static uint32_t last_bytes;

/* What was delivered, in order: receiver and the frame's first byte of payload. */
static struct {
	uint8_t to, payload;
} delivered[LOG];
static unsigned n_delivered;

#define BYTES(d, n) (&(struct packet_span){.mpn = MPN_NONE, .data = (d), .bytes = (n)})

static void address(uint8_t *mac, unsigned n)
{
	memcpy(mac, (uint8_t[]){2, 0, 0, 0, (uint8_t)(n >> 8), (uint8_t)n}, 6);
}

static void send(unsigned from, const uint8_t *to, const uint8_t *source, uint8_t payload)
{
	uint8_t frame[60] = {0};

	memcpy(frame, to, 6);
	if (source)
		memcpy(frame + 6, source, 6);
	else
		address(frame + 6, from);
	frame[14] = payload;
	subnet_send(port[from], BYTES(frame, sizeof(frame)), 1, NULL, 0);
}

static void send_to(unsigned from, unsigned to, uint8_t payload)
{
	uint8_t mac[6];

	address(mac, to);
	send(from, mac, NULL, payload);
}

static int receive(void *arg, const struct packet *k)
{
	unsigned i = (unsigned)(uintptr_t)arg;
	uint8_t frame[15];

	if (deaf[i])
		return deaf[i];
	packet_copy(subnet_packets(net), k, 0, frame, sizeof(frame));
	last_bytes = k->bytes;
	ck_assert_uint_lt(n_delivered, LOG);
	delivered[n_delivered].to = (uint8_t)i;
	delivered[n_delivered++].payload = frame[14];
	if (echo[i])
		send(i, all, NULL, (uint8_t)(frame[14] + 1));
	return 0;
}

static unsigned takes(void *arg)
{
	(void)arg;
	return 0;
}

static const struct subnet_port_ops port_ops = {.deliver = receive, .takes = takes};

static void setup_link(const struct subnet_link *link)
{
	mem = SMALL_MEMORY(64);
	mem->boundary = true;
	net = subnet_create(mem, link);
	for (unsigned i = 0; i < PORTS; i++) {
		uint8_t mac[6];

		address(mac, i);
		port[i] = subnet_attach(net, mac, &port_ops, (void *)(uintptr_t)i);
	}
}

static void setup(void)
{
	setup_link(NULL);
}

static void teardown(void)
{
	subnet_destroy(net);
	memory_check(mem);
	memory_destroy(mem);
}

static void expect(unsigned at, unsigned to, unsigned payload)
{
	ck_assert_uint_lt(at, n_delivered);
	ck_assert_uint_eq(delivered[at].to, to);
	ck_assert_uint_eq(delivered[at].payload, payload);
}

START_TEST(order_is_of_port_then_of_sending)
{
	send_to(2, 0, 1);
	send_to(1, 0, 2);
	send_to(2, 1, 3);
	send_to(0, 3, 4);
	ck_assert_uint_eq(n_delivered, 0);
	subnet_run(net, 0);
	ck_assert_uint_eq(n_delivered, 4);
	expect(0, 0, 2);
	expect(1, 0, 1);
	expect(2, 1, 3);
	expect(3, 3, 4);
	subnet_run(net, 0);
	ck_assert_uint_eq(n_delivered, 4);
	ck_assert_uint_eq(subnet_port_stats(port[2])->frames_sent, 2);
	ck_assert_uint_eq(subnet_port_stats(port[2])->bytes_sent, 120);
	ck_assert_uint_eq(subnet_port_stats(port[0])->frames_received, 2);
	ck_assert_uint_eq(subnet_port_stats(port[0])->bytes_received, 120);
}
END_TEST

START_TEST(groups_and_strangers_reach_all_others)
{
	static const uint8_t group[6] = {1, 0, 0x5e, 0, 0, 1}, stranger[6] = {2, 9, 9, 9, 9, 9};
	const uint8_t *to[] = {all, group, stranger};

	for (unsigned i = 0; i < 3; i++) {
		n_delivered = 0;
		send(1, to[i], NULL, 5);
		subnet_run(net, 0);
		ck_assert_uint_eq(n_delivered, 3);
		expect(0, 0, 5);
		expect(1, 2, 5);
		expect(2, 3, 5);
	}
	/* Nothing comes back to the sender, even under its own address. */
	n_delivered = 0;
	send_to(1, 1, 5);
	subnet_run(net, 0);
	ck_assert_uint_eq(n_delivered, 0);
}
END_TEST

START_TEST(addresses_are_learned_but_not_taken_away)
{
	static const uint8_t bridge[6] = {2, 9, 9, 9, 9, 9};
	uint8_t victim[6];

	send(3, all, bridge, 1);
	subnet_run(net, 0);
	n_delivered = 0;
	send(0, bridge, NULL, 2);
	subnet_run(net, 0);
	ck_assert_uint_eq(n_delivered, 1);
	expect(0, 3, 2);

	/* It moves to where it was seen last. */
	send(2, all, bridge, 1);
	subnet_run(net, 0);
	n_delivered = 0;
	send(0, bridge, NULL, 3);
	subnet_run(net, 0);
	ck_assert_uint_eq(n_delivered, 1);
	expect(0, 2, 3);

	/* Port 3 says it is port 1. */
	address(victim, 1);
	send(3, all, victim, 1);
	subnet_run(net, 0);
	n_delivered = 0;
	send_to(0, 1, 4);
	subnet_run(net, 0);
	ck_assert_uint_eq(n_delivered, 1);
	expect(0, 1, 4);

	/* When the port is gone its learned addresses are strangers again. */
	subnet_detach(port[2]);
	n_delivered = 0;
	send(0, bridge, NULL, 5);
	subnet_run(net, 0);
	ck_assert_uint_eq(n_delivered, 2);
	expect(0, 1, 5);
	expect(1, 3, 5);
}
END_TEST

START_TEST(a_flood_of_addresses_does_no_harm)
{
	uint8_t mac[6];

	deaf[0] = deaf[2] = deaf[3] = true;
	for (unsigned i = 0; i < 50000; i++) {
		address(mac, 1000 + i);
		send(1, all, mac, 0);
		if (i % 1000 == 0)
			subnet_run(net, 0);
	}
	subnet_run(net, 0);
	deaf[0] = deaf[2] = deaf[3] = false;
	send_to(2, 0, 9);
	subnet_run(net, 0);
	ck_assert_uint_eq(n_delivered, 1);
	expect(0, 0, 9);
	ck_assert_uint_eq(subnet_port_stats(port[0])->dropped, 50000);
}
END_TEST

START_TEST(answers_wait_for_the_next_boundary)
{
	echo[0] = echo[1] = true;
	send_to(2, 0, 1);
	for (unsigned round = 1; round < 6; round++) {
		n_delivered = 0;
		subnet_run(net, 0);
		ck_assert_uint_ge(n_delivered, 1);
		for (unsigned i = 0; i < n_delivered; i++)
			ck_assert_uint_eq(delivered[i].payload, round);
	}
}
END_TEST

START_TEST(what_cannot_be_delivered_is_counted)
{
	static uint8_t frame[PACKET_MAX + 1];

	address(frame, 1);
	address(frame + 6, 0);
	subnet_send(port[0], BYTES(frame, 13), 1, NULL, 0);
	subnet_send(port[0], BYTES(frame, 0), 1, NULL, 0);
	subnet_send(port[0], BYTES(frame, PACKET_MAX + 1), 1, NULL, 0);
	ck_assert_uint_eq(subnet_port_stats(port[0])->dropped, 3);
	ck_assert_uint_eq(subnet_port_stats(port[0])->frames_sent, 0);
	subnet_send(port[0], BYTES(frame, 14 + 1), 1, NULL, 0);
	subnet_run(net, 0);
	ck_assert_uint_eq(last_bytes, 15);
	subnet_send(port[0], BYTES(frame, PACKET_MAX), 1, NULL, 0);
	subnet_run(net, 0);
	ck_assert_uint_eq(last_bytes, PACKET_MAX);

	deaf[1] = -ENODEV;
	send_to(0, 1, 1);
	subnet_run(net, 0);
	ck_assert_uint_eq(subnet_port_stats(port[1])->dropped, 1);
	ck_assert_uint_eq(subnet_port_stats(port[1])->frames_received, 2);

	/* A port that only sends does not fill the host. */
	for (unsigned i = 0; i < 1000; i++)
		subnet_send(port[0], BYTES(frame, PACKET_MAX), 1, NULL, 0);
	ck_assert_uint_eq(subnet_port_stats(port[0])->frames_sent, 3 + 256);
	ck_assert_uint_eq(subnet_port_stats(port[0])->dropped, 3 + 744);
	subnet_run(net, 0);
	ck_assert_uint_eq(subnet_port_stats(port[1])->dropped, 257);
	subnet_send(port[0], BYTES(frame, PACKET_MAX), 1, NULL, 0);
	ck_assert_uint_eq(subnet_port_stats(port[0])->frames_sent, 3 + 257);
}
END_TEST

static void setup_slow(void)
{
	/* A byte takes a cycle. */
	setup_link(&(struct subnet_link){.clock_hz = 1000000000,
		.latency_ns = 1000,
		.bits_second = 8000000000,
		.mtu = SUBNET_MTU});
}

/* Run up to just before `when`, where nothing may arrive, then to it. */
static void arrives(uint64_t when, unsigned to, unsigned payload)
{
	unsigned before = n_delivered;

	ck_assert_uint_eq(subnet_next(net), when);
	subnet_run(net, when - 1);
	ck_assert_uint_eq(n_delivered, before);
	subnet_run(net, when);
	ck_assert_uint_eq(n_delivered, before + 1);
	expect(before, to, payload);
}

START_TEST(links_take_their_time)
{
	ck_assert_uint_eq(subnet_next(net), UINT64_MAX);
	subnet_run(net, 5000);
	send_to(0, 1, 1);
	send_to(0, 1, 2); /* waits for its sender's link */
	send_to(2, 1, 3); /* and this for its receiver's */
	send_to(0, 3, 4); /* waits for the sender's only */
	subnet_run(net, 5000);
	ck_assert_uint_eq(n_delivered, 0);
	arrives(6060, 1, 1);
	arrives(6120, 1, 2);
	/* Two at once: in order of port. */
	ck_assert_uint_eq(subnet_next(net), 6180);
	subnet_run(net, 6180);
	ck_assert_uint_eq(n_delivered, 4);
	expect(2, 1, 3);
	expect(3, 3, 4);
	ck_assert_uint_eq(subnet_next(net), UINT64_MAX);

	/* Links that have been idle are free at once. */
	subnet_run(net, 9000);
	send_to(2, 1, 5);
	subnet_run(net, 9000);
	arrives(10060, 1, 5);
}
END_TEST

START_TEST(a_port_that_goes_takes_what_was_for_it)
{
	send_to(0, 1, 1);
	send_to(0, 2, 2);
	subnet_run(net, 0);
	subnet_detach(port[1]);
	send_to(0, 3, 3);
	subnet_detach(port[0]); /* with a packet not taken yet, and one under way */
	subnet_run(net, 100000);
	ck_assert_uint_eq(n_delivered, 1);
	expect(0, 2, 2);
}
END_TEST

/* Of a sanitizer's allocator, which mallinfo2() does not know. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t allocated_bytes(void)
{
	if (__sanitizer_get_current_allocated_bytes)
		return __sanitizer_get_current_allocated_bytes();
	return mallinfo2().uordblks;
}

/* Frames of 60 bytes to receivers that have no room for them. */
START_TEST(queues_are_bounded_in_the_hosts_memory)
{
	const size_t most = 16 << 20;
	size_t before = allocated_bytes();

	for (unsigned i = 1; i < PORTS; i++)
		deaf[i] = -EAGAIN;
	for (unsigned round = 0; round < 64; round++) {
		for (unsigned i = 0; i < 8192; i++)
			send_to(0, 1, 1);
		subnet_run(net, round);
	}
	ck_assert_uint_gt(allocated_bytes() - before, most / 2);
	ck_assert_uint_le(allocated_bytes() - before, most + 4096);
	ck_assert_uint_gt(subnet_port_stats(port[1])->dropped, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("subnet");
	TCase *tc = tcase_create("subnet");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, order_is_of_port_then_of_sending);
	tcase_add_test(tc, groups_and_strangers_reach_all_others);
	tcase_add_test(tc, addresses_are_learned_but_not_taken_away);
	tcase_add_test(tc, a_flood_of_addresses_does_no_harm);
	tcase_add_test(tc, answers_wait_for_the_next_boundary);
	tcase_add_test(tc, what_cannot_be_delivered_is_counted);
	tcase_add_test(tc, queues_are_bounded_in_the_hosts_memory);
	suite_add_tcase(s, tc);
	tc = tcase_create("slow");
	tcase_add_checked_fixture(tc, setup_slow, teardown);
	tcase_add_test(tc, links_take_their_time);
	tcase_add_test(tc, a_port_that_goes_takes_what_was_for_it);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
