// SPDX-License-Identifier: MIT
/*
 * Node-bound memory and CPUs of this host: see host.h. The binding is strict (MPOL_BIND): a frame
 * whose number says node 2 is on node 2 or nowhere, so the allocator above, which knows how much
 * each node has, decides what happens when one is full, and not the kernel.
 */
#include <errno.h>
#include <numaif.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "numa/memory/host.h"

enum {
	BLOCK_BYTES = 2 << 20, /* nodes begin at multiples of a huge page */
	SPARE_PERCENT = 10,    /* of a node's free memory, left to other programs */
	MASK_BITS = 1024,
	WORD_BITS = 8 * sizeof(unsigned long),
	OS_CPUS =
		8192, /* as many as Linux can be built for; it takes no smaller set to answer in */
};

struct host_memory {
	const struct machine *m;
	uint8_t *base; /* at a multiple of a huge page, within what was allocated */
	uint64_t bytes;
	void *allocated;
	bool huge;
	int fd[MACHINE_MAX_NODES];
	uint64_t first[MACHINE_MAX_NODES]; /* machine address where the node's memory begins */
};

/* Free bytes of a node's memory; page cache counts, because the kernel gives it back. */
static uint64_t free_bytes(unsigned os_node)
{
	char *path = xasprintf("/sys/devices/system/node/node%u/meminfo", os_node);
	FILE *f = fopen(path, "r");
	char line[128], what[32];
	unsigned long long kb, sum = 0, shmem = 0;

	free(path);
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Node %*u %31[^:]: %llu", what, &kb) != 2)
			continue;
		if (!strcmp(what, "MemFree") || !strcmp(what, "FilePages"))
			sum += kb;
		else if (!strcmp(what, "Shmem"))
			shmem = kb;
	}
	if (f)
		fclose(f);
	return (sum - MIN(sum, shmem)) * 1024;
}

int host_memory_size(struct machine *m, uint64_t limit)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < m->n_nodes; i++) {
		uint64_t bytes = free_bytes(m->node_os[i]);

		m->node[i].mem_bytes =
			MIN(m->node[i].mem_bytes, bytes - bytes / 100 * SPARE_PERCENT);
		m->node[i].mem_bytes &= ~(uint64_t)(BLOCK_BYTES - 1);
		total += m->node[i].mem_bytes;
	}
	for (unsigned i = 0; limit && limit < total && i < m->n_nodes; i++)
		m->node[i].mem_bytes =
			(uint64_t)((double)m->node[i].mem_bytes * (double)limit / (double)total) &
			~(uint64_t)(BLOCK_BYTES - 1);
	for (unsigned i = 0; i < m->n_nodes; i++)
		if (m->node[i].mem_bytes)
			return 0;
	return complain(ENOMEM, "--machine host: no node has %d MB free", BLOCK_BYTES >> 20);
}

static int bind_memory(void *at, uint64_t bytes, unsigned os_node)
{
	unsigned long mask[MASK_BITS / WORD_BITS] = {0};

	if (os_node >= MASK_BITS)
		return complain(ERANGE, "host: a node numbered %u is not supported", os_node);
	mask[os_node / WORD_BITS] = 1ul << os_node % WORD_BITS;
	if (mbind(at, bytes, MPOL_BIND, mask, MASK_BITS, 0))
		return complain(errno, "host: memory of node %u cannot be bound: %s", os_node,
			strerror(errno));
	return 0;
}

static int make_node(struct host_memory *h, unsigned node)
{
	const struct machine *m = h->m;
	uint64_t bytes = m->node[node].mem_bytes;
	char name[32];

	snprintf(name, sizeof(name), "disco-node%u", node);
	h->fd[node] = memfd_create(name, MFD_CLOEXEC);
	if (h->fd[node] < 0 || ftruncate(h->fd[node], (off_t)bytes))
		return complain(errno, "host: %llu MB of shared memory: %s",
			(unsigned long long)(bytes >> 20), strerror(errno));
	if (mmap(h->base + h->first[node], bytes, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_FIXED | MAP_NORESERVE, h->fd[node], 0) == MAP_FAILED)
		return complain(errno, "host: %llu MB cannot be mapped: %s",
			(unsigned long long)(bytes >> 20), strerror(errno));
	if (h->huge && madvise(h->base + h->first[node], bytes, MADV_HUGEPAGE))
		return complain(errno, "--huge-pages: the host lends none: %s", strerror(errno));
	/* With one node there is nowhere else to go, and the kernel may have been built without. */
	return m->n_nodes > 1 ? bind_memory(h->base + h->first[node], bytes, m->node_os[node]) : 0;
}

/* Memory of ours is shared memory, for which huge pages are switched on and off by themselves. */
static int huge_pages_possible(void)
{
	static const char path[] = "/sys/kernel/mm/transparent_hugepage/shmem_enabled";
	FILE *f = fopen(path, "r");
	char line[128] = "";

	if (f) {
		if (!fgets(line, sizeof(line), f))
			line[0] = '\0';
		fclose(f);
	}
	if (line[0] && !strstr(line, "[never]") && !strstr(line, "[deny]"))
		return 0;
	return complain(ENOTSUP,
		"--huge-pages: the host lends no huge pages for shared memory: as root, echo "
		"advise >%s",
		path);
}

int host_memory_create(
	const struct machine *m, bool huge, struct host_memory **out, struct memory **mem)
{
	struct host_memory *h = xcalloc(1, sizeof(*h));
	int err = huge ? huge_pages_possible() : 0;

	h->m = m;
	h->huge = huge;
	memset(h->fd, 0xff, sizeof(h->fd));
	for (unsigned i = 0; i < m->n_nodes; i++) {
		h->first[i] = h->bytes;
		h->bytes += m->node[i].mem_bytes;
	}
	h->allocated = lazy_alloc(h->bytes + BLOCK_BYTES);
	h->base = (uint8_t *)h->allocated + -(uintptr_t)h->allocated % BLOCK_BYTES;
	for (unsigned i = 0; !err && i < m->n_nodes; i++)
		if (m->node[i].mem_bytes)
			err = make_node(h, i);
	if (err) {
		host_memory_destroy(h);
		return err;
	}
	*out = h;
	*mem = memory_create_at(m, h->base, MADV_REMOVE);
	return 0;
}

void host_memory_destroy(struct host_memory *h)
{
	if (!h)
		return;
	lazy_free(h->allocated, h->bytes + BLOCK_BYTES);
	for (unsigned i = 0; i < h->m->n_nodes; i++)
		if (h->fd[i] >= 0)
			close(h->fd[i]);
	free(h);
}

int host_frame(
	const struct host_memory *h, const struct memory *mem, uint32_t mpn, uint64_t *offset)
{
	unsigned node = frame_node(mem, mpn);

	*offset = ((uint64_t)mpn << PAGE_SHIFT) - h->first[node];
	return h->fd[node];
}

static void bind_task(const struct machine *m, int tid, unsigned node, int cpu)
{
	cpu_set_t set[OS_CPUS / CPU_SETSIZE] = {0};

	for (unsigned i = 0; i < m->n_cpus; i++)
		if (cpu < 0 ? m->cpu_node[i] == node : i == (unsigned)cpu)
			CPU_SET_S(m->cpu_os[i], sizeof(set), set);
	/* A container may be allowed fewer CPUs than there are: then the thread stays where it may
	 * be. */
	if (CPU_COUNT_S(sizeof(set), set))
		sched_setaffinity(tid, sizeof(set), set);
}

void host_bind_task(const struct machine *m, int tid, unsigned node)
{
	bind_task(m, tid, node, -1);
}

void host_bind_thread(const struct machine *m, unsigned node, int cpu)
{
	bind_task(m, 0, node, cpu);
}

int host_task_node(const struct machine *m, int tid)
{
	cpu_set_t set[OS_CPUS / CPU_SETSIZE] = {0};
	int node = -1, elsewhere;

	if (sched_getaffinity(tid, sizeof(set), set))
		return -1;
	elsewhere = CPU_COUNT_S(sizeof(set), set);
	for (unsigned i = 0; i < m->n_cpus; i++)
		if (CPU_ISSET_S(m->cpu_os[i], sizeof(set), set) &&
			(node < 0 || node == m->cpu_node[i])) {
			node = m->cpu_node[i];
			elsewhere--;
		}
	return elsewhere ? -1 : node;
}
