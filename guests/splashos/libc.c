// SPDX-License-Identifier: MIT
/*
 * What picolibc leaves to the system: standard output, the end, the clock, the number of CPUs.
 * Output is collected by line and hart and printed with one monitor call, so lines of different
 * threads do not mix. There is no input and there are no files; a program that opens one does not
 * link.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "os.h"
#include "sbi.h"

/* ---- output */

void console_flush(struct hart *h)
{
	if (h->line_bytes)
		sbi_print(h->line, h->line_bytes);
	h->line_bytes = 0;
}

static int put(char c, FILE *f)
{
	(void)f;
	me->line[me->line_bytes++] = c;
	if (c == '\n' || me->line_bytes == LINE_BYTES)
		console_flush(me);
	return (unsigned char)c;
}

static int get(FILE *f)
{
	(void)f;
	return _FDEV_EOF;
}

static int flush(FILE *f)
{
	(void)f;
	console_flush(me);
	return 0;
}

static FILE console = FDEV_SETUP_STREAM(put, get, flush, _FDEV_SETUP_RW);
FILE *const stdin = &console;
FILE *const stdout = &console;
FILE *const stderr = &console;

/* ---- beginning and end */

typedef void function(void);
extern function *const __preinit_array_start[], *const __preinit_array_end[];
extern function *const __init_array_start[], *const __init_array_end[];

void run_constructors(void)
{
	for (function *const *f = __preinit_array_start; f < __preinit_array_end; f++)
		(*f)();
	for (function *const *f = __init_array_start; f < __init_array_end; f++)
		(*f)();
}

/* The machine's exit code is that of the program, if the board has the device for it. */
_Noreturn void _exit(int code)
{
	code &= 0xff;
	for (unsigned i = 0; i < board.n_harts; i++)
		console_flush(&hart[i]);
	if (board.test_pa)
		*(volatile uint32_t *)board.test_pa = code ? (uint32_t)code << 16 | 0x3333 : 0x5555;
	sbi_power_off(code);
	for (;;)
		__asm__ volatile("wfi");
}

_Noreturn void abort(void)
{
	_exit(134); /* what a shell says of SIGABRT */
}

/* ---- clock and CPUs */

int clock_gettime(clockid_t clock, struct timespec *t)
{
	uint64_t ticks, hz = board.timebase_hz;

	(void)clock; /* all count from when the machine started */
	__asm__ volatile("rdtime %0" : "=r"(ticks));
	t->tv_sec = (time_t)(ticks / hz);
	t->tv_nsec = (long)(ticks % hz * 1000000000 / hz);
	return 0;
}

long sysconf(int name)
{
	switch (name) {
	case _SC_NPROCESSORS_CONF:
	case _SC_NPROCESSORS_ONLN:
		return board.n_harts;
	case _SC_PAGESIZE:
		return 4096;
	default:
		errno = EINVAL;
		return -1;
	}
}
