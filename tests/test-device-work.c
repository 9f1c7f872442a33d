// SPDX-License-Identifier: MIT
/*
 * What devices do for a guest at one boundary is bounded, whatever the guest asks for, and takes
 * the time of the vCPU that asked, in the machine's prices.
 */
#include "tests/virtio-board.h"

enum { COPY = 4096, CALL = 10, RECORD = 100 }; /* cycles; a byte copied takes one */

static void setup_priced(void)
{
	setup();
	fake.machine.cost.page_copy = COPY;
	fake.machine.cost.monitor_call = CALL;
	fake.machine.cost.page_share = RECORD;
	fake.initiator = 1;
}

/* What has been charged since the last call, all of it to the vCPU that notifies. */
static uint64_t charged(void)
{
	uint64_t cycles = fake.charged[1];

	ck_assert_uint_eq(fake.charged[0], 0);
	fake.charged[1] = 0;
	return cycles;
}

START_TEST(entropy_costs_what_its_bytes_and_requests_do)
{
	start(RNG, 0);
	ask_rng(RNG, 200);
	ck_assert_uint_eq(charged(), CALL + 200);
}
END_TEST

static uint64_t print(uint64_t pa, uint32_t bytes)
{
	put_desc(desc_pa(CON, 1), 0, pa, bytes, 0, 0);
	offer(CON, 1, 0);
	notify(CON, 1);
	return charged();
}

START_TEST(console_output_costs_what_its_bytes_do)
{
	start(CON, 0);
	ck_assert_uint_eq(print(BUF, 3000), CALL + 3000);
	ck_assert_uint_eq(print(BUF, 1 << 20), CALL + (1 << 20));
}
END_TEST

START_TEST(console_output_of_one_request_is_bounded)
{
	const uint32_t bytes = 2560 << 10; /* two and a half times the bound */
	unsigned rounds = 0;

	start(CON, 0);
	put_desc(desc_pa(CON, 1), 0, BUF, bytes, 0, 0);
	offer(CON, 1, 0);
	notify(CON, 1);
	while (!used_index(CON, 1)) {
		ck_assert_uint_eq(charged(), CALL + (1 << 20));
		ck_assert_uint_lt(rounds++, 3);
		fake_boundary();
	}
	ck_assert_uint_eq(rounds, 2);
	ck_assert_uint_eq(charged(), CALL + (512 << 10));
	ck_assert_uint_eq(stream_output_bytes(stream), bytes);
}
END_TEST

/* The driver makes the request shorter while the rest of it waits. */
START_TEST(a_request_that_shrinks_while_it_waits_ends)
{
	start(CON, 0);
	put_desc(desc_pa(CON, 1), 0, BUF, 2560 << 10, 0, 0);
	offer(CON, 1, 0);
	notify(CON, 1);
	put_desc(desc_pa(CON, 1), 0, BUF, 100, 0, 0);
	fake_boundary();
	ck_assert_uint_eq(used_index(CON, 1), 1);
	ck_assert_uint_eq(stream_output_bytes(stream), 1 << 20);
	print(BUF, 7); /* and the next begins at its beginning */
	ck_assert_uint_eq(stream_output_bytes(stream), (1 << 20) + 7);
}
END_TEST

/* A sector read by copying, whole pages that are in memory by mapping. */
START_TEST(disk_transfers_cost_copies_and_records)
{
	uint64_t d = desc_pa(BLK, 0);

	start(BLK, 0);
	for (unsigned i = 0; i < 2; i++) {
		gm_zero(vm, BUF, 16);
		put_desc(d, 0, BUF, 16, NEXT, 1);
		put_desc(d, 1, BUF + 0x1000, i ? 8192 : 512, NEXT | WRITE, 2);
		put_desc(d, 2, BUF + 16, 1, WRITE, 0);
		offer(BLK, 0, 0);
		notify(BLK, 0);
		fake_boundary();
		/* The header, the status; block 0 was read for the sector, block 1 is filled. */
		ck_assert_uint_eq(charged(), CALL + 17 + (i ? RECORD : 512));
	}
}
END_TEST

/* A write and its flush, four times over, with the device asked once. */
START_TEST(flushes_of_a_private_disk_are_bounded_at_each_boundary)
{
	const uint32_t header[2][4] = {{1}, {4}}; /* OUT of sector 0, FLUSH */
	uint64_t d = desc_pa(BLK, 0), last = 0;

	start(BLK, 1 << 9);
	gm_write(vm, BUF, header, sizeof(header));
	put_desc(d, 0, BUF, 16, NEXT, 1);
	put_desc(d, 1, BUF + 0x1000, 512, NEXT, 2);
	put_desc(d, 2, BUF + 64, 1, WRITE, 0);
	put_desc(d, 3, BUF + 16, 16, NEXT, 4);
	put_desc(d, 4, BUF + 65, 1, WRITE, 0);
	for (unsigned i = 0; i < 4; i++) {
		offer(BLK, 0, 0);
		offer(BLK, 0, 3);
	}
	fake_run_phase();
	notify(BLK, 0);
	while (used_index(BLK, 0) < 8) {
		fake_boundary();
		ck_assert_uint_gt(disk_stats(disk)->flushes, last);
		ck_assert_uint_le(disk_stats(disk)->flushes, last + 2);
		last = disk_stats(disk)->flushes;
	}
	ck_assert_uint_eq(disk_stats(disk)->flushes, 4);
}
END_TEST

/* What waited in the queue is served when the driver says that it is up: by the vCPU that says so. */
START_TEST(a_vcpu_that_brings_a_device_up_pays_for_what_waited)
{
	start(CON, 0);
	fake.initiator = 0;
	notify(CON, 1);
	fake.initiator = 1;
	set_reg(CON, 0x70, 3 | FEATURES_OK);
	put_desc(desc_pa(CON, 1), 0, BUF, 3000, 0, 0);
	offer(CON, 1, 0);
	set_reg(CON, 0x70, 3 | FEATURES_OK | DRIVER_OK);
	ck_assert_uint_eq(charged(), CALL + 3000);
}
END_TEST

/* From the card in NET_A to that in NET_B; what its receiver pays is charged to the same VM. */
static void broadcast(void)
{
	static const uint8_t head[14] = {255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 8, 0};

	gm_zero(vm, BUF, 72);
	gm_write(vm, BUF + 12, head, 14);
	put_desc(desc_pa(NET_A, 1), 0, BUF, 72, 0, 0);
	offer(NET_A, 1, 0);
	notify(NET_A, 1);
	fake_boundary();
	subnet_run(subnet, 0);
}

static int refuse(void *arg, const struct packet *k)
{
	(void)arg, (void)k;
	return -1;
}

static unsigned takes_all(void *arg)
{
	(void)arg;
	return TAKES_CHECKSUM | TAKES_TCP4 | TAKES_TCP6;
}

START_TEST(a_broadcast_costs_its_sender_a_record_for_each_receiver)
{
	static const struct subnet_port_ops deaf = {.deliver = refuse, .takes = takes_all};
	struct subnet_port *port[8];

	start(NET_A, 0);
	broadcast();
	ck_assert_uint_eq(charged(), CALL);
	for (unsigned i = 0; i < ARRAY_SIZE(port); i++)
		port[i] = subnet_attach(
			subnet, (const uint8_t[]){2, 0, 0, 0, 1, (uint8_t)i}, &deaf, NULL);
	broadcast();
	ck_assert_uint_eq(charged(), CALL + ARRAY_SIZE(port) * RECORD);
	for (unsigned i = 0; i < ARRAY_SIZE(port); i++)
		subnet_detach(port[i]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("device-work");
	TCase *t = tcase_create("device-work");

	tcase_add_checked_fixture(t, setup_priced, teardown);
	tcase_add_test(t, entropy_costs_what_its_bytes_and_requests_do);
	tcase_add_test(t, console_output_costs_what_its_bytes_do);
	tcase_add_test(t, console_output_of_one_request_is_bounded);
	tcase_add_test(t, a_request_that_shrinks_while_it_waits_ends);
	tcase_add_test(t, disk_transfers_cost_copies_and_records);
	tcase_add_test(t, a_broadcast_costs_its_sender_a_record_for_each_receiver);
	tcase_add_test(t, a_vcpu_that_brings_a_device_up_pays_for_what_waited);
	suite_add_tcase(s, t);
	t = tcase_create("private");
	tcase_add_checked_fixture(t, setup_private, teardown);
	tcase_add_test(t, flushes_of_a_private_disk_are_bounded_at_each_boundary);
	suite_add_tcase(s, t);
	return run_suite(s);
}
