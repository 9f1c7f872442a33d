// SPDX-License-Identifier: MIT
//
// Operands for the floating-point tests: seeded, and drawn so that what is rare among random bits
// is common here: zeros, subnormals, infinities, NaNs, powers of two and their neighbours, sums
// that cancel, products and quotients at the ends of the range, and short significands, which make
// ties.
#ifndef DISCO_TESTS_FLOAT_OPERANDS_H
#define DISCO_TESTS_FLOAT_OPERANDS_H

#include <stdint.h>

// frac_bits 23 or 52, exp_bits 8 or 11.
struct float_format {
	int frac_bits;
	int exp_bits;
};

static const struct float_format binary32 = {23, 8};
static const struct float_format binary64 = {52, 11};

struct operands {
	uint64_t a, b, c;
};

// splitmix64 (G. Steele, D. Lea, C. Flood, OOPSLA 2014).
static inline uint64_t draw(uint64_t *seed)
{
	uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

// A pattern whose bits are often long runs or few.
static inline uint64_t draw_pattern(uint64_t *seed)
{
	uint64_t r = draw(seed), s = draw(seed);

	switch (s & 7) {
	case 0:
		return r & draw(seed) & draw(seed) & draw(seed);
	case 1:
		return r >> (s >> 3 & 63);
	case 2:
		return r << (s >> 3 & 63);
	case 3:
		return -(r & 7) + 3;
	case 4:
		return UINT64_C(1) << (s >> 3 & 63);
	case 5:
		return (UINT64_C(1) << (s >> 3 & 63)) - (UINT64_C(1) << (s >> 9 & 63)) + (r & 1);
	default:
		return r;
	}
}

// A field out of range stands for the nearest one within.
static inline uint64_t make_float(struct float_format f, uint64_t sign, int field, uint64_t frac)
{
	int max = (1 << f.exp_bits) - 1;

	field = field < 0 ? 0 : field > max ? max : field;
	return (sign & 1) << (f.frac_bits + f.exp_bits) | (uint64_t)field << f.frac_bits |
	       (frac & ((UINT64_C(1) << f.frac_bits) - 1));
}

static inline int float_field(struct float_format f, uint64_t v)
{
	return v >> f.frac_bits & ((1 << f.exp_bits) - 1);
}

static inline uint64_t draw_float(struct float_format f, uint64_t *seed)
{
	uint64_t r = draw(seed);
	int max = (1 << f.exp_bits) - 1, bias = max >> 1;
	int ends[] = {0, 0, 1, 2, bias - 1, bias, bias + f.frac_bits, max - 1, max, max};
	int field;

	switch (r & 3) {
	case 0:
		field = ends[(r >> 8) % 10];
		break;
	case 1:
		field = bias - 2 * f.frac_bits + (int)((r >> 8) % (4 * f.frac_bits));
		break;
	default:
		field = r >> 8 & max;
	}
	return make_float(f, r >> 40, field, draw_pattern(seed));
}

static inline struct operands draw_operands(struct float_format f, uint64_t *seed)
{
	uint64_t r = draw(seed);
	int bias = (1 << (f.exp_bits - 1)) - 1;
	int near = (int)(r >> 8 & 7) - 4;
	int below = (int)((r >> 16) % (f.frac_bits + 4)) - 2;
	struct operands o = {draw_float(f, seed), draw_float(f, seed), draw_float(f, seed)};
	int fa = float_field(f, o.a), fb = float_field(f, o.b);

	switch (r & 7) {
	case 0: // a sum that cancels
		fb = fa + near;
		break;
	case 1: // a sum at the end of the significand
		fb = fa - f.frac_bits + near;
		break;
	case 2: // a product in and about the subnormal range
		fb = bias - fa - below;
		break;
	case 3: // a product about the largest number
		fb = 3 * bias - fa + near;
		break;
	case 4: // a quotient in and about the subnormal range
		fb = fa + bias + below;
		break;
	case 5: // a quotient about the largest number
		fb = fa - bias + near;
		break;
	}
	o.b = make_float(f, r >> 32, fb, o.b);
	fb = float_field(f, o.b);

	switch (r >> 4 & 7) {
	case 0: // an addend that cancels the product
		o.c = make_float(f, o.a ^ o.b ^ 1, fa + fb - bias + near, o.c);
		break;
	case 1: // one at or beyond the end of the product
		o.c = make_float(f, o.c, fa + fb - bias - 2 * f.frac_bits + near, o.c);
		break;
	case 2: // the product lies at the end of the addend
		o.c = make_float(f, o.c, fa + fb - bias + f.frac_bits + near, o.c);
		break;
	}
	return o;
}

#endif
