// SPDX-License-Identifier: MIT
/*
 * Options of `disco run`. One table (options.c) says for each its name, type, range and help; from
 * it follow the command line, the keys of run files, --help, and the inputs recorded in statistics.
 */
#ifndef MONITOR_RUN_OPTIONS_H
#define MONITOR_RUN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "monitor/vm/engine.h"
#include "sharing/disk.h"
#include "sharing/share.h"

/* With all other devices, no more than the board's slots. */
enum { OPTIONS_MAX_DISKS = 8, OPTIONS_MAX_FS = 3 };

struct disk_option {
	char *path; /* of a scratch disk: its size as it was given */
	enum disk_mode mode;
	uint64_t bytes; /* of a scratch disk */
};

/* At the start; a run may change it. */
enum fidelity {
	FIDELITY_DEFAULT, /* functional; and nothing was said */
	FIDELITY_FUNCTIONAL,
	FIDELITY_NUMA,
};

/* The subnet's way out. */
enum nat {
	NAT_NONE,
	NAT_OUTSIDE, /* to all but this computer's loopback addresses */
	NAT_HOST,    /* to these, too */
};

/* A host directory that VMs see; both texts are one allocation. */
struct fs_option {
	char *tag, *path;
};

struct run_options {
	/* The machine and the VMs. */
	const struct engine *engine;
	char *machine;
	enum mode mode; /* of virtualization */
	enum fidelity fidelity;
	char *policy;            /* of page placement: NAME[,PARAM=VALUE...] */
	char *magic;             /* "all", "none" or names of VMs with commas: options_magic() */
	bool huge_pages;         /* of the host's, 2 MiB each */
	uint64_t machine_memory; /* bytes at most, of this computer's; 0: what is free */
	uint64_t vms, vcpus, memory, seed;
	/* What they boot. */
	char *guest; /* NULL: none */
	char *kernel, *initrd, *bios, *append;
	struct disk_option disk[OPTIONS_MAX_DISKS];
	unsigned n_disks;
	bool no_disk; /* --disk none: not even the guest's own */
	struct fs_option fs[OPTIONS_MAX_FS];
	unsigned n_fs;
	bool net, no_net;
	enum nat nat;
	uint64_t net_mtu, net_latency, net_bandwidth; /* bytes, ns, Mbit/s (0: no limit) */
	unsigned share;                               /* enum share */
	bool contention, overcommit;
	bool virtual_numa;
	bool clone; /* one VM boots, the template; the others are cloned from it */
	/* What they do, and for how long; seconds, 0: no limit. */
	uint64_t share_scan; /* pages scanned in a ms of machine time */
	char *exec;
	char *nfs; /* directory that VM 0 serves to the others; NULL: none */
	double timeout, virtual_timeout;
	double check_invariants; /* seconds of machine time between checks; 0: none */
	/* How the host runs it and where results go. */
	uint64_t threads; /* 0: min(CPUs of the host, VMs) */
	char *stats, *console_log, *name;
	bool quiet;
	char *config;
};

/*
 * Fill *o from argv (argv[0] is "run"): defaults, then the run file if --config names one, then the
 * command line. Checks every value and what can be checked about them together. 0, or a negative
 * errno after one line on stderr. Free with options_free() in either case.
 */
int options_parse(int argc, char **argv, struct run_options *o);
void options_free(struct run_options *o);
/* options-check.c: what options_parse() does in the end. Fills in defaults that depend on other
 * options. 0, or a negative errno after one line on stderr. */
int options_check(struct run_options *o);
extern const char *const option_disk_mode[]; /* words, by enum disk_mode */
/* An option of the subnet that is not at its default; NULL: none is. */
const char *options_of_net(const struct run_options *o);
/* Do magic instructions of this VM's guest have an effect? */
bool options_magic(const struct run_options *o, unsigned vm);

/*
 * The options for another command's argp that passes them on: at most OPTIONS_MAX rows to *out,
 * with OPTIONS_KEY and above as keys. Their number. options_word(): what was parsed, as one word
 * "--name=value" or "--name" that the caller frees.
 */
struct argp_option;
enum { OPTIONS_MAX = 48, OPTIONS_KEY = 0x100 };
unsigned options_argp(struct argp_option *out);
char *options_word(int key, const char *value);

/*
 * Every option that was given a value, as a JSON object: those that determine what the guests see,
 * or (host) those that do not.
 */
struct json_t *options_json(const struct run_options *o, bool host);

#endif
