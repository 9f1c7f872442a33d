// SPDX-License-Identifier: MIT
/*
 * Template clones (`disco run --warm`): vm0, the template, boots alone. When it says `warm` on the
 * agent's channel, the other VMs are cloned from it. Then each VM, vm0 included, gets its archive
 * (run/archive.h) through the agent's channel, after a line with the archive's size in bytes. A VM
 * that boots by itself has it behind its initrd instead. A stream has little room, so the archive is
 * sent over several boundaries.
 */
#include <stdlib.h>
#include <string.h>

#include "monitor/base/clock.h"
#include "monitor/drive/template.h"
#include "monitor/report/report.h"
#include "monitor/report/snapshot.h"
#include "monitor/run/add-vm.h"
#include "monitor/run/archive.h"
#include "monitor/vm/clone.h"
#include "monitor/vm/console.h"
#include "numa/util.h"

static void tell(struct run *r, struct guest *g)
{
	struct cpio c;
	char *head;

	run_archive(r, g->vm->id, &c);
	head = xasprintf("%zu\n", c.n);
	g->n_to_send = strlen(head) + c.n;
	g->to_send = xrealloc(head, g->n_to_send);
	memcpy(g->to_send + (g->n_to_send - c.n), c.bytes, c.n);
	free(c.bytes);
}

void template_send(struct guest *g)
{
	if (!g->to_send)
		return;
	g->sent += stream_input(g->agent, g->to_send + g->sent, g->n_to_send - g->sent);
	if (g->sent < g->n_to_send)
		return;
	free(g->to_send);
	g->to_send = NULL;
}

void template_ready(struct run *r)
{
	unsigned n = (unsigned)r->options->vms - 1;
	struct vm **to = xcalloc(n, sizeof(struct vm *));
	struct template_clones *t = &r->template;
	uint64_t monitor = monitor_bytes(r);
	double began = host_seconds();

	for (unsigned i = 0; i < n && !r->error; i++) {
		r->error = run_add_vm(r, i + 1);
		to[i] = r->guest[i + 1].vm;
	}
	if (r->error) {
		r->cluster.stop = true;
		free(to);
		return;
	}
	t->pages = vm_clone(r->guest[0].vm, to, n);
	t->host_seconds = host_seconds() - began;
	t->reached = true;
	t->clones = n;
	for (unsigned i = 0; i < n; i++)
		t->own_pages = MAX(t->own_pages, pmap_own_pages(to[i]->pmap));
	t->monitor_bytes = monitor_bytes(r) - monitor;
	t->snapshot = snapshot_new(r, "cloned");
	report_cloned(r);
	for (unsigned i = 0; i < r->cluster.n_vms; i++)
		tell(r, &r->guest[i]);
	free(to);
}
