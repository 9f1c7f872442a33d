// SPDX-License-Identifier: MIT
/*
 * The few helpers that every room uses: how the program ends on an impossible state of the host,
 * how it tells a user what is wrong, and allocation that cannot fail. Any thread may call any of
 * them.
 */
#ifndef NUMA_UTIL_H
#define NUMA_UTIL_H

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

#define likely(x)     __builtin_expect(!!(x), 1)
#define unlikely(x)   __builtin_expect(!!(x), 0)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)                                                                                  \
	({                                                                                         \
		__typeof__(a) min_a_ = (a);                                                        \
		__typeof__(b) min_b_ = (b);                                                        \
		min_a_ < min_b_ ? min_a_ : min_b_;                                                 \
	})
#define MAX(a, b)                                                                                  \
	({                                                                                         \
		__typeof__(a) max_a_ = (a);                                                        \
		__typeof__(b) max_b_ = (b);                                                        \
		max_a_ > max_b_ ? max_a_ : max_b_;                                                 \
	})

/* The host failed us (out of memory, impossible state): "disco: MESSAGE" on stderr, exit status 70.
 */
_Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * One clear line for the user on stderr, "disco: MESSAGE": what was wrong, where, what to do.
 * Returns -err, so that a function can `return complain(EINVAL, ...)`.
 */
int complain(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Zeroed memory, or die(). Freed with free(). */
void *xcalloc(size_t n, size_t size);
char *xstrdup(const char *s);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void *xrealloc(void *p, size_t bytes);

/* Zero-filled address space, backed by host memory only where touched. die() when refused. */
void *lazy_alloc(size_t bytes);
void lazy_free(void *p, size_t bytes);

/*
 * Parse "128M", "1G", "4096", "64K" (powers of 1024) into bytes. Returns 0, or -EINVAL for anything
 * else (empty, negative, trailing text) or -ERANGE when it does not fit; *bytes is then untouched.
 */
int parse_size(const char *text, uint64_t *bytes);

/* A deterministic 64-bit generator (SplitMix64, Steele et al. 2014); state is any seed. */
static inline uint64_t splitmix64(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

#endif
