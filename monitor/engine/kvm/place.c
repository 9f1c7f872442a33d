// SPDX-License-Identifier: MIT
/*
 * Which node each vCPU runs on. A vCPU's thread is bound to the CPUs of one node, so that its memory
 * stays near; the host's scheduler chooses among them, idle ones first. A vCPU that has waited for a
 * CPU while other nodes have idle ones moves to the nearest of these: the paper's affinity scheduler
 * (section 4.2.1), as in the simulator, over longer times. It does not move to a node that has more
 * vCPUs for each CPU than its own, because the vCPUs that are idle there now will run again. Its
 * pages may follow once they are hot there; the replicas that it sees are those of the node on which
 * its VM began.
 *
 * The host tells which threads wait (/proc/self/task/TID/schedstat: ns on a CPU, ns waiting for one)
 * and which CPUs are idle (/proc/stat, in ticks of the clock). kvm_place() reads both a few times a
 * second.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "monitor/engine/kvm/place.h"
#include "monitor/engine/kvm/vcpu.h"
#include "numa/util.h"

enum {
	INTERVAL_NS = 200000000,
	REST_NS = 1000000000, /* after a move, a vCPU stays for this time */
	WAITED = 25,          /* per cent of the interval: a vCPU that waited longer moves */
	ROOM = 75,            /* per cent of a CPU that a node must have idle for one more vCPU */
	FIRST_MS = 100,
	ALL = 100,
};

struct ticks {
	unsigned long long busy, idle;
};

struct kvm_place {
	struct ticks was[MACHINE_MAX_CPUS];
	uint64_t at; /* host's ns when `was` was read; 0: before the run */
};

static void read_ticks(const struct machine *m, struct ticks t[MACHINE_MAX_CPUS])
{
	FILE *f = fopen("/proc/stat", "re");
	unsigned long long user, nice, system, idle, iowait, irq, softirq, steal;
	char line[256];
	unsigned os;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "cpu%u %llu %llu %llu %llu %llu %llu %llu %llu", &os, &user, &nice,
			    &system, &idle, &iowait, &irq, &softirq, &steal) != 9)
			continue;
		for (unsigned cpu = 0; cpu < m->n_cpus; cpu++)
			if (m->cpu_os[cpu] == os)
				t[cpu] =
					(struct ticks){user + nice + system + irq + softirq + steal,
						idle + iowait};
	}
	if (f)
		fclose(f);
}

/* Per cent of the time between `was` and `now` that a CPU was busy. */
static unsigned busy(const struct ticks *was, const struct ticks *now)
{
	unsigned long long b = now->busy - MIN(now->busy, was->busy);
	unsigned long long i = now->idle - MIN(now->idle, was->idle);

	return b + i ? (unsigned)(b * ALL / (b + i)) : 0;
}

void kvm_place_create(struct kvm_host *h)
{
	struct kvm_place *p = h->place = xcalloc(1, sizeof(*p));
	struct cluster *c = h->c;
	struct timespec wait = {.tv_nsec = FIRST_MS * 1000000l};
	struct ticks now[MACHINE_MAX_CPUS] = {0};

	read_ticks(c->machine, p->was);
	nanosleep(&wait, NULL);
	read_ticks(c->machine, now);
	for (unsigned cpu = 0; cpu < c->machine->n_cpus; cpu++)
		c->busy[cpu] = (uint8_t)busy(&p->was[cpu], &now[cpu]);
}

void kvm_place_destroy(struct kvm_host *h)
{
	free(h->place);
	h->place = NULL;
}

/* ns that a vCPU has waited for a CPU since the last call. */
static uint64_t waited(struct kvm_vcpu *e)
{
	unsigned long long ran, ns = 0;
	char path[64];
	uint64_t since = e->waited_ns;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/schedstat", (int)e->tid);
	f = fopen(path, "re");
	if (f && fscanf(f, "%llu %llu", &ran, &ns) == 2)
		e->waited_ns = ns;
	if (f)
		fclose(f);
	return e->waited_ns - MIN(e->waited_ns, since);
}

static void count_vcpus(const struct cluster *c, unsigned n[MACHINE_MAX_NODES])
{
	for (unsigned i = 0; i < c->n_vms; i++)
		for (unsigned j = 0; j < c->vm[i]->n_vcpus; j++)
			n[c->machine->cpu_node[c->vm[i]->vcpu[j].cpu]]++;
}

/* Returns the nearest other node with room, or -1. */
static int choose(const struct cluster *c, const int idle[MACHINE_MAX_NODES], unsigned from)
{
	const struct machine *m = c->machine;
	unsigned n[MACHINE_MAX_NODES] = {0};
	int best = -1;

	count_vcpus(c, n);
	for (unsigned node = 0; node < m->n_nodes; node++)
		if (node != from && idle[node] >= ROOM &&
			(n[node] + 1) * m->node[from].n_cpus <= n[from] * m->node[node].n_cpus &&
			(best < 0 || m->latency_ns[from][node] < m->latency_ns[from][best]))
			best = (int)node;
	return best;
}

/* Move to the CPU of the node that is assigned the fewest vCPUs. */
static void move(struct vcpu *vcpu, unsigned node, uint64_t now_ns)
{
	struct cluster *c = vcpu->vm->cluster;
	const struct machine *m = c->machine;
	unsigned n[MACHINE_MAX_CPUS] = {0}, best = m->node[node].first_cpu;

	for (unsigned i = 0; i < c->n_vms; i++)
		for (unsigned j = 0; j < c->vm[i]->n_vcpus; j++)
			n[c->vm[i]->vcpu[j].cpu]++;
	for (unsigned i = 0; i < m->node[node].n_cpus; i++)
		if (n[m->node[node].first_cpu + i] < n[best])
			best = m->node[node].first_cpu + i;
	host_bind_task(m, vcpu->kvm->tid, node);
	vcpu->cpu = best;
	vcpu->migrations++;
	vcpu->kvm->moved_ns = now_ns;
}

void kvm_place(struct kvm_host *h, uint64_t now_ns)
{
	struct cluster *c = h->c;
	struct kvm_place *p = h->place;
	const struct machine *m = c->machine;
	struct ticks now[MACHINE_MAX_CPUS] = {0};
	int idle[MACHINE_MAX_NODES] = {0};
	uint64_t passed = now_ns - p->at;
	bool first = !p->at;

	if (!first && passed < INTERVAL_NS)
		return;
	read_ticks(m, now);
	for (unsigned cpu = 0; cpu < m->n_cpus; cpu++)
		idle[m->cpu_node[cpu]] += (int)(ALL - busy(&p->was[cpu], &now[cpu]));
	for (unsigned v = 0; v < c->n_vms; v++)
		for (unsigned i = 0; i < c->vm[v]->n_vcpus; i++) {
			struct vcpu *vcpu = &c->vm[v]->vcpu[i];
			struct kvm_vcpu *e = vcpu->kvm;
			unsigned node = m->cpu_node[vcpu->cpu];
			uint64_t ns;
			int to;

			if (!e->tid || e->ended || c->vm[v]->n_vnodes)
				continue;
			ns = waited(e);
			/* If its own node has an idle CPU, the host's scheduler will use it. */
			if (first || ns < passed / ALL * WAITED || idle[node] >= ROOM ||
				now_ns - e->moved_ns < REST_NS)
				continue;
			to = choose(c, idle, node);
			if (to < 0)
				continue;
			idle[to] -= ALL;
			move(vcpu, (unsigned)to, now_ns);
		}
	memcpy(p->was, now, sizeof(now));
	p->at = now_ns;
}
