// SPDX-License-Identifier: MIT
//
// The host's floating point as a judge: its rounding mode set and its flags read as RISC-V has
// them. On x86-64 this is done by hand, which is many times faster than fenv.h.
#ifndef DISCO_TESTS_FLOAT_HOST_H
#define DISCO_TESTS_FLOAT_HOST_H

#include <fenv.h>
#include <stdint.h>
#include <string.h>

#include "monitor/engine/sim/softfloat.h"

static inline float f32(uint32_t bits)
{
	float v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

static inline double f64(uint64_t bits)
{
	double v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

static inline uint32_t bits32(float v)
{
	uint32_t bits;

	memcpy(&bits, &v, sizeof(bits));
	return v != v ? F32_CANONICAL_NAN : bits;
}

static inline uint64_t bits64(double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	return v != v ? F64_CANONICAL_NAN : bits;
}

// Between host_begin() and host_end() the host computes in the given mode and collects flags;
// operands come from and results go to volatile objects, so that nothing is computed elsewhere.
#ifdef __x86_64__
#define HOST_FLAGS 31

static inline void host_begin(int rm)
{
	static const uint32_t control[] = {
		[SF_RNE] = 0, [SF_RDN] = 1 << 13, [SF_RUP] = 2 << 13, [SF_RTZ] = 3 << 13};
	uint32_t mxcsr = 0x1f80 | control[rm];

	__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr) : "memory");
}

static inline uint32_t host_end(void)
{
	uint32_t raised, mxcsr = 0x1f80;

	__asm__ volatile("stmxcsr %0" : "=m"(raised) : : "memory");
	__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr) : "memory");
	return (raised & 0x20 ? SF_NX : 0) | (raised & 0x10 ? SF_UF : 0) |
	       (raised & 8 ? SF_OF : 0) | (raised & 4 ? SF_DZ : 0) | (raised & 1 ? SF_NV : 0);
}
#else
// When underflow is tiny differs between architectures.
#define HOST_FLAGS (31 & ~SF_UF)

static inline void host_begin(int rm)
{
	static const int mode[] = {[SF_RNE] = FE_TONEAREST,
		[SF_RDN] = FE_DOWNWARD,
		[SF_RUP] = FE_UPWARD,
		[SF_RTZ] = FE_TOWARDZERO};

	fesetround(mode[rm]);
	feclearexcept(FE_ALL_EXCEPT);
}

static inline uint32_t host_end(void)
{
	int raised = fetestexcept(FE_ALL_EXCEPT);

	fesetround(FE_TONEAREST);
	return (raised & FE_INEXACT ? SF_NX : 0) | (raised & FE_OVERFLOW ? SF_OF : 0) |
	       (raised & FE_DIVBYZERO ? SF_DZ : 0) | (raised & FE_INVALID ? SF_NV : 0);
}
#endif

#endif
