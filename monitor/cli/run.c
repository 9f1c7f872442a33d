// SPDX-License-Identifier: MIT
/*
 * `disco run`: makes a cluster, runs it to its end, writes the statistics.
 */
#include <stdlib.h>

#include "monitor/cli/command.h"
#include "monitor/drive/confine.h"
#include "monitor/drive/inputs.h"
#include "monitor/drive/loop.h"
#include "monitor/report/report.h"
#include "monitor/report/stats.h"
#include "monitor/run/run.h"
#include "monitor/vm/engine.h"
#include "numa/util.h"

enum { MAX_ENGINE_READS = 8 };

static int status_of(const struct run *r)
{
	if (r->end == RUN_INTERRUPTED)
		return STATUS_INTERRUPTED;
	for (unsigned i = 0; i < r->cluster.n_vms; i++)
		if (r->guest[i].phase == GUEST_FAILED)
			return STATUS_FAILED;
	return STATUS_OK;
}

/* Exported directories, and what the engine reads. */
static int give_up_rights(const struct run *r)
{
	const struct run_options *o = r->options;
	const char *const *more = r->cluster.engine->reads;
	const char *read[OPTIONS_MAX_FS + MAX_ENGINE_READS + 1];
	unsigned n = 0;

	for (unsigned i = 0; i < o->n_fs; i++)
		read[n++] = o->fs[i].path;
	for (unsigned i = 0; more && more[i] && i < MAX_ENGINE_READS; i++)
		read[n++] = more[i];
	read[n] = NULL;
	return confine(&(struct confinement){.read = read,
		.dir = inputs_dir(r),
		.read_all = o->n_fs > 0,
		.outside = o->nat != NAT_NONE});
}

int cmd_run(int argc, char **argv)
{
	struct stats_file stats = {.fd = -1};
	struct run_options o;
	struct run *r;
	int status = STATUS_USAGE;

	/* Open the statistics file first: an unwritable path must fail before the run. */
	if (options_parse(argc, argv, &o) || (o.stats && stats_open(&stats, o.stats))) {
		options_free(&o);
		return STATUS_USAGE;
	}
	r = xcalloc(1, sizeof(*r)); /* too large for a small stack */
	if (!run_create(r, &o) && !inputs_open(r) && !give_up_rights(r)) {
		report_open(r);
		status = drive(r) ? STATUS_FAILED : status_of(r);
		if (o.stats && stats_write(r, &stats) && status == STATUS_OK)
			status = STATUS_FAILED;
	}
	inputs_close(r);
	report_close(r);
	run_destroy(r);
	free(r);
	stats_close(&stats);
	options_free(&o);
	return status;
}
