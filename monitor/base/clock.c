// SPDX-License-Identifier: MIT
/*
 * The host's clock; see clock.h.
 */
#include <time.h>

#include "monitor/base/clock.h"

double host_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
