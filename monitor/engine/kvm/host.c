// SPDX-License-Identifier: MIT
/*
 * See host.h. The clock is the host's: a run under KVM is measured, not simulated, and no two runs
 * are the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "monitor/engine/kvm/host.h"
#include "numa/util.h"

struct kvm_host *kvm_host_create(struct cluster *c)
{
	struct kvm_host *h = xcalloc(1, sizeof(*h));

	h->c = c;
	h->fd = h->uffd = -1;
	pthread_mutex_init(&h->lock, NULL);
	return h;
}

void kvm_host_destroy(struct kvm_host *h)
{
	pthread_mutex_destroy(&h->lock);
	free(h);
}

/* ---- time */

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	return clock_gettime(clock, &t) ? 0
					: (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t kvm_now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

uint64_t kvm_work_ns(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t kvm_thread_ns(pthread_t thread)
{
	clockid_t clock;

	return pthread_getcpuclockid(thread, &clock) ? 0 : clock_ns(clock);
}

uint64_t kvm_cycles(const struct machine *m, uint64_t ns)
{
	return (uint64_t)((unsigned __int128)ns * m->clock_hz / 1000000000u);
}

uint64_t kvm_ns(const struct machine *m, uint64_t cycles)
{
	return (uint64_t)((unsigned __int128)cycles * 1000000000u / m->clock_hz);
}

uint64_t kvm_machine_now(const struct kvm_host *h)
{
	return h->began ? kvm_cycles(h->c->machine, kvm_now_ns() - h->began) : h->c->now;
}

/* ---- the address space */

uint64_t kvm_vmas(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	uint64_t n = 0;
	int ch;

	while (f && (ch = getc(f)) != EOF)
		n += ch == '\n';
	if (f)
		fclose(f);
	return n;
}

uint64_t kvm_huge_bytes(void)
{
	FILE *f = fopen("/proc/self/smaps_rollup", "r");
	unsigned long long kb = 0;
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "ShmemPmdMapped: %llu", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb * 1024;
}

uint64_t kvm_vmas_max(void)
{
	FILE *f = fopen("/proc/sys/vm/max_map_count", "r");
	unsigned long long n = 65530;

	if (f) {
		if (fscanf(f, "%llu", &n) != 1)
			n = 65530;
		fclose(f);
	}
	return n;
}
