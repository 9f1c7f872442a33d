// SPDX-License-Identifier: MIT
/*
 * One `disco run`: the cluster, and beside each VM what the monitor knows of its guest: consoles,
 * how far the command is, what it printed. All of it belongs to the boundary's thread.
 *
 *   cluster.c   makes and frees the cluster from options
 *   agent.c     what the guests say on their consoles, and what follows from it
 *   warm.c      cloning VMs from one that has booted
 *   inputs.c    what comes from outside: terminal, `disco console`, signals, the host's clock
 *   report.c    progress and tables for people
 *   sharers.c   who shares with whom
 *   stats.c     snapshots, digests and the JSON file
 *   series.c    the time series
 *   stats-modes.c   where vCPUs' time went, and what entered the monitor
 *   stats-services.c   what guests' kernels did for their programs
 *   stats-numa.c, report-numa.c   the memory system's part of the JSON file and of the tables
 */
#ifndef MONITOR_RUN_RUN_H
#define MONITOR_RUN_RUN_H

#include <limits.h>
#include <stdio.h>

#include "monitor/boot/boot.h"
#include "monitor/vm/console.h"
#include "monitor/vm/counts.h"
#include "monitor/boot/cpio.h"
#include "monitor/run/options.h"
#include "monitor/report/series.h"
#include "monitor/report/sharers.h"
#include "monitor/vm/vm.h"

enum guest_phase {
	GUEST_BOOTING,
	GUEST_READY,  /* user space is up; the command runs */
	GUEST_EXITED, /* the command has ended; powering off */
	GUEST_DONE,   /* off, as it should be */
	GUEST_FAILED,
};

enum { LINE_MAX_BYTES = 4096, CONSOLE_TAIL_BYTES = 8192 };

/* Bytes of a line not yet complete. */
struct line {
	size_t n;
	char text[LINE_MAX_BYTES];
};

struct guest {
	struct vm *vm;
	struct stream *uart;  /* the console */
	struct stream *out;   /* hvc0: output of the command */
	struct stream *agent; /* hvc1: `ready`, `exit N` */
	struct device *balloon;
	enum guest_phase phase;
	bool exit_seen;
	int exit_status;
	uint64_t ready_at, exit_at; /* cycles; 0: not yet */
	char failure[200];          /* why phase is GUEST_FAILED */
	struct line *out_line, *agent_line;
	char *tail; /* ring: the console's last bytes */
	uint64_t tail_bytes;
	FILE *log;     /* --console-log */
	char *to_send; /* on the agent's channel; NULL: nothing */
	size_t n_to_send, sent;
};

enum { SNAPSHOT_MAX = 4 };

/* Memory at one moment, in pages of 4 KiB, by kind; see stats.c. */
struct snapshot {
	const char *event; /* "booted", "done", "end" */
	uint64_t cycles;
	uint64_t virtual[FRAME_KINDS];
	uint64_t machine[FRAME_KINDS];
	uint64_t monitor_bytes;
	uint64_t duplicates; /* frames that sharing all zero and identical pages would free; only
				while they are searched for */
	uint64_t idle_cache; /* of the machine's buffer cache, what no VM maps */
	unsigned n_vms;
	struct sharer *sharers; /* by VM; of each snapshot its own */
};

/* What --warm did. */
struct warm {
	bool reached;
	unsigned clones;
	uint32_t pages;           /* that each clone shared from the start ... */
	uint32_t own_pages;       /* ... and the most any had to itself right then */
	uint64_t monitor_bytes;   /* what the monitor needed more, for all of them */
	struct snapshot snapshot; /* right then */
	double host_seconds;
};

enum run_end { RUN_ENDED, RUN_QUIT, RUN_TIMED_OUT, RUN_INTERRUPTED, RUN_STUCK };

/* What the statistics say of a file whose pages VMs share. */
struct image_record {
	const char *role;
	char *file;
	uint64_t bytes;
	struct image_stats stats;
};

struct run {
	const struct run_options *options;
	struct machine *machine;
	struct cluster cluster;
	struct guest *guest; /* one per VM */
	struct boot boot;
	struct image *disk_image[OPTIONS_MAX_DISKS]; /* the shared ones, for their statistics */
	unsigned n_disk_images;
	struct tree *tree[OPTIONS_MAX_FS]; /* of --fs, in the order of the options */
	struct image_record boot_image[3];
	unsigned n_boot_images;
	bool interactive;                               /* no --exec: the terminal is a console */
	char *append;                                   /* the kernel command line */
	char *guest_kernel, *guest_initrd, *guest_disk; /* of --guest; NULL: not from there */

	enum run_end end;
	int error;      /* the run cannot go on; its line is on stderr */
	double started; /* host seconds */
	unsigned n_up, n_exited;
	bool server_stopped; /* VM 0 has been told that nobody needs its files any more */
	uint64_t boundaries;
	uint64_t checked_at; /* cycles; --check-invariants */
	struct snapshot snapshot[SNAPSHOT_MAX];
	unsigned n_snapshots;
	struct warm warm;
	uint64_t peak_pages;
	struct series *series;
	double host_seconds;             /* of the run itself */
	uint64_t next_look, short_since; /* of overcommit.c; cycles */
};

/*
 * Run guests/NAME/fetch, for a guest NAME/VARIANT with that word as its argument, and for another
 * architecture than the simulator's with that; it downloads on first use, and its last line of
 * output names the directory that holds the files. 0, or a negative errno after one line on stderr.
 */
int guest_fetch(const char *guest, const char *arch, char dir[PATH_MAX]);

/* cluster.c. 0, or a negative errno after one line on stderr; destroy in either case. */
int run_create(struct run *r, const struct run_options *o);
void run_destroy(struct run *r);
/* Close the files of --console-log. 0, or a negative errno after one line for each that lacks
 * something. */
int run_close_logs(struct run *r);
/* Add VM number `id`, the next one, with its devices and nothing in its memory. 0, or a negative
 * errno after one line on stderr. */
int run_add_vm(struct run *r, unsigned id);
/* What VM `id` is told about itself, as the init of guests/debian describes; freed by the caller.
 */
void run_archive(const struct run *r, unsigned id, struct cpio *c);

/* agent.c */
void agent_poll(struct run *r);   /* at each boundary */
void agent_finish(struct run *r); /* after the run: partial lines, verdicts */
/* Console bytes of a VM, oldest first, at most its last `lines` lines. Freed by the caller. */
char *agent_console_tail(const struct guest *g, unsigned lines);

/* warm.c. Boundary. */
void warm_reached(struct run *r); /* vm0 says that it is warm */
void warm_send(struct guest *g);  /* go on sending, if there is something to send */

/* inputs.c */
int inputs_open(struct run *r);
void inputs_close(void);
/* New console output of guest g goes to whoever watches it. */
void inputs_show(struct run *r, const struct guest *g, const char *bytes, size_t n);
/* Take input and honour time limits; with idle_cycles, sleep as a real machine would. */
void inputs_poll(struct run *r, uint64_t idle_cycles);

/* report.c */
void report_open(struct run *r);
void report_progress(struct run *r, bool now);
/* Print one line to stdout, around the progress line. */
void report_line(struct run *r, const struct guest *g, const char *text, size_t n);
void report_cloned(struct run *r);
void report_end(struct run *r);

/* stats.c */
void snapshot_fill(const struct run *r, struct snapshot *s, const char *event);
void snapshot_take(struct run *r, const char *event);
void snapshots_free(struct run *r);
void snapshot_track_peak(struct run *r);
uint64_t monitor_bytes(const struct run *r);
uint64_t run_instructions(const struct run *r);
/* The file of --stats: opened at the start, while that may still be done, and written at the end,
 * whole. One that was made and not written is removed. 0, or a negative errno after one line on
 * stderr. */
struct stats_file {
	const char *path;
	int fd; /* -1: none */
	bool is_new;
};
int stats_open(struct stats_file *f, const char *path);
int stats_write(const struct run *r, struct stats_file *f);
void stats_close(struct stats_file *f);

/* report-numa.c: nothing unless the memory system was modelled. */
void report_numa(const struct run *r);

/* stats-modes.c. After the run. */
struct json_t *account_time_json(const struct account *a); /* new */
struct json_t *account_traps_json(const struct account *a);
/* A line of where all vCPUs' time went. */
void report_time(const struct run *r);
/* Tables from a statistics file. */
void stats_print_time(const struct json_t *root, FILE *out);
void stats_print_traps(const struct json_t *root, FILE *out);

/* stats-services.c. After the run. */
struct json_t *services_json(const struct services *s); /* new */
void stats_print_services(const struct json_t *root, FILE *out);

/* stats-numa.c. After the run. The sums are for clusters that have a memory system. */
struct tally numa_cpu(const struct cluster *c, unsigned cpu);
struct tally numa_node(const struct cluster *c, unsigned node); /* of its CPUs */
struct tally numa_vm(const struct vm *vm);
struct tally numa_total(const struct cluster *c);
/* Where the pages of a VM are, as a string of runs (STATS.md). The caller frees it. */
char *numa_page_map(const struct vm *vm);
/* New JSON objects. */
struct json_t *tally_json(const struct tally *t);
struct json_t *series_json(const struct series *s, unsigned n_nodes);
struct json_t *numa_json(const struct run *r);

#endif
