// SPDX-License-Identifier: MIT
//
// The host's floating point where it provably gives the result and the flags of softfloat.h, else
// softfloat.h. Every function is named after the soft one with an f before it, takes the same
// arguments and means the same; the choice of path never shows.
//
// Why the host may be trusted: with rounding to nearest even (the mode of the host's threads, which
// nothing here changes) IEEE 754 leaves one possible result for numbers. Left open are NaN payloads
// and, between hosts, when underflow is detected; and host flags are slow to read. So NaNs,
// results near or below the smallest normal number, overflows and other rounding modes go the soft
// way, and what is left can raise SF_NX alone. SF_NX in turn is sticky: once a guest's fflags hold
// it, which is after its first inexact operation, nothing is left to compute. Looking at the result
// is enough to know all this (a normal result has no NaN or infinity among its operands), which
// makes the test one subtraction and one comparison.
//
// The file must be compiled without contraction (-ffp-contract=off) and without -ffast-math. A host
// that evaluates in wider formats (x87) takes the soft path always.
#ifndef MONITOR_ENGINE_SIM_FASTFLOAT_H
#define MONITOR_ENGINE_SIM_FASTFLOAT_H

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "monitor/engine/sim/softfloat.h"

#if FLT_EVAL_METHOD == 0 && !defined(__FAST_MATH__)
#define FF_HOST true
#else
#define FF_HOST false
#endif

static inline float ff32_value(uint32_t bits)
{
	float v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

static inline uint32_t ff32_bits(float v)
{
	uint32_t bits;

	memcpy(&bits, &v, sizeof(bits));
	return bits;
}

static inline double ff64_value(uint64_t bits)
{
	double v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

static inline uint64_t ff64_bits(double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	return bits;
}

// The result may differ from the exact one without anything but SF_NX to report.
static inline bool ff_free_to_round(int rm, const uint32_t *flags)
{
	return FF_HOST && rm == SF_RNE && (*flags & SF_NX);
}

static inline bool ff32_finite(uint32_t r)
{
	return (r << 1) < 0xffu << 24;
}

static inline bool ff64_finite(uint64_t r)
{
	return (r << 1) < UINT64_C(0x7ff) << 53;
}

// At least twice the smallest normal number, and finite: no rounding to it was tiny.
static inline bool ff32_normal(uint32_t r)
{
	return (r << 1) - (2u << 24) < 0xfdu << 24;
}

static inline bool ff64_normal(uint64_t r)
{
	return (r << 1) - (UINT64_C(2) << 53) < UINT64_C(0x7fd) << 53;
}

// Sums never underflow: below the smallest normal number they are exact. A zero sum is exact too,
// and its sign is the host's as it rounds to nearest.
static inline uint32_t ff32_add(uint32_t a, uint32_t b, int rm, uint32_t *flags)
{
	if (ff_free_to_round(rm, flags)) {
		uint32_t r = ff32_bits(ff32_value(a) + ff32_value(b));

		if (__builtin_expect(ff32_finite(r), 1))
			return r;
	}
	return f32_add(a, b, rm, flags);
}

static inline uint64_t ff64_add(uint64_t a, uint64_t b, int rm, uint32_t *flags)
{
	if (ff_free_to_round(rm, flags)) {
		uint64_t r = ff64_bits(ff64_value(a) + ff64_value(b));

		if (__builtin_expect(ff64_finite(r), 1))
			return r;
	}
	return f64_add(a, b, rm, flags);
}

static inline uint32_t ff32_sub(uint32_t a, uint32_t b, int rm, uint32_t *flags)
{
	return ff32_add(a, b ^ UINT32_C(1) << 31, rm, flags);
}

static inline uint64_t ff64_sub(uint64_t a, uint64_t b, int rm, uint32_t *flags)
{
	return ff64_add(a, b ^ UINT64_C(1) << 63, rm, flags);
}

static inline uint32_t ff32_mul(uint32_t a, uint32_t b, int rm, uint32_t *flags)
{
	if (ff_free_to_round(rm, flags)) {
		uint32_t r = ff32_bits(ff32_value(a) * ff32_value(b));

		if (__builtin_expect(ff32_normal(r), 1))
			return r;
	}
	return f32_mul(a, b, rm, flags);
}

static inline uint64_t ff64_mul(uint64_t a, uint64_t b, int rm, uint32_t *flags)
{
	if (ff_free_to_round(rm, flags)) {
		uint64_t r = ff64_bits(ff64_value(a) * ff64_value(b));

		if (__builtin_expect(ff64_normal(r), 1))
			return r;
	}
	return f64_mul(a, b, rm, flags);
}

static inline uint32_t ff32_div(uint32_t a, uint32_t b, int rm, uint32_t *flags)
{
	if (ff_free_to_round(rm, flags)) {
		uint32_t r = ff32_bits(ff32_value(a) / ff32_value(b));

		if (__builtin_expect(ff32_normal(r), 1))
			return r;
	}
	return f32_div(a, b, rm, flags);
}

static inline uint64_t ff64_div(uint64_t a, uint64_t b, int rm, uint32_t *flags)
{
	if (ff_free_to_round(rm, flags)) {
		uint64_t r = ff64_bits(ff64_value(a) / ff64_value(b));

		if (__builtin_expect(ff64_normal(r), 1))
			return r;
	}
	return f64_div(a, b, rm, flags);
}

// Roots neither overflow nor underflow; of negative numbers they are NaN.
static inline uint32_t ff32_sqrt(uint32_t a, int rm, uint32_t *flags)
{
	if (ff_free_to_round(rm, flags) && a < UINT32_C(0xff) << 23)
		return ff32_bits(sqrtf(ff32_value(a)));
	return f32_sqrt(a, rm, flags);
}

static inline uint64_t ff64_sqrt(uint64_t a, int rm, uint32_t *flags)
{
	if (ff_free_to_round(rm, flags) && a < UINT64_C(0x7ff) << 52)
		return ff64_bits(sqrt(ff64_value(a)));
	return f64_sqrt(a, rm, flags);
}

// Whether the host has an instruction for it; the C library's fma() without one is slower than
// f64_fma().
static inline bool ff_host_fma(void)
{
#if (defined(FP_FAST_FMA) && defined(FP_FAST_FMAF)) || defined(__FMA__)
	return true;
#elif defined(__x86_64__)
	return __builtin_cpu_supports("fma");
#else
	return false;
#endif
}

// The compiler may not use the instruction by itself on x86, as older processors lack it.
static inline float ff32_fma_value(float a, float b, float c)
{
#if defined(__x86_64__) && !defined(__FMA__)
	__asm__("vfmadd213ss %2, %1, %0" : "+x"(a) : "x"(b), "x"(c));
	return a;
#else
	return __builtin_fmaf(a, b, c);
#endif
}

static inline double ff64_fma_value(double a, double b, double c)
{
#if defined(__x86_64__) && !defined(__FMA__)
	__asm__("vfmadd213sd %2, %1, %0" : "+x"(a) : "x"(b), "x"(c));
	return a;
#else
	return __builtin_fma(a, b, c);
#endif
}

static inline uint32_t ff32_fma(uint32_t a, uint32_t b, uint32_t c, int rm, uint32_t *flags)
{
	if (ff_free_to_round(rm, flags) && ff_host_fma()) {
		uint32_t r = ff32_bits(ff32_fma_value(ff32_value(a), ff32_value(b), ff32_value(c)));

		if (__builtin_expect(ff32_normal(r), 1))
			return r;
	}
	return f32_fma(a, b, c, rm, flags);
}

static inline uint64_t ff64_fma(uint64_t a, uint64_t b, uint64_t c, int rm, uint32_t *flags)
{
	if (ff_free_to_round(rm, flags) && ff_host_fma()) {
		uint64_t r = ff64_bits(ff64_fma_value(ff64_value(a), ff64_value(b), ff64_value(c)));

		if (__builtin_expect(ff64_normal(r), 1))
			return r;
	}
	return f64_fma(a, b, c, rm, flags);
}

// Comparisons with a NaN are false on the host too; only then can there be a flag.
static inline int ff32_eq(uint32_t a, uint32_t b, uint32_t *flags)
{
	float x = ff32_value(a), y = ff32_value(b);

	return x == y || (!(x < y || x > y) && f32_eq(a, b, flags));
}

static inline int ff64_eq(uint64_t a, uint64_t b, uint32_t *flags)
{
	double x = ff64_value(a), y = ff64_value(b);

	return x == y || (!(x < y || x > y) && f64_eq(a, b, flags));
}

static inline int ff32_lt(uint32_t a, uint32_t b, uint32_t *flags)
{
	float x = ff32_value(a), y = ff32_value(b);

	return x < y || (!(x >= y) && f32_lt(a, b, flags));
}

static inline int ff64_lt(uint64_t a, uint64_t b, uint32_t *flags)
{
	double x = ff64_value(a), y = ff64_value(b);

	return x < y || (!(x >= y) && f64_lt(a, b, flags));
}

static inline int ff32_le(uint32_t a, uint32_t b, uint32_t *flags)
{
	float x = ff32_value(a), y = ff32_value(b);

	return x <= y || (!(x > y) && f32_le(a, b, flags));
}

static inline int ff64_le(uint64_t a, uint64_t b, uint32_t *flags)
{
	double x = ff64_value(a), y = ff64_value(b);

	return x <= y || (!(x > y) && f64_le(a, b, flags));
}

// Equal operands may be zeros of different sign.
static inline uint32_t ff32_min(uint32_t a, uint32_t b, uint32_t *flags)
{
	float x = ff32_value(a), y = ff32_value(b);

	return x < y ? a : x > y ? b : f32_min(a, b, flags);
}

static inline uint64_t ff64_min(uint64_t a, uint64_t b, uint32_t *flags)
{
	double x = ff64_value(a), y = ff64_value(b);

	return x < y ? a : x > y ? b : f64_min(a, b, flags);
}

static inline uint32_t ff32_max(uint32_t a, uint32_t b, uint32_t *flags)
{
	float x = ff32_value(a), y = ff32_value(b);

	return x > y ? a : x < y ? b : f32_max(a, b, flags);
}

static inline uint64_t ff64_max(uint64_t a, uint64_t b, uint32_t *flags)
{
	double x = ff64_value(a), y = ff64_value(b);

	return x > y ? a : x < y ? b : f64_max(a, b, flags);
}

// C truncates as SF_RTZ does, and integral values are the same in every mode. The bounds are such
// that the conversion is defined; what truncates to one that does not fit goes the soft way.
static inline int64_t ff64_to_i64(uint64_t a, int rm, uint32_t *flags)
{
	double x = ff64_value(a);

	if (FF_HOST && fabs(x) < 0x1p62) {
		int64_t r = (int64_t)x;

		if ((double)r == x)
			return r;
		if (rm == SF_RTZ) {
			*flags |= SF_NX;
			return r;
		}
	}
	return f64_to_i64(a, rm, flags);
}

static inline uint64_t ff64_to_u64(uint64_t a, int rm, uint32_t *flags)
{
	return a < UINT64_C(0x7ff) << 52 && ff64_value(a) < 0x1p62
		       ? (uint64_t)ff64_to_i64(a, rm, flags)
		       : f64_to_u64(a, rm, flags);
}

static inline int32_t ff64_to_i32(uint64_t a, int rm, uint32_t *flags)
{
	return fabs(ff64_value(a)) < 0x1p30 ? (int32_t)ff64_to_i64(a, rm, flags)
					    : f64_to_i32(a, rm, flags);
}

static inline uint32_t ff64_to_u32(uint64_t a, int rm, uint32_t *flags)
{
	return a < UINT64_C(0x7ff) << 52 && ff64_value(a) < 0x1p31
		       ? (uint32_t)ff64_to_i64(a, rm, flags)
		       : f64_to_u32(a, rm, flags);
}

// Widening is exact, but for the payload of a NaN.
static inline uint64_t ff32_to_f64(uint32_t a, uint32_t *flags)
{
	float x = ff32_value(a);

	return FF_HOST && x == x ? ff64_bits(x) : f32_to_f64(a, flags);
}

static inline int64_t ff32_to_i64(uint32_t a, int rm, uint32_t *flags)
{
	return fabsf(ff32_value(a)) < 0x1p62f ? ff64_to_i64(ff64_bits(ff32_value(a)), rm, flags)
					      : f32_to_i64(a, rm, flags);
}

static inline uint64_t ff32_to_u64(uint32_t a, int rm, uint32_t *flags)
{
	return a < UINT32_C(0xff) << 23 ? ff64_to_u64(ff64_bits(ff32_value(a)), rm, flags)
					: f32_to_u64(a, rm, flags);
}

static inline int32_t ff32_to_i32(uint32_t a, int rm, uint32_t *flags)
{
	return fabsf(ff32_value(a)) < 0x1p30f ? ff64_to_i32(ff64_bits(ff32_value(a)), rm, flags)
					      : f32_to_i32(a, rm, flags);
}

static inline uint32_t ff32_to_u32(uint32_t a, int rm, uint32_t *flags)
{
	return a < UINT32_C(0xff) << 23 ? ff64_to_u32(ff64_bits(ff32_value(a)), rm, flags)
					: f32_to_u32(a, rm, flags);
}

// Narrowing what fits is exact.
static inline uint32_t ff64_to_f32(uint64_t a, int rm, uint32_t *flags)
{
	double x = ff64_value(a);
	float r = (float)x;

	if (FF_HOST && (double)r == x)
		return ff32_bits(r);
	if (ff_free_to_round(rm, flags) && ff32_normal(ff32_bits(r)))
		return ff32_bits(r);
	return f64_to_f32(a, rm, flags);
}

static inline uint64_t fi32_to_f64(int32_t v, int rm, uint32_t *flags)
{
	(void)rm, (void)flags;
	return ff64_bits(v);
}

static inline uint64_t fu32_to_f64(uint32_t v, int rm, uint32_t *flags)
{
	(void)rm, (void)flags;
	return ff64_bits(v);
}

static inline uint64_t fi64_to_f64(int64_t v, int rm, uint32_t *flags)
{
	if (v == (int64_t)((uint64_t)v << 11) >> 11 || ff_free_to_round(rm, flags))
		return ff64_bits((double)v);
	return i64_to_f64(v, rm, flags);
}

static inline uint64_t fu64_to_f64(uint64_t v, int rm, uint32_t *flags)
{
	if (v >> 53 == 0 || ff_free_to_round(rm, flags))
		return ff64_bits((double)v);
	return u64_to_f64(v, rm, flags);
}

static inline uint32_t fi64_to_f32(int64_t v, int rm, uint32_t *flags)
{
	if (v == (int64_t)((uint64_t)v << 40) >> 40 || ff_free_to_round(rm, flags))
		return ff32_bits((float)v);
	return i64_to_f32(v, rm, flags);
}

static inline uint32_t fu64_to_f32(uint64_t v, int rm, uint32_t *flags)
{
	if (v >> 24 == 0 || ff_free_to_round(rm, flags))
		return ff32_bits((float)v);
	return u64_to_f32(v, rm, flags);
}

static inline uint32_t fi32_to_f32(int32_t v, int rm, uint32_t *flags)
{
	return fi64_to_f32(v, rm, flags);
}

static inline uint32_t fu32_to_f32(uint32_t v, int rm, uint32_t *flags)
{
	return fu64_to_f32(v, rm, flags);
}

#endif
