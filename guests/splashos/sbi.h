// SPDX-License-Identifier: MIT
/*
 * The calls that SPLASHOS makes to the monitor or a firmware: six of the RISC-V Supervisor Binary
 * Interface (specification 2.0, chapters 3 and 7 to 12). It drives no interrupt controller, no
 * timer and no serial port of its own.
 */
#ifndef SPLASHOS_SBI_H
#define SPLASHOS_SBI_H

#include <stdint.h>

struct sbi_ret {
	long error; /* 0: none */
	long value;
};

enum { SBI_HART_STOPPED = 1 };

static inline struct sbi_ret sbi(
	uint64_t extension, uint64_t function, uint64_t arg0, uint64_t arg1, uint64_t arg2)
{
	register uint64_t a0 __asm__("a0") = arg0;
	register uint64_t a1 __asm__("a1") = arg1;
	register uint64_t a2 __asm__("a2") = arg2;
	register uint64_t a6 __asm__("a6") = function;
	register uint64_t a7 __asm__("a7") = extension;

	__asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a6), "r"(a7) : "memory");
	return (struct sbi_ret){(long)a0, (long)a1};
}

/* An interrupt to each hart base + i whose bit i is set. */
static inline void sbi_send_ipi(uint64_t mask, uint64_t base)
{
	sbi(0x735049, 0, mask, base, 0);
}

/* Begin at pa with a0 = id, a1 = arg. */
static inline long sbi_hart_start(uint64_t id, uint64_t pa, uint64_t arg)
{
	return sbi(0x48534d, 0, id, pa, arg).error;
}

static inline void sbi_hart_stop(void)
{
	sbi(0x48534d, 1, 0, 0, 0);
}

static inline long sbi_hart_status(uint64_t id)
{
	return sbi(0x48534d, 2, id, 0, 0).value;
}

static inline void sbi_power_off(int failed)
{
	sbi(0x53525354, 0, 0, failed != 0, 0);
}

/* All of it, or what a firmware older than the call (OpenSBI before 1.3) prints byte by byte. */
static inline void sbi_print(const char *text, uint64_t bytes)
{
	while (bytes) {
		struct sbi_ret r = sbi(0x4442434e, 0, bytes, (uint64_t)text, 0);
		uint64_t n = r.error ? 1 : (uint64_t)r.value;

		if (r.error)
			sbi(1, 0, (uint8_t)*text, 0, 0);
		text += n;
		bytes -= n;
	}
}

#endif
