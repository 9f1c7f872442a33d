// SPDX-License-Identifier: MIT
/*
 * Which vCPU runs on which CPU. Each vCPU has a home CPU, so that its memory stays near; each CPU
 * has a queue. A vCPU holds its CPU until it idles while another waits, or its time slice is over
 * and another waits; an idle vCPU stays while no other waits for its CPU, so that it can wake
 * within the quantum. A CPU with nothing to do takes over a vCPU that has waited for a while
 * elsewhere, from the nearest queue first (the paper's affinity scheduler, section 4.2.1). Such a
 * guest makes room as soon as one that is at home there wants the CPU, and when it wakes next, it
 * is at home again if that CPU is free: else one vCPU more than CPUs would drive all others from
 * their memory in time. All of it happens at boundaries, so it depends on machine time alone.
 */
#include <stdlib.h>

#include "monitor/vm/counts.h"
#include "monitor/engine/sim/mode.h"
#include "monitor/engine/sim/numa.h"
#include "monitor/engine/sim/sched.h"

struct run_queue {
	struct sim_vcpu *current;
	struct sim_vcpu **waiting; /* first in, first out */
	unsigned n;
};

struct sched {
	struct cluster *cluster;
	unsigned room; /* in each queue: for all vCPUs there are */
	struct run_queue cpu[MACHINE_MAX_CPUS];
};

static void leave(struct run_queue *q);

struct sched *sched_create(struct cluster *c)
{
	struct sched *s = xcalloc(1, sizeof(*s));

	s->cluster = c;
	return s;
}

/* VMs may come while others run. */
static void make_room(struct sched *s)
{
	const struct cluster *c = s->cluster;
	unsigned total = 0;

	for (unsigned v = 0; v < c->n_vms; v++)
		total += c->vm[v]->n_vcpus;
	if (total <= s->room)
		return;
	for (unsigned i = 0; i < c->machine->n_cpus; i++)
		s->cpu[i].waiting =
			xrealloc(s->cpu[i].waiting, total * sizeof(s->cpu[i].waiting[0]));
	s->room = total;
}

void sched_destroy(struct sched *s)
{
	for (unsigned i = 0; i < s->cluster->machine->n_cpus; i++) {
		if (s->cpu[i].current)
			leave(&s->cpu[i]);
		free(s->cpu[i].waiting);
	}
	free(s);
}

bool cpu_wants(const struct sim_vcpu *cpu, uint64_t end)
{
	if (cpu->vm->state != VM_RUNNING)
		return false;
	return cpu->vcpu->state == VCPU_RUNNABLE ||
	       (cpu->vcpu->state == VCPU_IDLE && cpu->timer_at < end);
}

static bool at_home(const struct sim_vcpu *cpu, unsigned on)
{
	return cpu->vcpu->home == on;
}

/* Would a vCPU that is at home there get this CPU at once? */
static bool is_free(const struct run_queue *q, uint64_t end)
{
	return !q->n && (!q->current || !cpu_wants(q->current, end));
}

static void enqueue(struct sched *s, struct sim_vcpu *cpu, uint64_t end)
{
	struct run_queue *home = &s->cpu[cpu->vcpu->home], *last = &s->cpu[cpu->vcpu->cpu];
	struct run_queue *q = is_free(last, end) && !is_free(home, end) ? last : home;

	cpu->queued = true;
	cpu->queued_at = s->cluster->now;
	q->waiting[q->n++] = cpu;
}

/* What this CPU counts from here on is the vCPU's, */
static void begin_account(struct vcpu *v)
{
	const struct cluster *c = v->vm->cluster;

	v->counts_at = c->memsys ? *memsys_counts(c->memsys, v->cpu) : (struct memsys_counts){0};
	v->model_at = v->model_cycles;
}

/* until here. */
static void end_account(struct vcpu *v)
{
	struct cluster *c = v->vm->cluster;
	struct tally t = {.cpu_cycles = v->model_cycles - v->model_at};

	if (c->memsys)
		counts_add(&t.n, memsys_counts(c->memsys, v->cpu), &v->counts_at);
	counts_add(&v->counts, &t.n, NULL);
	tally_add(&v->vm->on_node[c->machine->cpu_node[v->cpu]], &t);
	c->cpu_cycles[v->cpu] += t.cpu_cycles;
}

static void dispatch(struct sched *s, unsigned on, struct sim_vcpu *cpu)
{
	const struct machine *m = s->cluster->machine;

	if (cpu->vcpu->cpu != on)
		cpu->vcpu->migrations++;
	cpu->vcpu->cpu = on;
	cpu->vcpu->dispatched_at = s->cluster->now;
	begin_account(cpu->vcpu);
	cpu->node = m->cpu_node[on];
	cpu->placed = true;
	if (cpu->mode != MODE_NATIVE)
		monitor_event(cpu, EVENT_SWITCH, m->cost.vcpu_switch);
	s->cpu[on].current = cpu;
	cpu_attach_model(cpu);
}

static struct sim_vcpu *dequeue(struct run_queue *q, unsigned at)
{
	struct sim_vcpu *cpu = q->waiting[at];

	for (unsigned i = at + 1; i < q->n; i++)
		q->waiting[i - 1] = q->waiting[i];
	q->n--;
	cpu->queued = false;
	return cpu;
}

static void leave(struct run_queue *q)
{
	end_account(q->current->vcpu);
	q->current->placed = false;
	q->current->model = NULL;
	q->current = NULL;
}

/* Is the vCPU a guest on this CPU, and one of the CPU's own waits? */
static bool in_the_way(const struct sched *s, const struct run_queue *q)
{
	unsigned on = (unsigned)(q - s->cpu);

	if (!at_home(q->current, on))
		for (unsigned i = 0; i < q->n; i++)
			if (at_home(q->waiting[i], on))
				return true;
	return false;
}

/* Leave the CPU: for good, or for the end of the queue. */
static void release(struct sched *s, struct run_queue *q, uint64_t end)
{
	struct sim_vcpu *cpu = q->current;

	if (cpu->vm->state == VM_RUNNING && cpu->vcpu->state != VCPU_STOPPED) {
		if (!q->n)
			return;
		if (cpu_wants(cpu, end) && !in_the_way(s, q) &&
			s->cluster->now - cpu->vcpu->dispatched_at <
				s->cluster->machine->timeslice_cycles)
			return;
	}
	leave(q);
	if (cpu_wants(cpu, end))
		enqueue(s, cpu, end);
}

/* The queue to help: the nearest whose head has waited long enough. */
static struct run_queue *steal_from(struct sched *s, unsigned cpu)
{
	const struct machine *m = s->cluster->machine;
	struct run_queue *best = NULL;
	uint32_t best_distance = UINT32_MAX;

	for (unsigned i = 0; i < m->n_cpus; i++) {
		struct run_queue *q = &s->cpu[i];
		uint32_t distance = m->latency_ns[m->cpu_node[cpu]][m->cpu_node[i]];

		if (!q->n || s->cluster->now - q->waiting[0]->queued_at < m->timeslice_cycles / 4)
			continue;
		/* Its guest knows which node it is on. */
		if (q->waiting[0]->vm->n_vnodes && m->cpu_node[cpu] != m->cpu_node[i])
			continue;
		if (distance < best_distance) {
			best = q;
			best_distance = distance;
		}
	}
	return best;
}

void sched_pick(struct sched *s)
{
	struct cluster *c = s->cluster;
	const struct machine *m = c->machine;
	uint64_t end = c->now + m->quantum_cycles;

	make_room(s);
	for (unsigned i = 0; i < m->n_cpus; i++) {
		struct run_queue *q = &s->cpu[i];

		for (unsigned w = 0; w < q->n;)
			if (cpu_wants(q->waiting[w], end))
				w++;
			else
				dequeue(q, w);
	}
	for (unsigned v = 0; v < c->n_vms; v++)
		for (unsigned i = 0; i < c->vm[v]->n_vcpus; i++) {
			struct sim_vcpu *cpu = c->vm[v]->vcpu[i].sim;

			cpu->picked = false;
			if (!cpu->placed && !cpu->queued && cpu_wants(cpu, end))
				enqueue(s, cpu, end);
		}
	for (unsigned i = 0; i < m->n_cpus; i++) {
		struct run_queue *q = &s->cpu[i];

		if (q->current)
			release(s, q, end);
	}
	for (unsigned i = 0; i < m->n_cpus; i++) {
		struct run_queue *q = &s->cpu[i];

		if (!q->current && q->n)
			dispatch(s, i, dequeue(q, 0));
	}
	for (unsigned i = 0; i < m->n_cpus; i++) {
		struct run_queue *q = &s->cpu[i], *from;

		if (q->current && cpu_wants(q->current, end))
			continue;
		from = steal_from(s, i);
		if (!from)
			continue;
		if (q->current)
			leave(q);
		dispatch(s, i, dequeue(from, 0));
	}
	for (unsigned i = 0; i < m->n_cpus; i++)
		if (s->cpu[i].current)
			s->cpu[i].current->picked = true;
}
