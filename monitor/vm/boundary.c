// SPDX-License-Identifier: MIT
/*
 * See boundary.h. The order, of steps and of VMs within each, is the same in every run: it decides
 * which VM gets the last free frame.
 */
#include "monitor/vm/boundary.h"
#include "numa/util.h"
#include "sharing/content.h"
#include "sharing/subnet.h"

void boundary_release_deferred(struct cluster *c)
{
	for (unsigned v = 0; v < c->n_vms; v++)
		pmap_release_deferred(c->vm[v]->pmap);
	for (unsigned v = 0; v < c->n_vms; v++)
		if (c->vm[v]->state == VM_RUNNING)
			device_run_deferred(c->vm[v]);
	if (c->subnet && !cluster_interrupted(c))
		subnet_run(c->subnet, c->now);
	if (cluster_interrupted(c))
		c->stop = true;
}

/* CPU time that the VM's vCPUs have received, in cycles. */
static uint64_t ran_cycles(const struct vm *vm)
{
	uint64_t ran = 0;

	for (unsigned i = 0; i < vm->n_vcpus; i++)
		ran += vm->vcpu[i].ran_cycles;
	return ran;
}

uint64_t boundary_scan(struct cluster *c, bool idle)
{
	uint64_t elapsed = (c->now - c->content_at) * c->machine->n_cpus, ran = 0, cycles;

	if (!c->content)
		return 0;
	for (unsigned v = 0; v < c->n_vms; v++) {
		uint64_t mine = ran_cycles(c->vm[v]);

		content_ran(c->content, v, mine);
		ran += mine;
	}
	elapsed -= MIN(elapsed, ran - c->content_ran);
	cycles = content_scan(c->content, c->now, idle ? elapsed : 0);
	c->content_at = c->now;
	c->content_ran = ran;
	return cycles;
}
