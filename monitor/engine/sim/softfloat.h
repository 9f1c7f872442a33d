// SPDX-License-Identifier: MIT
//
// IEEE 754 binary32 and binary64 arithmetic as the RISC-V F and D extensions define it, in integers
// only. A run must give the same bits on every host, compiler and optimisation level, so the
// simulated CPU never leaves a result or a flag to the host's floating point unless fastfloat.h can
// show that both are the same; this is its reference and its fallback.
//
// Contract of every function:
// - Operands and results are raw bits: binary32 in uint32_t (the caller has undone NaN boxing),
//   binary64 in uint64_t.
// - `rm` is one of the five rounding modes below; the caller has resolved DYN and refused 5 to 7.
// - `*flags` collects: raised exceptions are or-ed in, nothing is ever cleared.
// - A NaN result is the canonical NaN, whatever the operands' payloads; a signaling NaN operand
//   raises SF_NV; tininess is detected after rounding.
// - No state, no allocation, no error: total functions, callable from any thread.
//
// Source: RISC-V Unprivileged ISA, chapters "F" and "D" (version 2.2); IEEE 754-2019.
#ifndef MONITOR_ENGINE_SIM_SOFTFLOAT_H
#define MONITOR_ENGINE_SIM_SOFTFLOAT_H

#include <stdint.h>

enum {
	// Encoded as the frm field.
	SF_RNE = 0, // to nearest, ties to even
	SF_RTZ = 1, // towards zero
	SF_RDN = 2, // down
	SF_RUP = 3, // up
	SF_RMM = 4, // to nearest, ties away from zero
};

enum {
	// Encoded as the fflags field.
	SF_NX = 1,  // inexact
	SF_UF = 2,  // underflow
	SF_OF = 4,  // overflow
	SF_DZ = 8,  // division by zero
	SF_NV = 16, // invalid
};

#define F32_CANONICAL_NAN UINT32_C(0x7fc00000)
#define F64_CANONICAL_NAN UINT64_C(0x7ff8000000000000)

// Correctly rounded a+b, a-b, a*b, a/b, sqrt(a), and a*b+c with one rounding. Infinity times zero
// in fma raises SF_NV even when c is a quiet NaN. fmsub, fnmsub and fnmadd are fma with signs
// flipped by the caller.
uint32_t f32_add(uint32_t a, uint32_t b, int rm, uint32_t *flags);
uint32_t f32_sub(uint32_t a, uint32_t b, int rm, uint32_t *flags);
uint32_t f32_mul(uint32_t a, uint32_t b, int rm, uint32_t *flags);
uint32_t f32_div(uint32_t a, uint32_t b, int rm, uint32_t *flags);
uint32_t f32_sqrt(uint32_t a, int rm, uint32_t *flags);
uint32_t f32_fma(uint32_t a, uint32_t b, uint32_t c, int rm, uint32_t *flags);
uint64_t f64_add(uint64_t a, uint64_t b, int rm, uint32_t *flags);
uint64_t f64_sub(uint64_t a, uint64_t b, int rm, uint32_t *flags);
uint64_t f64_mul(uint64_t a, uint64_t b, int rm, uint32_t *flags);
uint64_t f64_div(uint64_t a, uint64_t b, int rm, uint32_t *flags);
uint64_t f64_sqrt(uint64_t a, int rm, uint32_t *flags);
uint64_t f64_fma(uint64_t a, uint64_t b, uint64_t c, int rm, uint32_t *flags);

// minimumNumber and maximumNumber: -0 is less than +0, a NaN beside a number gives the number, two
// NaNs give the canonical NaN.
uint32_t f32_min(uint32_t a, uint32_t b, uint32_t *flags);
uint32_t f32_max(uint32_t a, uint32_t b, uint32_t *flags);
uint64_t f64_min(uint64_t a, uint64_t b, uint32_t *flags);
uint64_t f64_max(uint64_t a, uint64_t b, uint32_t *flags);

// Comparisons, 0 or 1; 0 when either is a NaN. eq raises SF_NV for signaling NaNs only, lt and le
// for any NaN.
int f32_eq(uint32_t a, uint32_t b, uint32_t *flags);
int f32_lt(uint32_t a, uint32_t b, uint32_t *flags);
int f32_le(uint32_t a, uint32_t b, uint32_t *flags);
int f64_eq(uint64_t a, uint64_t b, uint32_t *flags);
int f64_lt(uint64_t a, uint64_t b, uint32_t *flags);
int f64_le(uint64_t a, uint64_t b, uint32_t *flags);

// The ten-bit mask of FCLASS, exactly one bit set: from bit 0, -inf, -normal, -subnormal, -0, +0,
// +subnormal, +normal, +inf, signaling NaN, quiet NaN.
uint32_t f32_classify(uint32_t a);
uint32_t f64_classify(uint64_t a);

// To integers. A value that rounds to outside the range gives the nearest bound, a NaN the upper
// bound; both raise SF_NV and not SF_NX. (The caller sign-extends the 32-bit results, the unsigned
// one too.)
int32_t f32_to_i32(uint32_t a, int rm, uint32_t *flags);
uint32_t f32_to_u32(uint32_t a, int rm, uint32_t *flags);
int64_t f32_to_i64(uint32_t a, int rm, uint32_t *flags);
uint64_t f32_to_u64(uint32_t a, int rm, uint32_t *flags);
int32_t f64_to_i32(uint64_t a, int rm, uint32_t *flags);
uint32_t f64_to_u32(uint64_t a, int rm, uint32_t *flags);
int64_t f64_to_i64(uint64_t a, int rm, uint32_t *flags);
uint64_t f64_to_u64(uint64_t a, int rm, uint32_t *flags);

// From integers.
uint32_t i32_to_f32(int32_t v, int rm, uint32_t *flags);
uint32_t u32_to_f32(uint32_t v, int rm, uint32_t *flags);
uint32_t i64_to_f32(int64_t v, int rm, uint32_t *flags);
uint32_t u64_to_f32(uint64_t v, int rm, uint32_t *flags);
uint64_t i32_to_f64(int32_t v, int rm, uint32_t *flags);
uint64_t u32_to_f64(uint32_t v, int rm, uint32_t *flags);
uint64_t i64_to_f64(int64_t v, int rm, uint32_t *flags);
uint64_t u64_to_f64(uint64_t v, int rm, uint32_t *flags);

// Between the formats; widening is exact.
uint64_t f32_to_f64(uint32_t a, uint32_t *flags);
uint32_t f64_to_f32(uint64_t a, int rm, uint32_t *flags);

#endif
