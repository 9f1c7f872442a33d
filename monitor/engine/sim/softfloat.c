// SPDX-License-Identifier: MIT
//
// One arithmetic for both formats. An operand is unpacked into sign, exponent and a 64-bit
// significand whose top bit is set, so subnormals are no special case afterwards. Each operation
// makes the exact result, or its top 64 bits with everything below or-ed into the lowest one (the
// sticky bit: 64 bits are at least two more than either format keeps, so rounding cannot tell the
// difference), and round_pack() is the only place that rounds, overflows or underflows. The format
// is a constant parameter of inlined functions; the compiler makes the two versions.
#include "monitor/engine/sim/softfloat.h"

#include <stdbool.h>

typedef unsigned __int128 u128;

#define GENERIC static inline __attribute__((always_inline))

struct format {
	int frac_bits; // stored significand bits, without the implicit one
	int exp_bits;
};

static const struct format F32 = {23, 8};
static const struct format F64 = {52, 11};

// The numbers are ordered: finite non-zero < zero < infinity < NaNs.
enum kind { FINITE, ZERO, INFINITE, QUIET_NAN, SIGNALING_NAN };

// A FINITE number is (-1)^sign * sig * 2^(exp - 63), bit 63 of sig set; otherwise exp and sig mean
// nothing.
struct num {
	enum kind kind;
	bool sign;
	int exp;
	uint64_t sig;
};

GENERIC int max_field(struct format f)
{
	return (1 << f.exp_bits) - 1;
}

GENERIC int bias(struct format f)
{
	return max_field(f) >> 1;
}

GENERIC uint64_t zero(struct format f, bool sign)
{
	/* The sum is at most 63. NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
	return (uint64_t)sign << (f.frac_bits + f.exp_bits);
}

GENERIC uint64_t infinity(struct format f, bool sign)
{
	return zero(f, sign) | (uint64_t)max_field(f) << f.frac_bits;
}

GENERIC uint64_t canonical_nan(struct format f)
{
	return infinity(f, false) | UINT64_C(1) << (f.frac_bits - 1);
}

GENERIC uint64_t invalid(struct format f, uint32_t *flags)
{
	*flags |= SF_NV;
	return canonical_nan(f);
}

GENERIC struct num unpack(struct format f, uint64_t v)
{
	uint64_t frac = v & ((UINT64_C(1) << f.frac_bits) - 1);
	int field = v >> f.frac_bits & max_field(f);
	struct num n = {.sign = v >> (f.frac_bits + f.exp_bits) & 1};

	if (field == max_field(f)) {
		if (!frac)
			n.kind = INFINITE;
		else
			n.kind = frac >> (f.frac_bits - 1) ? QUIET_NAN : SIGNALING_NAN;
	} else if (field) {
		n.exp = field - bias(f);
		n.sig = (frac | UINT64_C(1) << f.frac_bits) << (63 - f.frac_bits);
	} else if (frac) {
		int shift = __builtin_clzll(frac);

		n.exp = 1 - bias(f) - (shift - (63 - f.frac_bits));
		n.sig = frac << shift;
	} else {
		n.kind = ZERO;
	}
	return n;
}

// Shifting right with the lost bits or-ed into the lowest ("jamming").
GENERIC uint64_t shift_jam64(uint64_t v, int n)
{
	if (n > 63)
		return v != 0;
	return n ? v >> n | (v << (64 - n) != 0) : v;
}

GENERIC u128 shift_jam128(u128 v, int n)
{
	if (n > 127)
		return v != 0;
	return n ? v >> n | (v << (128 - n) != 0) : v;
}

// sig / 2^shift rounded to an integer, 0 < shift < 64, for a number of the given sign.
GENERIC uint64_t round_shift(uint64_t sig, int shift, bool sign, int rm, bool *inexact)
{
	uint64_t quotient = sig >> shift;
	uint64_t rest = sig & ((UINT64_C(1) << shift) - 1);
	uint64_t half = UINT64_C(1) << (shift - 1);

	*inexact = rest != 0;
	switch (rm) {
	case SF_RNE:
		return quotient + (rest + (quotient & 1) > half);
	case SF_RDN:
		return quotient + (rest && sign);
	case SF_RUP:
		return quotient + (rest && !sign);
	case SF_RMM:
		return quotient + (rest >= half);
	default:
		return quotient;
	}
}

// The bits of (-1)^sign * sig * 2^(exp - 63), rounded. Bit 63 of sig must be set, its bit 0 is
// sticky. Adding the significand with its implicit bit to an exponent field one too small lets a
// carry out of rounding, from subnormal to normal too, come out right by itself.
GENERIC uint64_t round_pack(
	struct format f, bool sign, int exp, uint64_t sig, int rm, uint32_t *flags)
{
	int shift = 63 - f.frac_bits;
	int field = exp + bias(f);
	uint64_t bits;
	bool inexact;

	if (__builtin_expect(field >= 1, 1)) {
		bits = round_shift(sig, shift, sign, rm, &inexact);
		bits += (uint64_t)(field - 1) << f.frac_bits;
		if (__builtin_expect(bits >> f.frac_bits >= (uint64_t)max_field(f), 0)) {
			bool to_infinity = rm == SF_RNE || rm == SF_RMM || (rm == SF_RDN && sign) ||
					   (rm == SF_RUP && !sign);

			*flags |= SF_OF | SF_NX;
			return infinity(f, sign) - !to_infinity;
		}
	} else {
		// Tiny is what stays below the smallest normal number when rounded as if the
		// exponent had no bound.
		uint64_t unbounded = round_shift(sig, shift, sign, rm, &inexact);
		bool tiny = field < 0 || !(unbounded >> (f.frac_bits + 1));

		bits = round_shift(shift_jam64(sig, 1 - field), shift, sign, rm, &inexact);
		if (tiny && inexact)
			*flags |= SF_UF;
	}
	if (inexact)
		*flags |= SF_NX;
	return zero(f, sign) | bits;
}

// A term of a sum: (-1)^sign * sig * 2^(exp - 126), bit 126 of sig set. A product of two
// significands (106 bits) is exact in it with 20 bits to spare.
struct term {
	bool sign;
	int exp;
	u128 sig;
};

// Jamming the smaller term is safe: if bits are lost the exponents differ by more than 20, so the
// difference has its leading bit at 125 or above, far from the jammed one.
GENERIC uint64_t add_terms(struct format f, struct term a, struct term b, int rm, uint32_t *flags)
{
	if (a.exp < b.exp || (a.exp == b.exp && a.sig < b.sig)) {
		struct term t = a;

		a = b;
		b = t;
	}
	b.sig = shift_jam128(b.sig, a.exp - b.exp);
	u128 sum = a.sign == b.sign ? a.sig + b.sig : a.sig - b.sig;
	uint64_t high = sum >> 64, low = sum;

	if (!high) {
		if (!low)
			return zero(f, rm == SF_RDN);
		a.exp -= 64;
		high = low;
		low = 0;
	}
	int shift = __builtin_clzll(high);

	if (shift) {
		high = high << shift | low >> (64 - shift);
		low <<= shift;
	}
	return round_pack(f, a.sign, a.exp + 1 - shift, high | (low != 0), rm, flags);
}

GENERIC struct term to_term(struct num n)
{
	return (struct term){n.sign, n.exp, (u128)n.sig << 63};
}

GENERIC struct term multiply(struct num a, struct num b)
{
	u128 product = (u128)a.sig * b.sig;
	int carry = product >> 127; // the bit shifted out is 0: either factor has zeros below

	return (struct term){a.sign ^ b.sign, a.exp + b.exp + carry, product >> carry};
}

// A NaN is among the operands of an operation that gives a number.
GENERIC uint64_t nan_result(struct format f, bool signaling, uint32_t *flags)
{
	if (signaling)
		*flags |= SF_NV;
	return canonical_nan(f);
}

GENERIC uint64_t add(struct format f, uint64_t va, uint64_t vb, int rm, uint32_t *flags)
{
	struct num a = unpack(f, va), b = unpack(f, vb);

	if (__builtin_expect(a.kind == FINITE && b.kind == FINITE, 1))
		return add_terms(f, to_term(a), to_term(b), rm, flags);
	if (a.kind >= QUIET_NAN || b.kind >= QUIET_NAN)
		return nan_result(f, a.kind == SIGNALING_NAN || b.kind == SIGNALING_NAN, flags);
	if (a.kind == INFINITE && b.kind == INFINITE)
		return a.sign == b.sign ? va : invalid(f, flags);
	if (a.kind == ZERO && b.kind == ZERO)
		return a.sign == b.sign ? va : zero(f, rm == SF_RDN);
	return a.kind == INFINITE || b.kind == ZERO ? va : vb;
}

GENERIC uint64_t sub(struct format f, uint64_t va, uint64_t vb, int rm, uint32_t *flags)
{
	return add(f, va, vb ^ zero(f, true), rm, flags);
}

GENERIC uint64_t mul(struct format f, uint64_t va, uint64_t vb, int rm, uint32_t *flags)
{
	struct num a = unpack(f, va), b = unpack(f, vb);
	bool sign = a.sign ^ b.sign;

	if (__builtin_expect(a.kind == FINITE && b.kind == FINITE, 1)) {
		struct term p = multiply(a, b);
		uint64_t high = p.sig >> 63, low = p.sig & (UINT64_MAX >> 1);

		return round_pack(f, sign, p.exp, high | (low != 0), rm, flags);
	}
	if (a.kind >= QUIET_NAN || b.kind >= QUIET_NAN)
		return nan_result(f, a.kind == SIGNALING_NAN || b.kind == SIGNALING_NAN, flags);
	if (a.kind == INFINITE || b.kind == INFINITE) {
		if (a.kind == ZERO || b.kind == ZERO)
			return invalid(f, flags);
		return infinity(f, sign);
	}
	return zero(f, sign);
}

GENERIC uint64_t multiply_add(
	struct format f, uint64_t va, uint64_t vb, uint64_t vc, int rm, uint32_t *flags)
{
	struct num a = unpack(f, va), b = unpack(f, vb), c = unpack(f, vc);
	bool sign = a.sign ^ b.sign;

	if (__builtin_expect(a.kind == FINITE && b.kind == FINITE, 1)) {
		struct term p = multiply(a, b);

		if (__builtin_expect(c.kind == FINITE, 1))
			return add_terms(f, p, to_term(c), rm, flags);
		if (c.kind == ZERO)
			return mul(f, va, vb, rm, flags);
		if (c.kind == INFINITE)
			return vc;
		return nan_result(f, c.kind == SIGNALING_NAN, flags);
	}
	if ((a.kind == INFINITE && b.kind == ZERO) || (a.kind == ZERO && b.kind == INFINITE))
		return invalid(f, flags);
	if (a.kind >= QUIET_NAN || b.kind >= QUIET_NAN || c.kind >= QUIET_NAN)
		return nan_result(f,
			a.kind == SIGNALING_NAN || b.kind == SIGNALING_NAN ||
				c.kind == SIGNALING_NAN,
			flags);
	// The product is an infinity or a zero, exactly.
	if (a.kind == INFINITE || b.kind == INFINITE)
		return add(f, infinity(f, sign), vc, rm, flags);
	return add(f, zero(f, sign), vc, rm, flags);
}

GENERIC uint64_t divide(struct format f, uint64_t va, uint64_t vb, int rm, uint32_t *flags)
{
	struct num a = unpack(f, va), b = unpack(f, vb);
	bool sign = a.sign ^ b.sign;

	if (__builtin_expect(a.kind == FINITE && b.kind == FINITE, 1)) {
		// Scaled so that the quotient has exactly 64 bits.
		int smaller = a.sig < b.sig;
		u128 dividend = (u128)a.sig << (63 + smaller);
		uint64_t quotient = dividend / b.sig;
		bool rest = quotient * b.sig != (uint64_t)dividend;

		return round_pack(f, sign, a.exp - b.exp - smaller, quotient | rest, rm, flags);
	}
	if (a.kind >= QUIET_NAN || b.kind >= QUIET_NAN)
		return nan_result(f, a.kind == SIGNALING_NAN || b.kind == SIGNALING_NAN, flags);
	if (a.kind == b.kind)
		return invalid(f, flags);
	if (a.kind == INFINITE)
		return infinity(f, sign);
	if (b.kind == ZERO) {
		*flags |= SF_DZ;
		return infinity(f, sign);
	}
	return zero(f, sign);
}

// The integer square root of n >= 2^126, and whether it is exact. The root of the top 16 bits is
// found bit by bit, then each step doubles its length with one division (P. Zimmermann, "Karatsuba
// Square Root", INRIA RR-3805, 1999).
static uint64_t square_root(u128 n, bool *exact)
{
	u128 top = n >> 112, root = 0, rest;

	for (u128 bit = 128; bit; bit >>= 1)
		if ((root | bit) * (root | bit) <= top)
			root |= bit;
	rest = top - root * root;

	for (int len = 8; len < 64; len *= 2) {
		// root has len bits; the next 2 * len bits of n are (high, low).
		u128 mask = ((u128)1 << len) - 1;
		u128 high = n >> (128 - 3 * len) & mask, low = n >> (128 - 4 * len) & mask;
		u128 dividend = rest << len | high;
		u128 quotient = dividend / (2 * root);

		rest = (dividend - quotient * 2 * root) << len | low;
		root = (root << len) + quotient;
		if (rest < quotient * quotient) {
			rest += 2 * root - 1;
			root--;
		}
		rest -= quotient * quotient;
	}
	*exact = rest == 0;
	return root;
}

GENERIC uint64_t square_root_num(struct format f, uint64_t va, int rm, uint32_t *flags)
{
	struct num a = unpack(f, va);
	bool exact;

	if (a.kind >= QUIET_NAN)
		return nan_result(f, a.kind == SIGNALING_NAN, flags);
	if (a.kind == ZERO)
		return va;
	if (a.sign)
		return invalid(f, flags);
	if (a.kind == INFINITE)
		return va;

	// An odd exponent lends one to the significand.
	bool odd = a.exp & 1;
	uint64_t root = square_root((u128)a.sig << (63 + odd), &exact);

	return round_pack(f, false, (a.exp - odd) / 2, root | !exact, rm, flags);
}

// Comparison of two that are not NaN: negative, zero, positive. The bits of numbers of one sign are
// ordered as integers.
GENERIC int compare(struct format f, uint64_t va, uint64_t vb)
{
	uint64_t sign = zero(f, true);

	if (!((va | vb) & ~sign))
		return 0;
	if ((va ^ vb) & sign)
		return va & sign ? -1 : 1;
	if (va == vb)
		return 0;
	return (va < vb) ^ !!(va & sign) ? -1 : 1;
}

// Whether either is a NaN; any NaN is invalid if `signaling`, else signaling ones only.
GENERIC bool unordered(struct format f, uint64_t va, uint64_t vb, bool signaling, uint32_t *flags)
{
	enum kind a = unpack(f, va).kind, b = unpack(f, vb).kind;
	bool nan = a >= QUIET_NAN || b >= QUIET_NAN;

	if (a == SIGNALING_NAN || b == SIGNALING_NAN || (nan && signaling))
		*flags |= SF_NV;
	return nan;
}

GENERIC uint64_t min_max(struct format f, uint64_t va, uint64_t vb, bool max, uint32_t *flags)
{
	if (unordered(f, va, vb, false, flags)) {
		if (unpack(f, va).kind < QUIET_NAN)
			return va;
		return unpack(f, vb).kind < QUIET_NAN ? vb : canonical_nan(f);
	}
	int order = compare(f, va, vb);

	// Equal but for the sign of zero: -0 has the greater bits.
	if (order == 0)
		order = va > vb ? -1 : 1;
	return (order < 0) ^ max ? va : vb;
}

GENERIC uint32_t classify(struct format f, uint64_t va)
{
	struct num a = unpack(f, va);
	int magnitude; // 0 zero, 1 subnormal, 2 normal, 3 infinity

	switch (a.kind) {
	case SIGNALING_NAN:
		return 1 << 8;
	case QUIET_NAN:
		return 1 << 9;
	case INFINITE:
		magnitude = 3;
		break;
	case ZERO:
		magnitude = 0;
		break;
	default:
		magnitude = a.exp + bias(f) >= 1 ? 2 : 1;
	}
	return 1 << (a.sign ? 3 - magnitude : 4 + magnitude);
}

// To an integer from -low to high. A 64-bit result is returned modulo 2^64.
GENERIC uint64_t to_integer(
	struct format f, uint64_t va, uint64_t low, uint64_t high, int rm, uint32_t *flags)
{
	struct num a = unpack(f, va);
	bool inexact = false;
	uint64_t magnitude;

	if (a.kind == ZERO)
		return 0;
	if (a.kind >= QUIET_NAN) {
		*flags |= SF_NV;
		return high;
	}
	if (a.kind == INFINITE || a.exp > 63)
		goto out_of_range;

	if (a.exp == 63)
		magnitude = a.sig;
	else if (a.exp >= 0)
		magnitude = round_shift(a.sig, 63 - a.exp, a.sign, rm, &inexact);
	else
		magnitude = round_shift(shift_jam64(a.sig, -a.exp), 63, a.sign, rm, &inexact);
	if (magnitude > (a.sign ? low : high))
		goto out_of_range;
	if (inexact)
		*flags |= SF_NX;
	return a.sign ? -magnitude : magnitude;

out_of_range:
	*flags |= SF_NV;
	return a.sign ? -low : high;
}

GENERIC uint64_t from_integer(
	struct format f, bool sign, uint64_t magnitude, int rm, uint32_t *flags)
{
	if (!magnitude)
		return zero(f, false);
	int shift = __builtin_clzll(magnitude);

	return round_pack(f, sign, 63 - shift, magnitude << shift, rm, flags);
}

GENERIC uint64_t from_signed(struct format f, int64_t v, int rm, uint32_t *flags)
{
	return from_integer(f, v < 0, v < 0 ? -(uint64_t)v : (uint64_t)v, rm, flags);
}

GENERIC uint64_t convert(struct format to, struct format from, uint64_t va, int rm, uint32_t *flags)
{
	struct num a = unpack(from, va);

	if (a.kind == FINITE)
		return round_pack(to, a.sign, a.exp, a.sig, rm, flags);
	if (a.kind == ZERO)
		return zero(to, a.sign);
	if (a.kind == INFINITE)
		return infinity(to, a.sign);
	return nan_result(to, a.kind == SIGNALING_NAN, flags);
}

// The functions of the header that exist once for each format: prefix, type of the bits, format.
#define FOR_FORMAT(p, T, F)                                                                        \
	T p##_add(T a, T b, int rm, uint32_t *flags)                                               \
	{                                                                                          \
		return add(F, a, b, rm, flags);                                                    \
	}                                                                                          \
	T p##_sub(T a, T b, int rm, uint32_t *flags)                                               \
	{                                                                                          \
		return sub(F, a, b, rm, flags);                                                    \
	}                                                                                          \
	T p##_mul(T a, T b, int rm, uint32_t *flags)                                               \
	{                                                                                          \
		return mul(F, a, b, rm, flags);                                                    \
	}                                                                                          \
	T p##_div(T a, T b, int rm, uint32_t *flags)                                               \
	{                                                                                          \
		return divide(F, a, b, rm, flags);                                                 \
	}                                                                                          \
	T p##_sqrt(T a, int rm, uint32_t *flags)                                                   \
	{                                                                                          \
		return square_root_num(F, a, rm, flags);                                           \
	}                                                                                          \
	T p##_fma(T a, T b, T c, int rm, uint32_t *flags)                                          \
	{                                                                                          \
		return multiply_add(F, a, b, c, rm, flags);                                        \
	}                                                                                          \
	T p##_min(T a, T b, uint32_t *flags)                                                       \
	{                                                                                          \
		return min_max(F, a, b, false, flags);                                             \
	}                                                                                          \
	T p##_max(T a, T b, uint32_t *flags)                                                       \
	{                                                                                          \
		return min_max(F, a, b, true, flags);                                              \
	}                                                                                          \
	int p##_eq(T a, T b, uint32_t *flags)                                                      \
	{                                                                                          \
		return !unordered(F, a, b, false, flags) && compare(F, a, b) == 0;                 \
	}                                                                                          \
	int p##_lt(T a, T b, uint32_t *flags)                                                      \
	{                                                                                          \
		return !unordered(F, a, b, true, flags) && compare(F, a, b) < 0;                   \
	}                                                                                          \
	int p##_le(T a, T b, uint32_t *flags)                                                      \
	{                                                                                          \
		return !unordered(F, a, b, true, flags) && compare(F, a, b) <= 0;                  \
	}                                                                                          \
	uint32_t p##_classify(T a)                                                                 \
	{                                                                                          \
		return classify(F, a);                                                             \
	}                                                                                          \
	int32_t p##_to_i32(T a, int rm, uint32_t *flags)                                           \
	{                                                                                          \
		return to_integer(F, a, UINT64_C(1) << 31, INT32_MAX, rm, flags);                  \
	}                                                                                          \
	uint32_t p##_to_u32(T a, int rm, uint32_t *flags)                                          \
	{                                                                                          \
		return to_integer(F, a, 0, UINT32_MAX, rm, flags);                                 \
	}                                                                                          \
	int64_t p##_to_i64(T a, int rm, uint32_t *flags)                                           \
	{                                                                                          \
		return to_integer(F, a, UINT64_C(1) << 63, INT64_MAX, rm, flags);                  \
	}                                                                                          \
	uint64_t p##_to_u64(T a, int rm, uint32_t *flags)                                          \
	{                                                                                          \
		return to_integer(F, a, 0, UINT64_MAX, rm, flags);                                 \
	}                                                                                          \
	T i32_to_##p(int32_t v, int rm, uint32_t *flags)                                           \
	{                                                                                          \
		return from_signed(F, v, rm, flags);                                               \
	}                                                                                          \
	T u32_to_##p(uint32_t v, int rm, uint32_t *flags)                                          \
	{                                                                                          \
		return from_integer(F, false, v, rm, flags);                                       \
	}                                                                                          \
	T i64_to_##p(int64_t v, int rm, uint32_t *flags)                                           \
	{                                                                                          \
		return from_signed(F, v, rm, flags);                                               \
	}                                                                                          \
	T u64_to_##p(uint64_t v, int rm, uint32_t *flags)                                          \
	{                                                                                          \
		return from_integer(F, false, v, rm, flags);                                       \
	}

FOR_FORMAT(f32, uint32_t, F32)
FOR_FORMAT(f64, uint64_t, F64)

uint64_t f32_to_f64(uint32_t a, uint32_t *flags)
{
	return convert(F64, F32, a, SF_RNE, flags);
}

uint32_t f64_to_f32(uint64_t a, int rm, uint32_t *flags)
{
	return convert(F32, F64, a, rm, flags);
}
