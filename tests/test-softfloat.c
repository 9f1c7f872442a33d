// SPDX-License-Identifier: MIT
//
// The arithmetic of softfloat.h against independent judges, results and flags: the host's floating
// point in the four rounding modes it has; exact integer and binary64 arithmetic for the fifth,
// ties away from zero; and some answers known by themselves.
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "monitor/engine/sim/softfloat.h"
#include "tests/float-host.h"
#include "tests/float-operands.h"
#include "tests/small-machine.h"

typedef unsigned __int128 u128;

enum { ROUNDS = 250000 };

enum op { ADD, SUB, MUL, DIV, SQRT, FMA, OPS };
static const char *const op_name[] = {"add", "sub", "mul", "div", "sqrt", "fma"};

static uint32_t soft32(enum op op, struct operands o, int rm, uint32_t *flags)
{
	switch (op) {
	case ADD:
		return f32_add(o.a, o.b, rm, flags);
	case SUB:
		return f32_sub(o.a, o.b, rm, flags);
	case MUL:
		return f32_mul(o.a, o.b, rm, flags);
	case DIV:
		return f32_div(o.a, o.b, rm, flags);
	case SQRT:
		return f32_sqrt(o.a, rm, flags);
	default:
		return f32_fma(o.a, o.b, o.c, rm, flags);
	}
}

static uint64_t soft64(enum op op, struct operands o, int rm, uint32_t *flags)
{
	switch (op) {
	case ADD:
		return f64_add(o.a, o.b, rm, flags);
	case SUB:
		return f64_sub(o.a, o.b, rm, flags);
	case MUL:
		return f64_mul(o.a, o.b, rm, flags);
	case DIV:
		return f64_div(o.a, o.b, rm, flags);
	case SQRT:
		return f64_sqrt(o.a, rm, flags);
	default:
		return f64_fma(o.a, o.b, o.c, rm, flags);
	}
}

static uint32_t host32(enum op op, struct operands o, int rm, uint32_t *flags)
{
	volatile float a = f32(o.a), b = f32(o.b), c = f32(o.c), r;

	host_begin(rm);
	switch (op) {
	case ADD:
		r = a + b;
		break;
	case SUB:
		r = a - b;
		break;
	case MUL:
		r = a * b;
		break;
	case DIV:
		r = a / b;
		break;
	case SQRT:
		r = sqrtf(a);
		break;
	default:
		r = fmaf(a, b, c);
	}
	*flags = host_end();
	return bits32(r);
}

static uint64_t host64(enum op op, struct operands o, int rm, uint32_t *flags)
{
	volatile double a = f64(o.a), b = f64(o.b), c = f64(o.c), r;

	host_begin(rm);
	switch (op) {
	case ADD:
		r = a + b;
		break;
	case SUB:
		r = a - b;
		break;
	case MUL:
		r = a * b;
		break;
	case DIV:
		r = a / b;
		break;
	case SQRT:
		r = sqrt(a);
		break;
	default:
		r = fma(a, b, c);
	}
	*flags = host_end();
	return bits64(r);
}

// IEEE 754 leaves it open whether infinity times zero plus a quiet NaN is invalid; in RISC-V it is.
static bool open_fma(struct float_format f, enum op op, struct operands o)
{
	uint64_t magnitude = (UINT64_C(1) << (f.frac_bits + f.exp_bits)) - 1;
	uint64_t a = o.a & magnitude, b = o.b & magnitude;
	uint64_t infinity = make_float(f, 0, magnitude >> f.frac_bits, 0);

	return op == FMA && ((a == infinity && b == 0) || (a == 0 && b == infinity));
}

// What the fifth mode may give, whatever the operation: the nearest number, or where that is
// another one, the neighbour farther from zero of an inexact result.
static void check_away(const char *what, struct operands o, const uint64_t *r,
	const uint32_t *flags, uint64_t magnitude)
{
	uint64_t away = r[SF_RMM];
	bool fits = away == r[SF_RNE] ||
		    (r[SF_RDN] != r[SF_RUP] && (away == r[SF_RDN] || away == r[SF_RUP]) &&
			    (away & magnitude) == (r[SF_RTZ] & magnitude) + 1 &&
			    r[SF_RNE] == r[SF_RTZ]);

	if (!fits || (flags[SF_RMM] ^ flags[SF_RNE]) & SF_NX)
		ck_abort_msg("%s: a %#jx b %#jx c %#jx: away %#jx, nearest %#jx, down %#jx, "
			     "up %#jx, flags %#x and %#x",
			what, (uintmax_t)o.a, (uintmax_t)o.b, (uintmax_t)o.c, (uintmax_t)away,
			(uintmax_t)r[SF_RNE], (uintmax_t)r[SF_RDN], (uintmax_t)r[SF_RUP],
			flags[SF_RMM], flags[SF_RNE]);
}

static void check_arithmetic(bool wide, enum op op, struct operands o)
{
	struct float_format f = wide ? binary64 : binary32;
	uint64_t soft[5];
	uint32_t flags[5] = {0};

	for (int rm = 0; rm < 5; rm++)
		soft[rm] = wide ? soft64(op, o, rm, &flags[rm]) : soft32(op, o, rm, &flags[rm]);

	for (int rm = 0; rm < SF_RMM; rm++) {
		uint32_t host_flags, ours = flags[rm] & HOST_FLAGS;
		uint64_t host =
			wide ? host64(op, o, rm, &host_flags) : host32(op, o, rm, &host_flags);

		if (open_fma(f, op, o))
			host_flags |= SF_NV;
		if (soft[rm] != host || ours != host_flags)
			ck_abort_msg("f%d_%s: a %#jx b %#jx c %#jx rm %d: soft %#jx %#x, "
				     "host %#jx %#x",
				wide ? 64 : 32, op_name[op], (uintmax_t)o.a, (uintmax_t)o.b,
				(uintmax_t)o.c, rm, (uintmax_t)soft[rm], ours, (uintmax_t)host,
				host_flags);
	}
	check_away(op_name[op], o, soft, flags, (UINT64_C(1) << (f.frac_bits + f.exp_bits)) - 1);
}

START_TEST(f32_arithmetic_equals_the_host)
{
	uint64_t seed = 11;

	for (int i = 0; i < ROUNDS; i++) {
		struct operands o = draw_operands(binary32, &seed);

		for (enum op op = 0; op < OPS; op++)
			check_arithmetic(false, op, o);
	}
}
END_TEST

START_TEST(f64_arithmetic_equals_the_host)
{
	uint64_t seed = 12;

	for (int i = 0; i < ROUNDS; i++) {
		struct operands o = draw_operands(binary64, &seed);

		for (enum op op = 0; op < OPS; op++)
			check_arithmetic(true, op, o);
	}
}
END_TEST

// Addend and rounded product that nearly or wholly cancel show every bit of the exact product.
START_TEST(fma_keeps_the_whole_product)
{
	uint64_t seed = 13;

	for (int i = 0; i < ROUNDS; i++) {
		uint32_t flags = 0;
		struct operands o = draw_operands(binary64, &seed);

		o.c = f64_mul(o.a, o.b, SF_RNE, &flags) ^ UINT64_C(1) << 63;
		check_arithmetic(true, FMA, o);
		o = draw_operands(binary32, &seed);
		o.c = f32_mul(o.a, o.b, SF_RNE, &flags) ^ UINT32_C(1) << 31;
		check_arithmetic(false, FMA, o);
	}
}
END_TEST

// The judge of the fifth mode: v rounded to `precision` bits, ties away from zero. It is a multiple
// of a power of two with at most 53 bits, so a double holds it.
static double away_integer(u128 v, bool sign, int precision)
{
	int shift = 0;

	while (v >> shift >> precision)
		shift++;
	if (shift)
		v = (v + ((u128)1 << (shift - 1))) >> shift;
	return ldexp(sign ? -(double)(uint64_t)v : (double)(uint64_t)v, shift);
}

static uint64_t short_integer(uint64_t *seed, int bits)
{
	return draw_pattern(seed) >> (64 - bits) >> draw(seed) % bits;
}

// Exact results that 128-bit integers hold.
START_TEST(ties_go_away_from_zero_in_integers)
{
	uint64_t seed = 14;
	int ties = 0;

	for (int i = 0; i < ROUNDS / 2; i++) {
		uint64_t a = short_integer(&seed, 53), b = short_integer(&seed, 53);
		uint64_t c = short_integer(&seed, 53);
		int shift = draw(&seed) % 60;
		bool sign = draw(&seed) & 1;
		uint64_t minus = (uint64_t)sign << 63;
		uint64_t fa = bits64(a) | minus, fb = bits64(b), fc = bits64(c) | minus;
		uint64_t scaled = bits64(ldexp(b, shift)) | minus;
		uint64_t addend = bits64(ldexp(c, shift)) | minus;
		uint32_t flags = 0, f32_minus = minus >> 32;
		u128 product = (u128)a * b;
		u128 sum = a + ((u128)b << shift);
		u128 both = product + ((u128)c << shift);
		double r;

		r = away_integer(product, sign, 53);
		ck_assert_uint_eq(f64_mul(fa, fb, SF_RMM, &flags), bits64(r));
		ties += bits64(r) != f64_mul(fa, fb, SF_RNE, &flags);
		r = away_integer(sum, sign, 53);
		ck_assert_uint_eq(f64_add(fa, scaled, SF_RMM, &flags), bits64(r));
		ties += bits64(r) != f64_add(fa, scaled, SF_RNE, &flags);
		r = away_integer(both, sign, 53);
		ck_assert_uint_eq(f64_fma(fa, fb, addend, SF_RMM, &flags), bits64(r));
		ties += bits64(r) != f64_fma(fa, fb, addend, SF_RNE, &flags);

		r = away_integer(c, false, 24);
		ck_assert_uint_eq(u64_to_f32(c, SF_RMM, &flags), bits32(r));
		ck_assert_uint_eq(f64_to_f32(fc, SF_RMM, &flags), bits32(r) | f32_minus);
		ties += bits32(r) != u64_to_f32(c, SF_RNE, &flags);
		c = draw_pattern(&seed);
		ck_assert_uint_eq(
			u64_to_f64(c, SF_RMM, &flags), bits64(away_integer(c, false, 53)));
		ck_assert_uint_eq(
			u64_to_f32(c, SF_RMM, &flags), bits32(away_integer(c, false, 24)));

		a >>= 29;
		b >>= 29;
		product = (u128)a * b;
		fa = bits32(a) | f32_minus;
		r = away_integer(product, sign, 24);
		ck_assert_uint_eq(f32_mul(fa, bits32(b), SF_RMM, &flags), bits32(r));
		ties += bits32(r) != f32_mul(fa, bits32(b), SF_RNE, &flags);
	}
	ck_assert_int_gt(ties, 1000);
}
END_TEST

// In the subnormal range and at overflow too: `exact` lies between two neighbours of binary32, and
// their middle is a double. The next number beyond the largest counts as 2^128.
static bool check_away32(double exact, const uint32_t *r)
{
	double down = isinf(f32(r[SF_RDN])) ? -0x1p128 : f32(r[SF_RDN]);
	double up = isinf(f32(r[SF_RUP])) ? 0x1p128 : f32(r[SF_RUP]);
	bool tie = r[SF_RDN] != r[SF_RUP] && exact == (down + up) / 2;
	uint32_t expected = !tie ? r[SF_RNE] : exact < 0 ? r[SF_RDN] : r[SF_RUP];

	ck_assert_msg(r[SF_RMM] == expected, "%a: %#x, expected %#x", exact, r[SF_RMM], expected);
	return tie;
}

START_TEST(ties_go_away_from_zero_at_the_ends)
{
	uint64_t seed = 15;
	int ties = 0;

	for (int i = 0; i < ROUNDS; i++) {
		struct operands o = draw_operands(binary32, &seed);
		double exact = (double)f32(o.a) * f32(o.b);
		uint64_t narrow = make_float(binary64, draw(&seed),
			1023 + (i & 1 ? 126 : -151) + (int)(draw(&seed) % 27), draw_pattern(&seed));
		uint32_t r[5], flags = 0;

		if (isfinite(exact)) {
			for (int rm = 0; rm < 5; rm++)
				r[rm] = f32_mul(o.a, o.b, rm, &flags);
			ties += check_away32(exact, r);
		}
		for (int rm = 0; rm < 5; rm++)
			r[rm] = f64_to_f32(narrow, rm, &flags);
		ties += check_away32(f64(narrow), r);
	}
	ck_assert_int_gt(ties, 1000);
}
END_TEST

// Known answers, for hosts whose own arithmetic is in doubt; each for all five modes in order.
START_TEST(known_answers)
{
	static const struct {
		enum op op;
		uint64_t a, b, r[5];
		uint32_t flags[5];
	} t[] = {
		{DIV, 0x3ff0000000000000, 0x4008000000000000,
			{0x3fd5555555555555, 0x3fd5555555555555, 0x3fd5555555555555,
				0x3fd5555555555556, 0x3fd5555555555555},
			{1, 1, 1, 1, 1}},
		{SQRT, 0x4000000000000000, 0,
			{0x3ff6a09e667f3bcd, 0x3ff6a09e667f3bcc, 0x3ff6a09e667f3bcc,
				0x3ff6a09e667f3bcd, 0x3ff6a09e667f3bcd},
			{1, 1, 1, 1, 1}},
		// 1 - 1
		{SUB, 0x3ff0000000000000, 0x3ff0000000000000, {0, 0, 0x8000000000000000, 0, 0},
			{0}},
		// 1 + 2^-53, a tie
		{ADD, 0x3ff0000000000000, 0x3ca0000000000000,
			{0x3ff0000000000000, 0x3ff0000000000000, 0x3ff0000000000000,
				0x3ff0000000000001, 0x3ff0000000000001},
			{1, 1, 1, 1, 1}},
		// the largest number doubled
		{ADD, 0x7fefffffffffffff, 0x7fefffffffffffff,
			{0x7ff0000000000000, 0x7fefffffffffffff, 0x7fefffffffffffff,
				0x7ff0000000000000, 0x7ff0000000000000},
			{5, 5, 5, 5, 5}},
		// minus the smallest number halved
		{MUL, 0x8000000000000001, 0x3fe0000000000000,
			{0x8000000000000000, 0x8000000000000000, 0x8000000000000001,
				0x8000000000000000, 0x8000000000000001},
			{3, 3, 3, 3, 3}},
		// (1 - 2^-53) 2^-1022: 53 bits hold it, so it is tiny, though it rounds to normal
		{MUL, 0x3fefffffffffffff, 0x0010000000000000,
			{0x0010000000000000, 0x000fffffffffffff, 0x000fffffffffffff,
				0x0010000000000000, 0x0010000000000000},
			{3, 3, 3, 3, 3}},
		// (1 + 2^-52)(1 - 2^-53) 2^-1022 is below 2^-1022 (1 + 2^-53): tiny never
		{MUL, 0x3fefffffffffffff, 0x0010000000000001,
			{0x0010000000000000, 0x0010000000000000, 0x0010000000000000,
				0x0010000000000001, 0x0010000000000000},
			{1, 1, 1, 1, 1}},
		// (1 - 2^-104) 2^-1022: not tiny after rounding up, but before
		{MUL, 0x3feffffffffffffe, 0x0010000000000001,
			{0x0010000000000000, 0x000fffffffffffff, 0x000fffffffffffff,
				0x0010000000000000, 0x0010000000000000},
			{1, 3, 3, 1, 1}},
		// 1 / -0, 0 / 0, sqrt(-1)
		{DIV, 0x3ff0000000000000, 0x8000000000000000,
			{0xfff0000000000000, 0xfff0000000000000, 0xfff0000000000000,
				0xfff0000000000000, 0xfff0000000000000},
			{8, 8, 8, 8, 8}},
		{DIV, 0, 0,
			{F64_CANONICAL_NAN, F64_CANONICAL_NAN, F64_CANONICAL_NAN, F64_CANONICAL_NAN,
				F64_CANONICAL_NAN},
			{16, 16, 16, 16, 16}},
		{SQRT, 0xbff0000000000000, 0,
			{F64_CANONICAL_NAN, F64_CANONICAL_NAN, F64_CANONICAL_NAN, F64_CANONICAL_NAN,
				F64_CANONICAL_NAN},
			{16, 16, 16, 16, 16}},
	};

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		for (int rm = 0; rm < 5; rm++) {
			uint32_t flags = 0;
			struct operands o = {t[i].a, t[i].b, 0};

			ck_assert_uint_eq(soft64(t[i].op, o, rm, &flags), t[i].r[rm]);
			ck_assert_uint_eq(flags, t[i].flags[rm]);
		}
	}
}
END_TEST

START_TEST(flags_are_collected_never_cleared)
{
	uint32_t flags = SF_DZ;

	f64_add(0x3ff0000000000000, 0x3ca0000000000000, SF_RNE, &flags);
	ck_assert_uint_eq(flags, SF_DZ | SF_NX);
	f32_sqrt(0xbf800000, SF_RNE, &flags);
	ck_assert_uint_eq(flags, SF_DZ | SF_NX | SF_NV);
	f32_add(0x3f800000, 0x3f800000, SF_RNE, &flags);
	ck_assert_uint_eq(flags, SF_DZ | SF_NX | SF_NV);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		f32_arithmetic_equals_the_host,
		f64_arithmetic_equals_the_host,
		fma_keeps_the_whole_product,
		ties_go_away_from_zero_in_integers,
		ties_go_away_from_zero_at_the_ends,
		known_answers,
		flags_are_collected_never_cleared,
	};
	Suite *s = suite_create("softfloat");
	TCase *t = tcase_create("judged");

	for (unsigned i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(t, tests[i]);
	suite_add_tcase(s, t);
	return run_suite(s);
}
