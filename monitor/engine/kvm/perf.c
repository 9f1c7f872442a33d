// SPDX-License-Identifier: MIT
/*
 * See perf.h. The kernel writes records into a ring of each CPU; fetching adds them up by the host's
 * frame and the thread. The table is small: samples that do not fit are lost, and the others remain
 * a sample. A search for the frames reads eight bytes for each page of a VM, so the caller decides
 * how often. Nothing is remembered between searches, because the host may move frames itself.
 *
 * Records: perf_event_open(2), in the order that sample_type gives them.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "monitor/engine/kvm/perf.h"
#include "numa/util.h"

enum {
	RING_PAGES = 16,
	SLOTS = 8192, /* a power of two */
	MOST = SLOTS / 2,
	PER_SECOND = 1000, /* of each CPU that is busy */
	USELESS = 10000,   /* records without an address: give up */
	CHUNK = 1024,      /* pages looked up at once */
	HOST_PAGE = 4096,
	RING_BYTES = (RING_PAGES + 1) * HOST_PAGE, /* a page of its state, and the records */
};

struct ring {
	int fd;
	struct perf_event_mmap_page *head; /* then the records */
};

struct access {
	uint64_t frame; /* + 1; 0: free */
	uint32_t tid, times;
	bool write;
};

struct perf {
	struct ring *ring;
	unsigned n_rings;
	int pagemap;
	uint64_t records, accesses, lost;
	bool addresses; /* any came */
	uint32_t n;
	struct access slot[SLOTS];
};

/* As asked for by perf_open_event(). */
struct sample {
	struct perf_event_header header;
	uint32_t pid, tid;
	union perf_mem_data_src source;
	uint64_t pa;
};

struct lost {
	struct perf_event_header header;
	uint64_t id, lost;
};

static bool add_ring(struct perf *p, struct perf_event_attr *attr, pid_t pid, int cpu)
{
	struct ring r = {
		.fd = (int)syscall(SYS_perf_event_open, attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC)};

	if (r.fd < 0)
		return false;
	r.head = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, r.fd, 0);
	if (r.head == MAP_FAILED) {
		close(r.fd);
		return false;
	}
	p->ring = xrealloc(p->ring, (p->n_rings + 1) * sizeof(p->ring[0]));
	p->ring[p->n_rings++] = r;
	return true;
}

struct perf *perf_open_event(struct perf_event_attr *attr, pid_t pid, int cpu, int last_cpu)
{
	struct perf *p = xcalloc(1, sizeof(*p));
	bool any = false;

	attr->size = sizeof(*attr);
	attr->sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_DATA_SRC | PERF_SAMPLE_PHYS_ADDR;
	p->pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	/* A CPU may be off. */
	for (int i = cpu; p->pagemap >= 0 && i <= last_cpu; i++)
		any |= add_ring(p, attr, pid, i);
	if (any)
		return p;
	perf_close(p);
	return NULL;
}

struct perf *perf_open(void)
{
	struct perf_event_attr attr = {.freq = 1, .sample_freq = PER_SECOND};
	FILE *f = fopen("/sys/bus/event_source/devices/ibs_op/type", "r");
	bool have = f && fscanf(f, "%u", &attr.type) == 1;

	if (f)
		fclose(f);
	return have ? perf_open_event(&attr, -1, 0, (int)sysconf(_SC_NPROCESSORS_CONF) - 1) : NULL;
}

void perf_close(struct perf *p)
{
	if (!p)
		return;
	for (unsigned i = 0; i < p->n_rings; i++) {
		munmap(p->ring[i].head, RING_BYTES);
		close(p->ring[i].fd);
	}
	if (p->pagemap >= 0)
		close(p->pagemap);
	free(p->ring);
	free(p);
}

/* The first slot of a frame's accesses, which end before the next free slot. */
static uint32_t slot_of(uint64_t frame)
{
	return (uint32_t)(frame * 0x9e3779b97f4a7c15ull >> 40) % SLOTS;
}

static void add_access(struct perf *p, uint64_t frame, uint32_t tid, bool write)
{
	uint32_t i = slot_of(frame);

	while (p->slot[i].frame && (p->slot[i].frame != frame + 1 || p->slot[i].tid != tid))
		i = (i + 1) % SLOTS;
	if (!p->slot[i].frame) {
		if (p->n == MOST) {
			p->lost++;
			return;
		}
		p->n++;
		p->slot[i] = (struct access){.frame = frame + 1, .tid = tid};
	}
	p->slot[i].times++;
	p->slot[i].write |= write;
	p->accesses++;
}

/* Did a cache of the CPU itself have it? Such an access costs the same wherever the page is. */
static bool near(union perf_mem_data_src s)
{
	return s.mem_lvl & PERF_MEM_LVL_HIT &&
	       s.mem_lvl & (PERF_MEM_LVL_L1 | PERF_MEM_LVL_LFB | PERF_MEM_LVL_L2);
}

static void take(struct perf *p, const struct sample *s)
{
	p->records++;
	if (!s->pa)
		return;
	p->addresses = true;
	if (s->pid == (uint32_t)getpid() && !near(s->source))
		add_access(p, s->pa / HOST_PAGE, s->tid, s->source.mem_op & PERF_MEM_OP_STORE);
}

/* A record may go round the ring's end. */
static void copy_out(const struct ring *r, uint64_t at, void *to, size_t n)
{
	const char *data = (const char *)r->head + r->head->data_offset;

	for (size_t i = 0; i < n; i++)
		((char *)to)[i] = data[(at + i) % r->head->data_size];
}

static void fetch_ring(struct perf *p, struct ring *r)
{
	uint64_t end = __atomic_load_n(&r->head->data_head, __ATOMIC_ACQUIRE);
	uint64_t at = r->head->data_tail;

	while (at < end) {
		struct sample s;
		struct lost l;

		copy_out(r, at, &s.header, sizeof(s.header));
		if (s.header.type == PERF_RECORD_SAMPLE && s.header.size == sizeof(s)) {
			copy_out(r, at, &s, sizeof(s));
			take(p, &s);
		} else if (s.header.type == PERF_RECORD_LOST) {
			copy_out(r, at, &l, sizeof(l));
			p->lost += l.lost;
		}
		at += s.header.size;
	}
	__atomic_store_n(&r->head->data_tail, end, __ATOMIC_RELEASE);
}

bool perf_fetch(struct perf *p)
{
	for (unsigned i = 0; i < p->n_rings; i++)
		fetch_ring(p, &p->ring[i]);
	return p->addresses || p->records < USELESS;
}

static void find_frame(
	struct perf *p, uint64_t frame, uint32_t page, perf_found_fn *found, void *arg)
{
	for (uint32_t i = slot_of(frame); p->slot[i].frame; i = (i + 1) % SLOTS)
		if (p->slot[i].frame == frame + 1)
			found(arg, page, p->slot[i].tid, p->slot[i].times, p->slot[i].write);
}

void perf_find(struct perf *p, const void *base, uint32_t n, perf_found_fn *found, void *arg)
{
	const uint64_t present = 1ull << 63, frame = (1ull << 55) - 1;
	uint64_t entry[CHUNK];

	for (uint32_t at = 0; p->n && at < n; at += CHUNK) {
		size_t bytes = MIN(n - at, (uint32_t)CHUNK) * sizeof(entry[0]);

		if (pread(p->pagemap, entry, bytes,
			    (off_t)(((uintptr_t)base / HOST_PAGE + at) * sizeof(entry[0]))) !=
			(ssize_t)bytes)
			return;
		for (uint32_t i = 0; i < bytes / sizeof(entry[0]); i++)
			if (entry[i] & present)
				find_frame(p, entry[i] & frame, at + i, found, arg);
	}
}

void perf_forget(struct perf *p)
{
	memset(p->slot, 0, sizeof(p->slot));
	p->n = 0;
}

uint64_t perf_accesses(const struct perf *p)
{
	return p->accesses;
}

uint64_t perf_lost(const struct perf *p)
{
	return p->lost;
}
