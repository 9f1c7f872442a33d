// SPDX-License-Identifier: MIT
/*
 * Which engines there are, and what they all can do.
 */
#include <string.h>

#include "monitor/vm/engine.h"

const struct engine *engine_find(const char *name)
{
#ifdef __x86_64__ /* the only architecture whose VMs the kvm engine knows */
	if (!strcmp(name, "auto"))
		return kvm_possible() ? &engine_kvm : &engine_sim;
	if (!strcmp(name, engine_kvm.name))
		return &engine_kvm;
#endif
	if (!strcmp(name, "auto"))
		return &engine_sim;
	return strcmp(name, engine_sim.name) ? NULL : &engine_sim;
}

struct account account_of_vm(const struct vm *vm)
{
	struct account sum = {0}, a;

	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		vm->cluster->engine->vcpu_account(&vm->vcpu[i], &a);
		account_add(&sum, &a);
	}
	return sum;
}
