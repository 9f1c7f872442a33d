// SPDX-License-Identifier: MIT
/* Control and status registers. Owner thread. */
#ifndef MONITOR_ENGINE_SIM_CSR_H
#define MONITOR_ENGINE_SIM_CSR_H

#include "monitor/engine/sim/cpu.h"

enum csr_op { CSR_WRITE, CSR_SET, CSR_CLEAR };
/*
 * Execute a CSR instruction: *old gets the value before. do_read: rd is not x0 (or not CSRRW);
 * do_write: as the specification says for x0/zero immediates. false: illegal instruction.
 */
bool csr_access(struct sim_vcpu *cpu, unsigned csr, enum csr_op op, uint64_t operand, bool do_read,
	bool do_write, uint64_t *old);
const char *csr_name(unsigned csr); /* NULL if unknown */
void csr_reset(struct sim_vcpu *cpu);

#endif
