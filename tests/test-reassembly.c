// SPDX-License-Identifier: MIT
/*
 * Fragments put together again: in any order and number, of many datagrams at once, and what
 * contradicts itself, is malformed or never completed.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "numa/util.h"
#include "sharing/reassembly.h"
#include "tests/small-machine.h"

enum { MAX_WAIT = 1000, HEADER = 28 /* with 8 bytes of options */ };
enum { DONT = 0x4000, MORE = 0x2000 };

static struct reassembly *r;
static uint64_t now;
static uint8_t payload[65536], piece[65536], *whole;

static void setup(void)
{
	r = reassembly_create(MAX_WAIT);
	now = 1;
	for (uint32_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 7 + i / 251);
}

static void teardown(void)
{
	reassembly_destroy(r);
}

static void put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static unsigned get16(const uint8_t *at)
{
	return at[0] << 8u | at[1];
}

static unsigned checksum(const uint8_t *ip)
{
	uint32_t s = 0;

	for (uint32_t i = 0; i < (ip[0] & 15u) * 4; i += 2)
		s += get16(ip + i);
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return ~s & 0xffff;
}

/* The fragment of datagram `id` that has `bytes` bytes of the payload from `at`, in piece. */
static uint32_t make(unsigned id, uint32_t at, uint32_t bytes, bool more)
{
	uint32_t header = at ? 20 : HEADER; /* options are in the first alone */

	memset(piece, 0, header);
	piece[0] = (uint8_t)(0x40 | header / 4);
	put16(piece + 2, header + bytes);
	put16(piece + 4, id);
	put16(piece + 6, at / 8 | (more ? MORE : 0));
	piece[8] = 64;
	piece[9] = 17;
	memcpy(piece + 12, (uint8_t[]){10, 0, 0, 2, 10, 0, 0, 1}, 8);
	if (!at)
		memset(piece + 20, 1, 8); /* options that do nothing */
	put16(piece + 10, checksum(piece));
	memcpy(piece + header, payload + at, bytes);
	return header + bytes;
}

static int add(unsigned id, uint32_t at, uint32_t bytes, bool more)
{
	return reassembly_add(r, piece, make(id, at, bytes, more), now, &whole);
}

static void expect_whole(int got, unsigned id, uint32_t bytes)
{
	ck_assert_int_eq(got, (int)(HEADER + bytes));
	ck_assert_uint_eq(get16(whole + 2), HEADER + bytes);
	ck_assert_uint_eq(get16(whole + 4), id);
	ck_assert_uint_eq(get16(whole + 6), 0);
	ck_assert_uint_eq(checksum(whole), 0);
	ck_assert(!ipv4_is_fragment(whole));
	ck_assert_mem_eq(whole + HEADER, payload, bytes);
}

START_TEST(in_order_and_backwards)
{
	ck_assert_int_eq(add(1, 0, 1480, true), 0);
	ck_assert(ipv4_is_fragment(piece));
	ck_assert_int_eq(add(1, 1480, 1480, true), 0);
	expect_whole(add(1, 2960, 1, false), 1, 2961);
	ck_assert_int_eq(add(1, 2960, 40, false), 0);
	ck_assert(ipv4_is_fragment(piece));
	ck_assert_int_eq(add(1, 1480, 1480, true), 0);
	expect_whole(add(1, 0, 1480, true), 1, 3000);
	expect_whole(add(1, 0, 100, false), 1, 100); /* no fragment at all */
}
END_TEST

/* Datagrams cut anyhow, their pieces mixed, some sent twice. */
START_TEST(whatever_order)
{
	enum { DATAGRAMS = 20, PIECES = 40 };
	uint64_t seed = (uint64_t)_i;
	struct {
		unsigned id;
		uint32_t at, bytes;
		bool more;
	} p[DATAGRAMS * PIECES]; /* each at most twice */
	uint32_t length[DATAGRAMS], n = 0, n_whole = 0;

	for (unsigned id = 0; id < DATAGRAMS; id++) {
		uint32_t at = 0, bytes = 1 + (uint32_t)(splitmix64(&seed) % 8000);

		length[id] = bytes;
		for (unsigned k = 0; at < bytes; k++) {
			uint32_t here = k == PIECES / 2 - 1
						? bytes
						: 8 * (1 + (uint32_t)(splitmix64(&seed) % 100));

			here = MIN(here, bytes - at);
			for (unsigned times = splitmix64(&seed) % 8 ? 1 : 2; times > 0; times--)
				p[n++] = (typeof(p[0])){id, at, here, at + here < bytes};
			at += here;
		}
	}
	for (uint32_t i = n - 1; i > 0; i--) {
		uint32_t j = (uint32_t)(splitmix64(&seed) % (i + 1));
		typeof(p[0]) other = p[i];

		p[i] = p[j];
		p[j] = other;
	}
	for (uint32_t i = 0; i < n; i++) {
		int got = add(p[i].id, p[i].at, p[i].bytes, p[i].more);

		ck_assert_int_ge(got, 0);
		if (!got)
			continue;
		expect_whole(got, p[i].id, length[p[i].id]);
		n_whole++;
	}
	ck_assert_uint_ge(n_whole, DATAGRAMS);
}
END_TEST

START_TEST(contradictions_drop_the_datagram)
{
	const struct {
		uint32_t at, bytes;
		bool more;
	} second[] = {
		{8, 16, true},      /* overlaps in part */
		{0, 16, false},     /* an end before what there is */
		{100 * 8, 8, true}, /* behind the end, see below */
		{40, 16, false},    /* another end */
	};

	for (unsigned i = 0; i < ARRAY_SIZE(second); i++) {
		ck_assert_int_eq(add(i, 0, 16, true), 0);
		ck_assert_int_eq(add(i, 24, 8, true), 0);
		if (i >= 2)
			ck_assert_int_eq(add(i, 32, 8, false), 0);
		ck_assert_int_eq(add(i, second[i].at, second[i].bytes, second[i].more), -EINVAL);
		/* Nothing is left of it. */
		ck_assert_int_eq(add(i, 16, 8, true), 0);
		ck_assert_int_eq(add(i, 24, 16, false), 0);
		expect_whole(add(i, 0, 16, true), i, 40);
	}
	/* The same bytes twice are no contradiction, others are. */
	ck_assert_int_eq(add(9, 0, 16, true), 0);
	ck_assert_int_eq(add(9, 0, 16, true), 0);
	payload[5]++;
	ck_assert_int_eq(add(9, 0, 16, true), -EINVAL);
}
END_TEST

START_TEST(malformed_fragments_are_refused)
{
	uint32_t bytes = make(1, 0, 16, true);

	for (uint32_t n = 0; n < bytes; n++)
		ck_assert_int_eq(reassembly_add(r, piece, n, now, &whole), -EINVAL);
	for (unsigned i = 0; i < HEADER; i++) { /* the checksum tells */
		make(1, 0, 16, true);
		piece[i] ^= 0x10;
		ck_assert_int_eq(reassembly_add(r, piece, bytes, now, &whole), -EINVAL);
	}
	ck_assert_int_eq(add(1, 0, 15, true), -EINVAL); /* the next would begin in between */
	ck_assert_int_eq(add(1, 0, 0, true), -EINVAL);
	ck_assert_int_eq(add(1, 65528, 8, false), -EINVAL); /* more than a packet can have */
	/* With the first one's options it is. */
	ck_assert_int_eq(add(1, 32768, 65515 - 32768, false), 0);
	ck_assert_int_eq(add(1, 0, 32760, true), 0);
	ck_assert_int_eq(add(1, 32760, 8, true), -EINVAL);
	ck_assert_int_eq(add(1, 32768, 65507 - 32768, false), 0);
	ck_assert_int_eq(add(1, 0, 32760, true), 0);
	expect_whole(add(1, 32760, 8, true), 1, 65507);
}
END_TEST

/* What never comes whole is bounded, in number and in time. */
START_TEST(the_oldest_makes_room)
{
	for (unsigned id = 0; id <= REASSEMBLY_MAX; id++)
		ck_assert_int_eq(add(id, 0, 8, true), 0);
	expect_whole(add(1, 8, 8, false), 1, 16);
	ck_assert_int_eq(add(0, 8, 8, false), 0); /* its first was dropped */
	now += MAX_WAIT;
	expect_whole(add(2, 8, 8, false), 2, 16);
	now++;
	for (unsigned id = 3; id <= REASSEMBLY_MAX; id++)
		ck_assert_int_eq(add(id, 8, 8, false), 0);
}
END_TEST

START_TEST(a_mark_is_taken_off)
{
	make(1, 0, 100, false);
	put16(piece + 6, DONT);
	put16(piece + 10, 0);
	put16(piece + 10, checksum(piece));
	ipv4_allow_fragments(piece);
	ck_assert_uint_eq(get16(piece + 6), 0);
	ck_assert_uint_eq(checksum(piece), 0);
	piece[1]++; /* a wrong checksum does not become right */
	ipv4_allow_fragments(piece);
	ck_assert_uint_ne(checksum(piece), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("reassembly");
	TCase *c = tcase_create("reassembly");

	tcase_add_checked_fixture(c, setup, teardown);
	suite_add_tcase(s, c);
	tcase_add_test(c, in_order_and_backwards);
	tcase_add_loop_test(c, whatever_order, 0, 20);
	tcase_add_test(c, contradictions_drop_the_datagram);
	tcase_add_test(c, malformed_fragments_are_refused);
	tcase_add_test(c, the_oldest_makes_room);
	tcase_add_test(c, a_mark_is_taken_off);
	return run_suite(s);
}
