// SPDX-License-Identifier: MIT
/*
 * What the monitor knows of a guest; see guest.h.
 */
#include <stdlib.h>
#include <string.h>

#include "monitor/run/guest.h"
#include "monitor/vm/console.h"
#include "numa/util.h"

const char *const guest_phase_name[] = {
	[GUEST_BOOTING] = "booting",
	[GUEST_READY] = "running",
	[GUEST_EXITED] = "stopping",
	[GUEST_DONE] = "done",
	[GUEST_FAILED] = "failed",
};

void guest_init(struct guest *g)
{
	g->tail = xcalloc(1, CONSOLE_TAIL_BYTES);
	g->out_line = xcalloc(1, sizeof(*g->out_line));
	g->agent_line = xcalloc(1, sizeof(*g->agent_line));
}

void guest_free(struct guest *g)
{
	stream_destroy(g->uart);
	stream_destroy(g->out);
	stream_destroy(g->agent);
	free(g->to_send);
	free(g->tail);
	free(g->out_line);
	free(g->agent_line);
}

bool guest_over(const struct guest *g)
{
	return g->phase == GUEST_DONE || g->phase == GUEST_FAILED;
}

void guest_heard(struct guest *g, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		g->tail[g->tail_bytes++ % CONSOLE_TAIL_BYTES] = bytes[i];
}

char *guest_console_tail(const struct guest *g, unsigned lines)
{
	uint64_t n = MIN(g->tail_bytes, (uint64_t)CONSOLE_TAIL_BYTES);
	uint64_t first = g->tail_bytes - n, start = g->tail_bytes;
	char *text, *out;

	for (; start > first; start--) {
		bool newline = g->tail[(start - 1) % CONSOLE_TAIL_BYTES] == '\n';

		if (newline && start < g->tail_bytes && lines-- == 1)
			break;
	}
	text = out = xcalloc(1, g->tail_bytes - start + 1);
	for (; start < g->tail_bytes; start++)
		if (g->tail[start % CONSOLE_TAIL_BYTES])
			*out++ = g->tail[start % CONSOLE_TAIL_BYTES];
	return text;
}
