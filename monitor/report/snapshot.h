// SPDX-License-Identifier: MIT
/*
 * Memory at moments of a run: when all VMs have booted, when their commands are done, at the end.
 *
 * "virtual" memory is what the guests see, every VM's mapped pages by what they hold: the memory a
 * cluster without sharing would need. "machine" memory is the frames really in use. Boundary.
 */
#ifndef MONITOR_REPORT_SNAPSHOT_H
#define MONITOR_REPORT_SNAPSHOT_H

#include "monitor/report/share-matrix.h"
#include "monitor/run/run.h"

enum { SNAPSHOT_MAX = 4 };

/* Memory at one moment, in pages of 4 KiB, by kind. */
struct snapshot {
	const char *event; /* "booted", "done", "end", "cloned" */
	uint64_t cycles;
	uint64_t virtual[FRAME_KINDS];
	uint64_t machine[FRAME_KINDS];
	uint64_t monitor_bytes;
	uint64_t duplicates; /* frames that sharing all zero and identical pages would free; only
				while they are searched for */
	uint64_t idle_cache; /* of the machine's buffer cache, what no VM maps */
	unsigned n_vms;
	struct share_row *matrix; /* by VM */
};

struct snapshots {
	struct snapshot list[SNAPSHOT_MAX];
	unsigned n;
	uint64_t peak_pages; /* the most frames in use that snapshot_track_peak() saw */
};

/* r->snapshots; until then no function below but snapshot_new() may be called. */
void snapshots_create(struct run *r);
/* And the snapshot of r->template. */
void snapshots_destroy(struct run *r);
/* The first SNAPSHOT_MAX are kept. `event` must outlive the run. */
void snapshot_take(struct run *r, const char *event);
/* One that the caller keeps, for r->template. */
struct snapshot *snapshot_new(const struct run *r, const char *event);
void snapshot_track_peak(struct run *r);
/* The snapshot that tables show: after the commands if there is one, else the last one before. */
const struct snapshot *snapshot_shown(const struct run *r);

/* Bytes of the monitor's own tables. */
uint64_t monitor_bytes(const struct run *r);

#endif
