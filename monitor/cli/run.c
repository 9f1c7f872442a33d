// SPDX-License-Identifier: MIT
/*
 * `disco run`: makes a cluster, runs it to its end, reports. What happens at a boundary is here;
 * the parts are listed in run.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "monitor/base/clock.h"
#include "monitor/cli/command.h"
#include "monitor/drive/confine.h"
#include "monitor/vm/engine.h"
#include "monitor/drive/overcommit.h"
#include "monitor/drive/terminal.h"
#include "monitor/run/run.h"
#include "numa/util.h"

enum { PEAK_EVERY = 16 }; /* boundaries: memory only grows slowly */

/* Not at every boundary, unless asked to: a check takes milliseconds, a quantum a fraction of one.
 */
static void check_now_and_then(struct run *r)
{
	const struct cluster *c = &r->cluster;
	double seconds = r->options->check_invariants;

	if (seconds > 0 &&
		(double)(c->now - r->checked_at) >= seconds * (double)c->machine->clock_hz) {
		cluster_check(c);
		r->checked_at = c->now;
	}
}

static void at_boundary(struct cluster *c, void *arg, uint64_t idle_cycles)
{
	struct run *r = arg;

	agent_poll(r);
	overcommit_boundary(r);
	if (r->boundaries++ % PEAK_EVERY == 0)
		snapshot_track_peak(r);
	series_boundary(r->series, c);
	inputs_poll(r, idle_cycles);
	check_now_and_then(r);
	report_progress(r, false);
}

static int run(struct run *r)
{
	int err;

	report_open(r);
	r->started = host_seconds();
	r->cluster.at_boundary = at_boundary;
	r->cluster.at_boundary_arg = r;
	report_progress(r, true);
	err = r->cluster.engine->run(&r->cluster);
	err = err ? err : r->error;
	if (!err && r->end == RUN_ENDED && r->cluster.now >= r->cluster.stop_at)
		r->end = RUN_TIMED_OUT;
	if (r->options->check_invariants > 0)
		cluster_check(&r->cluster);
	r->host_seconds = host_seconds() - r->started;
	series_end(r->series, &r->cluster);
	snapshot_track_peak(r);
	agent_finish(r);
	inputs_close();
	report_end(r);
	if (run_close_logs(r))
		err = -EIO;
	if (terminal_lost())
		err = complain(EIO, "standard output: some of the console is lost");
	return err;
}

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

	/* Results are for the end, but a place that cannot be written to is better known now. */
	if (options_parse(argc, argv, &o) || (o.stats && stats_open(&stats, o.stats))) {
		options_free(&o);
		return STATUS_USAGE;
	}
	r = xcalloc(1, sizeof(*r)); /* too large for a small stack */
	if (!run_create(r, &o) && !inputs_open(r) && !confine(o.n_fs > 0, o.nat)) {
		status = run(r) ? STATUS_FAILED : status_of(r);
		if (o.stats && stats_write(r, &stats) && status == STATUS_OK)
			status = STATUS_FAILED;
	}
	inputs_close();
	run_destroy(r);
	free(r);
	stats_close(&stats);
	options_free(&o);
	return status;
}
