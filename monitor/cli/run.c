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
#include "numa/util.h"

static int status_of(const struct run *r)
{
	if (r->end == RUN_INTERRUPTED)
		return STATUS_INTERRUPTED;
	for (unsigned i = 0; i < r->cluster.n_vms; i++)
		if (r->guest[i].phase == GUEST_FAILED)
			return STATUS_FAILED;
	return STATUS_OK;
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
	if (!run_create(r, &o) && !inputs_open(r) && !confine(o.n_fs > 0, o.nat)) {
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
