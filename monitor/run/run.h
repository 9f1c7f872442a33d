// SPDX-License-Identifier: MIT
/*
 * The state of one `disco run`: the cluster, and beside each VM what the monitor knows of its
 * guest. All of it belongs to the boundary's thread. What later rooms keep here of their own is a
 * pointer, made and freed by them; NULL before and after.
 */
#ifndef MONITOR_RUN_RUN_H
#define MONITOR_RUN_RUN_H

#include "monitor/boot/boot.h"
#include "monitor/run/guest.h"
#include "monitor/run/options.h"
#include "monitor/vm/vm.h"
#include "sharing/image.h"

enum { GUEST_HASH_BYTES = 65 };

enum run_end { RUN_ENDED, RUN_QUIT, RUN_TIMED_OUT, RUN_INTERRUPTED, RUN_STUCK };

/* What --warm did: VMs cloned from a template. */
struct template_clones {
	bool reached; /* the template was ready, and the clones were made */
	unsigned clones;
	uint32_t pages;            /* that each clone shared from the start ... */
	uint32_t own_pages;        /* ... and the most that any had to itself right then */
	uint64_t monitor_bytes;    /* what the monitor needed more, for all of them */
	struct snapshot *snapshot; /* right then; report/'s */
	double host_seconds;
};

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
	char guest_hash[GUEST_HASH_BYTES];              /* of --guest; "": there is none */
	char *guest_kernel, *guest_initrd, *guest_disk; /* of --guest; NULL: not from there */

	enum run_end end;
	int error;      /* the run cannot go on; its line is on stderr */
	double started; /* host seconds */
	unsigned n_up, n_exited;
	bool server_stopped; /* VM 0 has got `stop`: no VM needs its files any more */
	uint64_t boundaries;
	uint64_t checked_at; /* cycles; --check-invariants */
	struct template_clones template;
	double host_seconds; /* of the run itself */

	/* report/ */
	struct report *report;       /* what stands on the screen */
	struct snapshots *snapshots; /* of memory */
	struct series *series;       /* over time */
	/* drive/ */
	struct inputs *inputs;
	uint64_t next_check, short_since; /* of overcommit.c; cycles */
	bool was_short;                   /* memory, so that it took some back */
};

/*
 * cluster.c. Before the run: machine, memory, guest files, VMs with their devices, loaded. 0, or a
 * negative errno after one line on stderr; run_destroy() in either case, after the later rooms have
 * freed what is theirs.
 */
int run_create(struct run *r, const struct run_options *o);
void run_destroy(struct run *r);
/* Close the files of --console-log. 0, or a negative errno after one line for each that lacks
 * something. */
int run_close_logs(struct run *r);

#endif
