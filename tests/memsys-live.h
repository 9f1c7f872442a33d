// SPDX-License-Identifier: MIT
/*
 * Included before the engine's sources when they are compiled for disco-live: what they call inline
 * goes through memsys-live.c.
 */
#ifndef TESTS_MEMSYS_LIVE_H
#define TESTS_MEMSYS_LIVE_H

#include "numa/memsys.h"

unsigned live_data(struct memsys_cpu *c, uint64_t ma, bool write);
unsigned live_fetch(struct memsys_cpu *c, uint64_t ma);

#define memsys_data  live_data
#define memsys_fetch live_fetch

#endif
