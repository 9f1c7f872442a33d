// SPDX-License-Identifier: MIT
/*
 * What is done at each boundary, and at the end; see loop.h.
 */
#include <errno.h>

#include "monitor/base/clock.h"
#include "monitor/drive/agent.h"
#include "monitor/drive/inputs.h"
#include "monitor/drive/loop.h"
#include "monitor/drive/overcommit.h"
#include "monitor/drive/terminal.h"
#include "monitor/report/report.h"
#include "monitor/report/series.h"
#include "monitor/report/snapshot.h"
#include "monitor/vm/engine.h"
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

int drive(struct run *r)
{
	int err;

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
	inputs_close(r);
	report_end(r);
	if (run_close_logs(r))
		err = -EIO;
	if (terminal_lost())
		err = complain(EIO, "standard output: some of the console is lost");
	return err;
}
