// SPDX-License-Identifier: MIT
//
// The conversions, comparisons and classes of softfloat.h, results and flags: against the host's
// floating point, and for what RISC-V itself defines (saturation, classes, minimum and maximum)
// against the tables of the specification.
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "monitor/engine/sim/softfloat.h"
#include "tests/float-host.h"
#include "tests/float-operands.h"
#include "tests/small-machine.h"

enum { ROUNDS = 250000 };

struct integer_type {
	double low, beyond; // the range is [low, beyond)
	uint64_t min, max;  // as the functions give them, extended to 64 bits
};

static const struct integer_type integers[] = {
	{-0x1p31, 0x1p31, INT32_MIN, INT32_MAX},
	{0, 0x1p32, 0, UINT32_MAX},
	{-0x1p63, 0x1p63, INT64_MIN, INT64_MAX},
	{0, 0x1p64, 0, UINT64_MAX},
};

static uint64_t soft_to_integer(int type, bool wide, uint64_t a, int rm, uint32_t *flags)
{
	switch (type) {
	case 0:
		return (int64_t)(wide ? f64_to_i32(a, rm, flags) : f32_to_i32(a, rm, flags));
	case 1:
		return wide ? f64_to_u32(a, rm, flags) : f32_to_u32(a, rm, flags);
	case 2:
		return wide ? f64_to_i64(a, rm, flags) : f32_to_i64(a, rm, flags);
	default:
		return wide ? f64_to_u64(a, rm, flags) : f32_to_u64(a, rm, flags);
	}
}

// Through a volatile pointer, as the compiler's own expansion knows one rounding mode only.
static double (*volatile host_rint)(double) = rint;

// The host rounds to an integral double; the range is the specification's.
static void check_to_integer(bool wide, uint64_t a, int rm)
{
	volatile double x = wide ? f64(a) : (double)f32(a), r;
	uint32_t host_flags = 0;

	if (rm == SF_RMM) {
		r = round(x);
		host_flags = r == x ? 0 : SF_NX;
	} else {
		host_begin(rm);
		r = host_rint(x);
		host_flags = host_end() & SF_NX;
	}
	for (int type = 0; type < 4; type++) {
		const struct integer_type *t = &integers[type];
		uint32_t flags = 0, expected_flags = host_flags;
		uint64_t v = soft_to_integer(type, wide, a, rm, &flags), expected;

		if (r >= t->low && r < t->beyond) {
			expected = r < 0 ? (uint64_t)(int64_t)r : (uint64_t)r;
		} else {
			expected = r < t->low ? t->min : t->max;
			expected_flags = SF_NV;
		}
		if (v != expected || flags != expected_flags)
			ck_abort_msg("type %d of f%d %#jx rm %d: %#jx %#x, expected %#jx %#x", type,
				wide ? 64 : 32, (uintmax_t)a, rm, (uintmax_t)v, flags,
				(uintmax_t)expected, expected_flags);
	}
}

START_TEST(conversions_to_integers_round_and_saturate)
{
	uint64_t seed = 16;

	for (int i = 0; i < ROUNDS; i++) {
		int rm = draw(&seed) % 5, exponent = (int)(draw(&seed) % 70) - 3;

		check_to_integer(false, draw_float(binary32, &seed), rm);
		check_to_integer(true, draw_float(binary64, &seed), rm);
		check_to_integer(false,
			make_float(binary32, draw(&seed), 127 + exponent, draw_pattern(&seed)), rm);
		check_to_integer(true,
			make_float(binary64, draw(&seed), 1023 + exponent, draw_pattern(&seed)),
			rm);
	}
}
END_TEST

// v > 0 with its lowest bit sticky, so that a host without unsigned conversion rounds it too.
static uint64_t host_from_integer(bool wide, bool sign, uint64_t magnitude, int rm, uint32_t *flags)
{
	bool halve = magnitude >> 63;
	volatile int64_t v = halve ? magnitude >> 1 | (magnitude & 1) : magnitude;
	volatile float r32 = 0, scale = halve ? 2 : 1;
	volatile double r64 = 0;

	if (sign)
		v = -v;
	host_begin(rm);
	if (wide)
		r64 = (double)v;
	else
		r32 = (float)v;
	*flags = host_end();
	return wide ? bits64(r64 * scale) : bits32(r32 * scale);
}

static void check_from_integer(uint64_t v, int rm)
{
	struct {
		uint64_t soft;
		uint32_t flags;
		bool wide, sign;
		uint64_t magnitude;
	} c[] = {
		{.wide = false, .sign = (int32_t)v < 0, .magnitude = llabs((int32_t)v)},
		{.wide = false, .sign = false, .magnitude = (uint32_t)v},
		{.wide = false, .sign = (int64_t)v < 0, .magnitude = (int64_t)v < 0 ? -v : v},
		{.wide = false, .sign = false, .magnitude = v},
		{.wide = true, .sign = (int32_t)v < 0, .magnitude = llabs((int32_t)v)},
		{.wide = true, .sign = false, .magnitude = (uint32_t)v},
		{.wide = true, .sign = (int64_t)v < 0, .magnitude = (int64_t)v < 0 ? -v : v},
		{.wide = true, .sign = false, .magnitude = v},
	};

	c[0].soft = i32_to_f32(v, rm, &c[0].flags);
	c[1].soft = u32_to_f32(v, rm, &c[1].flags);
	c[2].soft = i64_to_f32(v, rm, &c[2].flags);
	c[3].soft = u64_to_f32(v, rm, &c[3].flags);
	c[4].soft = i32_to_f64(v, rm, &c[4].flags);
	c[5].soft = u32_to_f64(v, rm, &c[5].flags);
	c[6].soft = i64_to_f64(v, rm, &c[6].flags);
	c[7].soft = u64_to_f64(v, rm, &c[7].flags);
	for (int i = 0; i < 8; i++) {
		uint32_t flags;
		uint64_t host = host_from_integer(c[i].wide, c[i].sign, c[i].magnitude, rm, &flags);

		if (c[i].soft != host || c[i].flags != flags)
			ck_abort_msg("conversion %d of %#jx rm %d: %#jx %#x, host %#jx %#x", i,
				(uintmax_t)v, rm, (uintmax_t)c[i].soft, c[i].flags, (uintmax_t)host,
				flags);
	}
}

START_TEST(conversions_from_integers_equal_the_host)
{
	uint64_t seed = 17;

	for (int i = 0; i < ROUNDS; i++)
		check_from_integer(draw_pattern(&seed), i % 4);
}
END_TEST

START_TEST(conversions_between_formats_equal_the_host)
{
	uint64_t seed = 18;

	for (int i = 0; i < ROUNDS / 2; i++) {
		int rm = i % 4;
		uint64_t wide =
			i & 4 ? draw_float(binary64, &seed)
			      : make_float(binary64, draw(&seed),
					1023 + (i & 8 ? 126 : -151) + (int)(draw(&seed) % 27),
					draw_pattern(&seed));
		uint32_t narrow = draw_float(binary32, &seed), flags = 0, host_flags;
		volatile double d = f64(wide);
		volatile float f;

		host_begin(rm);
		f = (float)d;
		host_flags = host_end();
		ck_assert_uint_eq(f64_to_f32(wide, rm, &flags), bits32(f));
		ck_assert_uint_eq(flags & HOST_FLAGS, host_flags);

		flags = 0;
		f = f32(narrow);
		host_begin(rm);
		d = f;
		host_flags = host_end();
		ck_assert_uint_eq(f32_to_f64(narrow, &flags), bits64(d));
		ck_assert_uint_eq(flags, host_flags);
	}
}
END_TEST

START_TEST(comparisons_equal_the_host)
{
	uint64_t seed = 19;

	for (int i = 0; i < ROUNDS / 2; i++) {
		bool wide = i & 1;
		struct operands o = draw_operands(wide ? binary64 : binary32, &seed);

		if (i % 8 < 2)
			o.b = o.a;
		volatile double a = wide ? f64(o.a) : 0, b = wide ? f64(o.b) : 0;
		volatile float c = wide ? 0 : f32(o.a), d = wide ? 0 : f32(o.b);
		bool nan = isnan(wide ? a : c) || isnan(wide ? b : d);
		uint32_t quiet = 0, flags[3] = {0};
		int eq = wide ? f64_eq(o.a, o.b, &flags[0]) : f32_eq(o.a, o.b, &flags[0]);
		int lt = wide ? f64_lt(o.a, o.b, &flags[1]) : f32_lt(o.a, o.b, &flags[1]);
		int le = wide ? f64_le(o.a, o.b, &flags[2]) : f32_le(o.a, o.b, &flags[2]);
		int classes = wide ? f64_classify(o.a) | f64_classify(o.b)
				   : f32_classify(o.a) | f32_classify(o.b);

		quiet = classes & 1 << 8 ? SF_NV : 0;
		ck_assert_int_eq(eq, wide ? a == b : c == d);
		ck_assert_int_eq(lt, wide ? a < b : c < d);
		ck_assert_int_eq(le, wide ? a <= b : c <= d);
		ck_assert_uint_eq(flags[0], quiet);
		ck_assert_uint_eq(flags[1], nan ? SF_NV : 0);
		ck_assert_uint_eq(flags[2], nan ? SF_NV : 0);
	}
}
END_TEST

// The classes of FCLASS in the order of its bits.
static const uint32_t class32[][2] = {
	{0xff800000, 0xff800000},
	{0xff7fffff, 0x80800000},
	{0x807fffff, 0x80000001},
	{0x80000000, 0x80000000},
	{0x00000000, 0x00000000},
	{0x00000001, 0x007fffff},
	{0x00800000, 0x7f7fffff},
	{0x7f800000, 0x7f800000},
	{0x7f800001, 0xffbfffff},
	{0x7fc00000, 0xffffffff},
};

static const uint64_t class64[][2] = {
	{0xfff0000000000000, 0xfff0000000000000},
	{0xffefffffffffffff, 0x8010000000000000},
	{0x800fffffffffffff, 0x8000000000000001},
	{0x8000000000000000, 0x8000000000000000},
	{0x0000000000000000, 0x0000000000000000},
	{0x0000000000000001, 0x000fffffffffffff},
	{0x0010000000000000, 0x7fefffffffffffff},
	{0x7ff0000000000000, 0x7ff0000000000000},
	{0x7ff0000000000001, 0xfff7ffffffffffff},
	{0x7ff8000000000000, 0xffffffffffffffff},
};

START_TEST(classes_are_the_specified_bits)
{
	for (int i = 0; i < 10; i++) {
		for (int j = 0; j < 2; j++) {
			ck_assert_uint_eq(f32_classify(class32[i][j]), 1u << i);
			ck_assert_uint_eq(f64_classify(class64[i][j]), 1u << i);
		}
	}
}
END_TEST

// Classes 0 to 7 are ordered, so the table above is also that of minimum and maximum.
START_TEST(minimum_and_maximum_order_zeros_and_drop_nans)
{
	for (int i = 0; i < 10; i++) {
		for (int j = 0; j < 10; j++) {
			uint32_t a = class32[i][0], b = class32[j][0], flags = 0;
			uint64_t c = class64[i][0], d = class64[j][0];
			uint32_t low = i < 8 && (i <= j || j > 7) ? a : b;
			uint32_t high = i < 8 && (i >= j || j > 7) ? a : b;
			uint64_t low64 = i < 8 && (i <= j || j > 7) ? c : d;
			uint64_t high64 = i < 8 && (i >= j || j > 7) ? c : d;

			if (i > 7 && j > 7) {
				low = high = F32_CANONICAL_NAN;
				low64 = high64 = F64_CANONICAL_NAN;
			}
			ck_assert_uint_eq(f32_min(a, b, &flags), low);
			ck_assert_uint_eq(f64_min(c, d, &flags), low64);
			ck_assert_uint_eq(flags, i == 8 || j == 8 ? SF_NV : 0);
			flags = 0;
			ck_assert_uint_eq(f32_max(a, b, &flags), high);
			ck_assert_uint_eq(f64_max(c, d, &flags), high64);
			ck_assert_uint_eq(flags, i == 8 || j == 8 ? SF_NV : 0);
		}
	}
}
END_TEST

// The table "Domains of float-to-integer conversions and behavior for invalid inputs": for each
// type out of range below, -infinity, above, +infinity, NaN.
START_TEST(invalid_conversions_give_the_specified_values)
{
	static const uint64_t out[4][2] = {
		{(uint64_t)INT32_MIN, INT32_MAX},
		{0, UINT32_MAX},
		{(uint64_t)INT64_MIN, INT64_MAX},
		{0, UINT64_MAX},
	};
	static const uint64_t low[] = {
		0xc1e0000000200000, 0xbff0000000000000, 0xc3e0000000000001, 0xbff0000000000000};
	static const uint64_t high[] = {
		0x41e0000000000000, 0x41f0000000000000, 0x43e0000000000000, 0x43f0000000000000};

	for (int type = 0; type < 4; type++) {
		struct {
			bool wide, above;
			uint64_t v;
		} c[] = {
			{true, false, low[type]},
			{true, false, 0xfff0000000000000},
			{true, true, high[type]},
			{true, true, 0x7ff0000000000000},
			{true, true, 0x7ff8000000000000},
			{true, true, 0xfff0000000000001},
			{false, false, 0xdf800000},
			{false, false, 0xff800000},
			{false, true, 0x5f800000},
			{false, true, 0x7f800000},
			{false, true, 0x7fc00000},
			{false, true, 0xff800001},
		};

		for (unsigned i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
			uint32_t flags = 0;

			ck_assert_uint_eq(soft_to_integer(type, c[i].wide, c[i].v, SF_RTZ, &flags),
				out[type][c[i].above]);
			ck_assert_uint_eq(flags, SF_NV);
		}
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		conversions_to_integers_round_and_saturate,
		conversions_from_integers_equal_the_host,
		conversions_between_formats_equal_the_host,
		comparisons_equal_the_host,
		classes_are_the_specified_bits,
		minimum_and_maximum_order_zeros_and_drop_nans,
		invalid_conversions_give_the_specified_values,
	};
	Suite *s = suite_create("softfloat-convert");
	TCase *t = tcase_create("judged");

	for (unsigned i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(t, tests[i]);
	suite_add_tcase(s, t);
	return run_suite(s);
}
