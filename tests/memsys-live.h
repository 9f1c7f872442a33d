// SPDX-License-Identifier: MIT
/*
 * Included before the engine's sources when they are compiled for disco-live: what they call inline
 * goes through memsys-live.c.
 */
#ifndef TESTS_MEMSYS_LIVE_H
#define TESTS_MEMSYS_LIVE_H

#include "numa/memsys/memsys.h"

unsigned live_data(struct memsys_cpu *c, uint64_t ma, bool write);
unsigned live_fetch(struct memsys_cpu *c, uint64_t ma);
bool live_fetch_hit(struct memsys_cpu *c, uint64_t first, uint64_t last);

#define memsys_data      live_data
#define memsys_fetch     live_fetch
#define memsys_fetch_hit live_fetch_hit

#endif
