// SPDX-License-Identifier: MIT
/*
 * Accesses that the kernel notes with their physical address are found as pages again: whose, how
 * often, by which thread. Processors that note memory accesses are rare, so the event here is the
 * page fault that needs no disk, which comes with an address, too.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "monitor/engine/kvm/perf.h"
#include "numa/util.h"

enum { PAGES = 6000, BYTES = 4096 }; /* more than are looked up at once */

static uint32_t times[PAGES], by[PAGES], n_found;

static void found(void *arg, uint32_t page, uint32_t tid, uint32_t n, bool write)
{
	ck_assert_ptr_eq(arg, times);
	ck_assert_uint_lt(page, PAGES);
	ck_assert(!write); /* faults do not say */
	times[page] += n;
	by[page] = tid;
	n_found++;
}

static struct perf *open_faults(void)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_PAGE_FAULTS_MIN,
		.sample_period = 1};

	return perf_open_event(&attr, 0, -1, -1);
}

static char *memory(int *fd)
{
	char *p;

	*fd = memfd_create("test", MFD_CLOEXEC);
	ck_assert_int_eq(ftruncate(*fd, PAGES * BYTES), 0);
	p = mmap(NULL, PAGES * BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	ck_assert_ptr_ne(p, MAP_FAILED);
	return p;
}

static void look(struct perf *p, const char *base)
{
	memset(times, 0, sizeof(times));
	memset(by, 0, sizeof(by));
	n_found = 0;
	ck_assert(perf_fetch(p));
	perf_find(p, base, PAGES, found, times);
}

START_TEST(pages_are_found)
{
	int fd;
	char *m = memory(&fd);
	struct perf *p = open_faults();

	for (unsigned i = 0; i < PAGES; i += 100)
		m[i * BYTES] = 1;
	for (unsigned again = 0; again < 2; again++) { /* the page table forgets one */
		ck_assert_int_eq(madvise(m + 300 * BYTES, BYTES, MADV_DONTNEED), 0);
		m[300 * BYTES]++;
	}
	look(p, m);
	for (unsigned i = 0; i < PAGES; i++) {
		ck_assert_uint_eq(times[i], i == 300 ? 3 : i % 100 == 0);
		ck_assert(!times[i] || by[i] == (uint32_t)syscall(SYS_gettid));
	}
	ck_assert_uint_ge(perf_accesses(p), PAGES / 100 + 2);
	ck_assert_uint_eq(perf_lost(p), 0);
	perf_forget(p);
	look(p, m);
	ck_assert_uint_eq(n_found, 0);
	perf_close(p);
	munmap(m, PAGES * BYTES);
	close(fd);
}
END_TEST

/* The same frame in two mappings is found in both, and only where it is. */
START_TEST(frames_have_several_places)
{
	int fd;
	char *m = memory(&fd),
	     *other = mmap(NULL, PAGES * BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	struct perf *p = open_faults();

	m[7 * BYTES] = 1;
	look(p, other);
	ck_assert_uint_eq(n_found, 0); /* not in that page table */
	other[7 * BYTES] = 1;
	look(p, other);
	ck_assert_uint_eq(n_found, 1);
	ck_assert_uint_eq(times[7], 2); /* either's fault */
	perf_close(p);
	munmap(other, PAGES * BYTES);
	munmap(m, PAGES * BYTES);
	close(fd);
}
END_TEST

/* More than the ring or the table holds is counted as lost, and the rest is right. */
START_TEST(what_does_not_fit_is_lost)
{
	int fd;
	char *m = memory(&fd);
	struct perf *p = open_faults();
	uint32_t sum = 0;

	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < PAGES / 20; i++)
			m[(round * (PAGES / 20) + i) * BYTES] = 1;
		look(p, m);
	}
	for (unsigned i = 0; i < PAGES; i++) {
		ck_assert_uint_le(times[i], 1);
		sum += times[i];
	}
	/* A sanitizer's own memory has faults, too. */
	ck_assert_uint_gt(sum, INSTRUMENTED ? 2000 : 3000);
	ck_assert_uint_gt(perf_lost(p), 0);
	ck_assert_uint_ge(perf_accesses(p) + perf_lost(p), PAGES);
	perf_close(p);
	munmap(m, PAGES * BYTES);
	close(fd);
}
END_TEST

int main(void)
{
	struct perf *p = open_faults();
	Suite *s = suite_create("kvm-perf");
	TCase *t = tcase_create("all");
	SRunner *runner;
	int failed;

	if (!p || geteuid()) {
		puts("the kernel does not tell physical addresses (root's right)");
		return 77;
	}
	perf_close(p);
	tcase_add_test(t, pages_are_found);
	tcase_add_test(t, frames_have_several_places);
	tcase_add_test(t, what_does_not_fit_is_lost);
	suite_add_tcase(s, t);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
