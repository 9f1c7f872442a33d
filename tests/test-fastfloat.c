// SPDX-License-Identifier: MIT
//
// The host's floating point, where fastfloat.h uses it, never shows: every function gives the bits
// and the flags of its soft namesake in every rounding mode, whether SF_NX was set before or not.
#include <check.h>
#include <stdint.h>
#include <stdlib.h>

#include "monitor/engine/sim/fastfloat.h"
#include "tests/float-operands.h"

enum { ROUNDS = 600000 };

// Half of the operations round to nearest even with SF_NX set, as nearly all of a program's do.
struct mode {
	int rm;
	uint32_t flags;
};

static struct mode draw_mode(uint64_t *seed)
{
	uint64_t r = draw(seed);

	if (r & 1)
		return (struct mode){SF_RNE, SF_NX};
	return (struct mode){(r >> 1) % 5, r >> 32 & 1 ? SF_NX : r >> 33 & 31};
}

// Makes both calls with flags of their own (`flags` in their arguments).
#define SAME(soft_call, fast_call)                                                                 \
	do {                                                                                       \
		uint32_t soft_flags = m.flags, fast_flags = m.flags;                               \
		uint32_t *flags = &soft_flags;                                                     \
		uint64_t soft = soft_call;                                                         \
		flags = &fast_flags;                                                               \
		uint64_t fast = fast_call;                                                         \
		if (soft != fast || soft_flags != fast_flags)                                      \
			ck_abort_msg("%s: a %#jx b %#jx c %#jx rm %d flags %#x: soft %#jx %#x, "   \
				     "fast %#jx %#x",                                              \
				#soft_call, (uintmax_t)o.a, (uintmax_t)o.b, (uintmax_t)o.c, m.rm,  \
				m.flags, (uintmax_t)soft, soft_flags, (uintmax_t)fast,             \
				fast_flags);                                                       \
	} while (0)

START_TEST(arithmetic_is_the_same)
{
	uint64_t seed = 1;

	for (int i = 0; i < ROUNDS; i++) {
		struct mode m = draw_mode(&seed);
		struct operands o = draw_operands(binary32, &seed);

		SAME(f32_add(o.a, o.b, m.rm, flags), ff32_add(o.a, o.b, m.rm, flags));
		SAME(f32_sub(o.a, o.b, m.rm, flags), ff32_sub(o.a, o.b, m.rm, flags));
		SAME(f32_mul(o.a, o.b, m.rm, flags), ff32_mul(o.a, o.b, m.rm, flags));
		SAME(f32_div(o.a, o.b, m.rm, flags), ff32_div(o.a, o.b, m.rm, flags));
		SAME(f32_sqrt(o.a, m.rm, flags), ff32_sqrt(o.a, m.rm, flags));
		SAME(f32_fma(o.a, o.b, o.c, m.rm, flags), ff32_fma(o.a, o.b, o.c, m.rm, flags));

		o = draw_operands(binary64, &seed);
		SAME(f64_add(o.a, o.b, m.rm, flags), ff64_add(o.a, o.b, m.rm, flags));
		SAME(f64_sub(o.a, o.b, m.rm, flags), ff64_sub(o.a, o.b, m.rm, flags));
		SAME(f64_mul(o.a, o.b, m.rm, flags), ff64_mul(o.a, o.b, m.rm, flags));
		SAME(f64_div(o.a, o.b, m.rm, flags), ff64_div(o.a, o.b, m.rm, flags));
		SAME(f64_sqrt(o.a, m.rm, flags), ff64_sqrt(o.a, m.rm, flags));
		SAME(f64_fma(o.a, o.b, o.c, m.rm, flags), ff64_fma(o.a, o.b, o.c, m.rm, flags));
	}
}
END_TEST

START_TEST(order_is_the_same)
{
	uint64_t seed = 2;

	for (int i = 0; i < ROUNDS; i++) {
		struct mode m = draw_mode(&seed);
		struct operands o = draw_operands(binary32, &seed);

		if (i % 4 == 0)
			o.b = o.a;
		SAME(f32_min(o.a, o.b, flags), ff32_min(o.a, o.b, flags));
		SAME(f32_max(o.a, o.b, flags), ff32_max(o.a, o.b, flags));
		SAME(f32_eq(o.a, o.b, flags), ff32_eq(o.a, o.b, flags));
		SAME(f32_lt(o.a, o.b, flags), ff32_lt(o.a, o.b, flags));
		SAME(f32_le(o.a, o.b, flags), ff32_le(o.a, o.b, flags));

		o = draw_operands(binary64, &seed);
		if (i % 4 == 0)
			o.b = o.a;
		SAME(f64_min(o.a, o.b, flags), ff64_min(o.a, o.b, flags));
		SAME(f64_max(o.a, o.b, flags), ff64_max(o.a, o.b, flags));
		SAME(f64_eq(o.a, o.b, flags), ff64_eq(o.a, o.b, flags));
		SAME(f64_lt(o.a, o.b, flags), ff64_lt(o.a, o.b, flags));
		SAME(f64_le(o.a, o.b, flags), ff64_le(o.a, o.b, flags));
	}
}
END_TEST

START_TEST(conversions_are_the_same)
{
	uint64_t seed = 3;

	for (int i = 0; i < ROUNDS; i++) {
		struct mode m = draw_mode(&seed);
		struct operands o = {draw_float(binary32, &seed), 0, 0};

		SAME(f32_to_i32(o.a, m.rm, flags), ff32_to_i32(o.a, m.rm, flags));
		SAME(f32_to_u32(o.a, m.rm, flags), ff32_to_u32(o.a, m.rm, flags));
		SAME(f32_to_i64(o.a, m.rm, flags), ff32_to_i64(o.a, m.rm, flags));
		SAME(f32_to_u64(o.a, m.rm, flags), ff32_to_u64(o.a, m.rm, flags));
		SAME(f32_to_f64(o.a, flags), ff32_to_f64(o.a, flags));

		o.a = draw_float(binary64, &seed);
		SAME(f64_to_i32(o.a, m.rm, flags), ff64_to_i32(o.a, m.rm, flags));
		SAME(f64_to_u32(o.a, m.rm, flags), ff64_to_u32(o.a, m.rm, flags));
		SAME(f64_to_i64(o.a, m.rm, flags), ff64_to_i64(o.a, m.rm, flags));
		SAME(f64_to_u64(o.a, m.rm, flags), ff64_to_u64(o.a, m.rm, flags));
		SAME(f64_to_f32(o.a, m.rm, flags), ff64_to_f32(o.a, m.rm, flags));

		// About the ends of binary32, which few binary64 numbers are near.
		o.a = make_float(binary64, draw(&seed),
			1023 + (i & 1 ? 126 : -151) + (int)(draw(&seed) % 27), draw_pattern(&seed));
		SAME(f64_to_f32(o.a, m.rm, flags), ff64_to_f32(o.a, m.rm, flags));

		o.a = draw_pattern(&seed);
		SAME(i32_to_f32(o.a, m.rm, flags), fi32_to_f32(o.a, m.rm, flags));
		SAME(u32_to_f32(o.a, m.rm, flags), fu32_to_f32(o.a, m.rm, flags));
		SAME(i64_to_f32(o.a, m.rm, flags), fi64_to_f32(o.a, m.rm, flags));
		SAME(u64_to_f32(o.a, m.rm, flags), fu64_to_f32(o.a, m.rm, flags));
		SAME(i32_to_f64(o.a, m.rm, flags), fi32_to_f64(o.a, m.rm, flags));
		SAME(u32_to_f64(o.a, m.rm, flags), fu32_to_f64(o.a, m.rm, flags));
		SAME(i64_to_f64(o.a, m.rm, flags), fi64_to_f64(o.a, m.rm, flags));
		SAME(u64_to_f64(o.a, m.rm, flags), fu64_to_f64(o.a, m.rm, flags));
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fastfloat");
	TCase *t = tcase_create("same as soft");
	SRunner *r;
	int failed;

	tcase_add_test(t, arithmetic_is_the_same);
	tcase_add_test(t, order_is_the_same);
	tcase_add_test(t, conversions_are_the_same);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
