// SPDX-License-Identifier: MIT
/*
 * The option table and its two readers: argp for the command line, libconfig for run files. Both
 * end in set_option(), so a value means the same wherever it stands, and an error names its origin
 * ("--vms" or "FILE:LINE: vms"). The command line is read first, into a list, because --config may
 * stand anywhere on it; it is applied last, so it wins.
 */
#include <argp.h>
#include <errno.h>
#include <jansson.h>
#include <libconfig.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/base/args.h"
#include "monitor/vm/engine.h"
#include "monitor/run/options.h"
#include "monitor/vm/vm.h"
#include "numa/util.h"
#include "sharing/content.h"
#include "sharing/subnet.h"

enum option_type { TEXT, COUNT, SIZE, SECONDS, INTERVAL, FLAG, CHOICE, ENGINE, DISK, FS, SHARE };

struct option_row {
	const char *name, *arg;
	enum option_type type;
	size_t offset;
	uint64_t min, max; /* COUNT, SIZE; a CHOICE: min is its row of choices[] */
	bool host;         /* cannot change what a guest sees */
	const char *help;
};

#define FIELD(f) offsetof(struct run_options, f)
#define MIB      (1ull << 20)
/* Of virtio-fs (Virtual I/O Device specification 1.2, section 5.11.4). */
enum { FS_TAG_BYTES = 36 };

static const char *const fidelity_words[] = {
	[FIDELITY_FUNCTIONAL] = "functional", [FIDELITY_NUMA] = "numa"};
static const char *const nat_words[] = {[NAT_OUTSIDE] = "outside", [NAT_HOST] = "host"};

/* Words by their enum's value; NULL: not to be chosen. */
enum { OF_FIDELITY, OF_MODE, OF_NAT };
static const struct choice {
	const char *const *words;
	unsigned n;
} choices[] = {
	[OF_FIDELITY] = {fidelity_words, ARRAY_SIZE(fidelity_words)},
	[OF_MODE] = {mode_name, MODES},
	[OF_NAT] = {nat_words, ARRAY_SIZE(nat_words)},
};

static const struct option_row rows[] = {
	{"engine", "sim|kvm|auto", ENGINE, FIELD(engine), 0, 0, false,
		"What executes VMs: a simulated machine with RISC-V CPUs (sim, the default), or "
		"this "
		"computer's CPUs (kvm: x86-64 with hardware virtualization); auto: kvm where it "
		"can"},
	{"machine", "NAME|FILE", TEXT, FIELD(machine), 0, 0, false,
		"Machine to simulate: a preset, or a file; host: this computer (default: flash8, "
		"and "
		"host with --engine kvm)"},
	{"machine-memory", "SIZE", SIZE, FIELD(machine_memory), 2 * MIB, 64ull << 40, false,
		"With --engine kvm: how much of this computer's memory VMs may use in all "
		"(default: "
		"most of what is free)"},
	{"huge-pages", NULL, FLAG, FIELD(huge_pages), 0, 0, true,
		"With --engine kvm: memory in pages of 2 MiB where nothing splits them, so that "
		"CPUs translate addresses faster; a first touch takes that much. The host must "
		"lend them: `advise` in /sys/kernel/mm/transparent_hugepage/shmem_enabled"},
	{"fidelity", "NAME", CHOICE, FIELD(fidelity), OF_FIDELITY, 0, false,
		"functional: an instruction takes a cycle (default); numa: caches, directory, "
		"latencies"},
	{"mode", "NAME", CHOICE, FIELD(mode), OF_MODE, 0, false,
		"How the machine is virtualized. plain (default): the monitor is there for calls, "
		"devices and first touches, translation is the guest's own; nested: as by today's "
		"hardware, translation in two stages; trap: as by Disco, each privileged "
		"instruction and TLB miss enters the monitor; native: no monitor, one VM has the "
		"machine"},
	{"policy", "NAME[,PARAM=VALUE...]", TEXT, FIELD(policy), 0, 0, false,
		"Where pages go, and when they move (default: first-touch)"},
	{"markers", "all|none|VM[,VM...]", TEXT, FIELD(magic), 0, 0, false,
		"VMs whose magic instructions (disco-mark) may switch the fidelity and mark "
		"regions "
		"of interest (default: all)"},
	{"contention", NULL, FLAG, FIELD(contention), 0, 0, false,
		"In numa fidelity, requests wait for each other at memory controllers and links"},
	{"vms", "N", COUNT, FIELD(vms), 1, CLUSTER_MAX_VMS, false,
		"Number of virtual machines (default: 1)"},
	{"vcpus", "N", COUNT, FIELD(vcpus), 1, VM_MAX_VCPUS, false, "CPUs of each VM (default: 1)"},
	{"memory", "SIZE", SIZE, FIELD(memory), MIB, 512ull << 30, false,
		"Memory of each VM, with K, M or G (default: 128M)"},
	{"virtual-numa", NULL, FLAG, FIELD(virtual_numa), 0, 0, false,
		"Show each guest the nodes that its CPUs are on, and their distances; its memory "
		"is "
		"divided among them, and its CPUs stay there (default: memory looks uniform)"},
	{"guest", "NAME", TEXT, FIELD(guest), 0, 0, false,
		"Guest to boot, made on first use: debian (the default, unless --kernel or "
		"--bios) or splashos/PROGRAM"},
	{"kernel", "FILE", TEXT, FIELD(kernel), 0, 0, false,
		"Kernel: a RISC-V Image; with --bios any file or ELF, handed to the firmware; "
		"under KVM "
		"a bzImage, or an ELF file with a PVH note"},
	{"initrd", "FILE", TEXT, FIELD(initrd), 0, 0, false, "Initial RAM disk"},
	{"append", "STRING", TEXT, FIELD(append), 0, 0, false,
		"Kernel command line (default: console=ttyS0 panic=-1 cryptomgr.notests, and quiet "
		"with --exec)"},
	{"bios", "FILE", TEXT, FIELD(bios), 0, 0, false,
		"Firmware started in M-mode instead of the monitor's SBI: raw or ELF"},
	{"disk", "FILE[,shared|private|ro]", DISK, 0, 0, 0, false,
		"Disk; may be repeated. shared (default): copy-on-write, writes are gone at the "
		"end; "
		"private: writes go to the file; %d in its name is the number of the VM. "
		"SIZE,scratch: for each VM an empty disk of its own, gone at the end, behind the "
		"guest's disk. 'none': no disk at all"},
	{"fs", "TAG=DIR", FS, 0, 0, 0, false,
		"Let every VM read the host's directory DIR as it is now, by virtio-fs; may be "
		"repeated. The Debian guest has it at /mnt/TAG"},
	{"net", NULL, FLAG, FIELD(net), 0, 0, false,
		"Network card on a common subnet even for a single VM"},
	{"no-net", NULL, FLAG, FIELD(no_net), 0, 0, false, "No network cards"},
	{"nat", "outside|host", CHOICE, FIELD(nat), OF_NAT, 0, false,
		"Let VMs reach the outside through 10.0.0.1, as this computer's user would (NAT by "
		"libslirp). outside: all but this computer's loopback addresses; host: these, too, "
		"as 10.0.0.1. The run then depends on who answers, and when (default: no way out)"},
	{"net-mtu", "BYTES", COUNT, FIELD(net_mtu), SUBNET_MTU_MIN, SUBNET_MTU_MAX, false,
		"Largest packet network cards announce (default: 61492, 15 pages and TCP's "
		"headers)"},
	{"net-latency", "NS", COUNT, FIELD(net_latency), 0, 1000000000, false,
		"Nanoseconds a packet takes from VM to VM, on top of waiting for the boundary "
		"(default: 0)"},
	{"net-bandwidth", "MBITS", COUNT, FIELD(net_bandwidth), 0, 1000000, false,
		"Megabits a second each card sends and receives (default: 0, no limit)"},
	{"share", "WAY[,WAY...]", SHARE, 0, 0, 0, false,
		"How VMs share pages: all (default), none, or some of boot, disk, zero, content, "
		"net, "
		"files, free; -WAY takes one away: all,-disk"},
	{"share-scan", "N", COUNT, FIELD(share_scan), 0, 1000000, false,
		"Pages to scan for zeroes and identical ones in a millisecond of machine time; "
		"4 times as many on CPUs that are idle (default: 8)"},
	{"overcommit", NULL, FLAG, FIELD(overcommit), 0, 0, false,
		"When machine memory becomes short, take back what guests can do without, and let "
		"VMs wait for memory instead of failing"},
	{"exec", "COMMAND", TEXT, FIELD(exec), 0, 0, false,
		"Run COMMAND with sh in every VM after boot, then power off"},
	{"warm", NULL, FLAG, FIELD(clone), 0, 0, false,
		"Template clones: boot one VM alone, the template, and clone the others from it "
		"when it is up. They share its memory until one writes, and differ in name, "
		"address and random numbers"},
	{"nfs", "DIRECTORY", TEXT, FIELD(nfs), 0, 0, false,
		"VM 0 serves a directory of its disk by NFS; the others find it at /nfs and run "
		"the command, and when all have, VM 0 powers off"},
	{"virtual-timeout", "SECONDS", SECONDS, FIELD(virtual_timeout), 0, 0, false,
		"End the run at this machine time"},
	{"seed", "N", COUNT, FIELD(seed), 0, UINT64_MAX, false,
		"Seed of everything random (default: 1)"},
	{"timeout", "SECONDS", SECONDS, FIELD(timeout), 0, 0, true,
		"End the run after this much of the host's time"},
	{"threads", "N", COUNT, FIELD(threads), 1, 1024, true,
		"Host threads (default: the host's CPUs, at most one per VM)"},
	{"stats", "FILE", TEXT, FIELD(stats), 0, 0, true, "Write statistics to FILE as JSON"},
	{"console-log", "DIR", TEXT, FIELD(console_log), 0, 0, true,
		"Write each VM's console to DIR/vmN.log"},
	{"check-invariants", "SECONDS", INTERVAL, FIELD(check_invariants), 0, 0, true,
		"Check all bookkeeping of memory each time so much machine time has passed, and at "
		"the end (default: 0.01); the first thing that is wrong ends the run"},
	{"name", "NAME", TEXT, FIELD(name), 0, 0, true,
		"Name of this run, for 'disco console' (default: process id)"},
	{"quiet", NULL, FLAG, FIELD(quiet), 0, 0, true, "No progress and no tables"},
	{"config", "FILE", TEXT, FIELD(config), 0, 0, true,
		"Read options from a run file: lines 'name = value', the names as here"},
};

/* --- values --- */

static int set_number(
	const struct option_row *row, struct run_options *o, const char *origin, const char *text)
{
	uint64_t v;
	int err = parse_size(text, &v);

	if (row->type == COUNT && !err && text[strspn(text, "0123456789abcdefxABCDEFX")])
		err = -EINVAL; /* a count has no unit */
	if (err == -EINVAL)
		return complain(EINVAL, "%s: '%s' is not a %s", origin, text,
			row->type == SIZE ? "size such as 128M" : "number");
	if (err || v < row->min || v > row->max) {
		if (row->type == SIZE)
			return complain(ERANGE, "%s: %s is out of range (%lluM to %lluG)", origin,
				text, (unsigned long long)(row->min >> 20),
				(unsigned long long)(row->max >> 30));
		return complain(ERANGE, "%s: %s is out of range (%llu to %llu)", origin, text,
			(unsigned long long)row->min, (unsigned long long)row->max);
	}
	if (row->type == SIZE && v % 4096)
		return complain(EINVAL, "%s: %s is not a multiple of 4096 bytes", origin, text);
	*(uint64_t *)((char *)o + row->offset) = v;
	return 0;
}

static int set_seconds(
	const struct option_row *row, struct run_options *o, const char *origin, const char *text)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end || !isfinite(v) || v <= 0 || v > 1e9)
		return complain(EINVAL, "%s: '%s' is not a time in seconds above 0", origin, text);
	*(double *)((char *)o + row->offset) = v;
	return 0;
}

const char *const option_disk_mode[] = {[DISK_SHARED] = "shared",
	[DISK_PRIVATE] = "private",
	[DISK_RO] = "ro",
	[DISK_SCRATCH] = "scratch"};

static int add_disk(struct run_options *o, const char *origin, const char *text)
{
	const char *comma = strrchr(text, ',');
	struct disk_option *d = &o->disk[o->n_disks];
	enum disk_mode mode = DISK_SHARED;

	if (!strcmp(text, "none")) {
		o->no_disk = true;
		return 0;
	}
	if (comma) {
		size_t m = 0;

		while (m < ARRAY_SIZE(option_disk_mode) && strcmp(comma + 1, option_disk_mode[m]))
			m++;
		if (m == ARRAY_SIZE(option_disk_mode))
			return complain(EINVAL,
				"%s: disk mode '%s' is none of shared, private, ro, scratch",
				origin, comma + 1);
		mode = (enum disk_mode)m;
	}
	if (!*text || comma == text)
		return complain(EINVAL, "%s: a disk needs a file name", origin);
	if (o->n_disks == OPTIONS_MAX_DISKS)
		return complain(ERANGE, "%s: more than %d disks", origin, OPTIONS_MAX_DISKS);
	*d = (struct disk_option){.path = xstrdup(text), .mode = mode};
	o->n_disks++;
	if (comma)
		d->path[comma - text] = '\0';
	if (mode == DISK_SCRATCH) {
		const struct option_row size = {.type = SIZE,
			.offset = (size_t)((char *)&d->bytes - (char *)o),
			.min = MIB,
			.max = 1ull << 40};

		return set_number(&size, o, origin, d->path);
	}
	return 0;
}

static int add_fs(struct run_options *o, const char *origin, const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");
	struct fs_option fs;

	if (!n || n > FS_TAG_BYTES || text[n] != '=' || !text[n + 1])
		return complain(EINVAL,
			"%s: '%s' is not TAG=DIR, with a tag of at most %d letters, digits, - "
			"and _",
			origin, text, FS_TAG_BYTES);
	if (o->n_fs == OPTIONS_MAX_FS)
		return complain(ERANGE, "%s: more than %d directories", origin, OPTIONS_MAX_FS);
	fs.tag = xstrdup(text);
	fs.tag[n] = '\0';
	fs.path = fs.tag + n + 1;
	for (unsigned i = 0; i < o->n_fs; i++) {
		if (!strcmp(o->fs[i].tag, fs.tag)) {
			complain(EINVAL, "%s: there is another directory with the tag '%s'", origin,
				fs.tag);
			free(fs.tag);
			return -EINVAL;
		}
	}
	o->fs[o->n_fs++] = fs;
	return 0;
}

static unsigned share_word(const char *word, size_t n)
{
	if (n == 3 && !memcmp(word, "all", n))
		return SHARE_ALL;
	for (unsigned i = 0; i < SHARE_MECHANISMS; i++)
		if (strlen(share_name[i]) == n && !memcmp(share_name[i], word, n))
			return 1u << i;
	return 0;
}

static int set_share(struct run_options *o, const char *origin, const char *text)
{
	unsigned share = *text == '-' ? SHARE_ALL : 0;

	if (!strcmp(text, "none"))
		text = "";
	else if (!*text)
		return complain(EINVAL, "%s: empty", origin);
	while (*text) {
		size_t n = strcspn(text, ",");
		bool less = *text == '-';
		unsigned mechanisms = share_word(text + less, n - less);

		if (!mechanisms)
			return complain(EINVAL,
				"%s: '%.*s' is no mechanism of sharing: all, none, or boot, disk, "
				"zero, "
				"content, net, files, free",
				origin, (int)n, text);
		share = less ? share & ~mechanisms : share | mechanisms;
		text += n + (text[n] == ',');
	}
	o->share = share;
	return 0;
}

/* "neither A nor B" or "none of A, B, C". The caller frees it. */
static char *no_choice(const struct choice *c)
{
	char *list = NULL;
	unsigned n = 0;

	for (unsigned i = 0; i < c->n; i++)
		n += c->words[i] != NULL;
	for (unsigned i = 0; i < c->n; i++) {
		char *longer;

		if (!c->words[i])
			continue;
		longer = list ? xasprintf("%s%s%s", list, n == 2 ? " nor " : ", ", c->words[i])
			      : xasprintf("%s %s", n == 2 ? "neither" : "none of", c->words[i]);
		free(list);
		list = longer;
	}
	return list;
}

static int set_choice(
	const struct option_row *row, struct run_options *o, const char *origin, const char *text)
{
	const struct choice *c = &choices[row->min];
	char *list;

	for (unsigned i = 0; i < c->n; i++) {
		if (c->words[i] && !strcmp(c->words[i], text)) {
			*(unsigned *)((char *)o + row->offset) = i;
			return 0;
		}
	}
	list = no_choice(c);
	complain(EINVAL, "%s: '%s' is %s", origin, text, list);
	free(list);
	return -EINVAL;
}

static int set_engine(struct run_options *o, const char *origin, const char *text)
{
	const struct engine *engine = engine_find(text);

	if (!engine)
		return complain(EINVAL, "%s: '%s' is none of sim, kvm, auto", origin, text);
	o->engine = engine;
	return 0;
}

static int set_option(
	const struct option_row *row, struct run_options *o, const char *origin, const char *text)
{
	char **field = (char **)((char *)o + row->offset);

	switch (row->type) {
	case TEXT:
		if (!*text && row->offset != FIELD(append))
			return complain(EINVAL, "%s: empty", origin);
		free(*field);
		*field = xstrdup(text);
		return 0;
	case COUNT:
	case SIZE:
		return set_number(row, o, origin, text);
	case SECONDS:
		return set_seconds(row, o, origin, text);
	case INTERVAL: /* "true": none was given */
		return set_seconds(row, o, origin, strcmp(text, "true") ? text : "0.01");
	case CHOICE:
		return set_choice(row, o, origin, text);
	case ENGINE:
		return set_engine(o, origin, text);
	case DISK:
		return add_disk(o, origin, text);
	case FS:
		return add_fs(o, origin, text);
	case SHARE:
		return set_share(o, origin, text);
	case FLAG:
		if (strcmp(text, "true") && strcmp(text, "false"))
			return complain(EINVAL, "%s: '%s' is neither true nor false", origin, text);
		*(bool *)((char *)o + row->offset) = *text == 't';
		return 0;
	}
	return 0;
}

static void drop_disks(struct run_options *o)
{
	for (unsigned i = 0; i < o->n_disks; i++)
		free(o->disk[i].path);
	o->n_disks = 0;
	o->no_disk = false;
}

static void drop_fs(struct run_options *o)
{
	for (unsigned i = 0; i < o->n_fs; i++)
		free(o->fs[i].tag);
	o->n_fs = 0;
}

/* May be given more than once, and in a run file as a list. */
static bool is_list(const struct option_row *row)
{
	return row->type == DISK || row->type == FS;
}

/* --- run files --- */

static int set_from_config(const struct option_row *row, struct run_options *o, const char *origin,
	const config_setting_t *s)
{
	char text[64];

	switch (config_setting_type(s)) {
	case CONFIG_TYPE_STRING:
		return set_option(row, o, origin, config_setting_get_string(s));
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		snprintf(text, sizeof(text), "%lld", config_setting_get_int64(s));
		break;
	case CONFIG_TYPE_FLOAT:
		snprintf(text, sizeof(text), "%.17g", config_setting_get_float(s));
		break;
	case CONFIG_TYPE_BOOL:
		strcpy(text, config_setting_get_bool(s) ? "true" : "false");
		break;
	default:
		return complain(EINVAL, "%s: a %s is expected", origin,
			is_list(row) ? "string or a list of strings" : "single value");
	}
	return set_option(row, o, origin, text);
}

static int load_setting(struct run_options *o, const char *path, config_setting_t *s)
{
	const char *name = config_setting_name(s);
	const struct option_row *row = rows;
	char *origin;
	int err = 0;

	while (row < rows + ARRAY_SIZE(rows) && strcmp(row->name, name))
		row++;
	if (row == rows + ARRAY_SIZE(rows) || row->offset == FIELD(config))
		return complain(EINVAL,
			"%s:%d: unknown key '%s'; keys are the long options of "
			"'disco run'",
			path, config_setting_source_line(s), name);
	origin = xasprintf("%s:%d: %s", path, config_setting_source_line(s), name);
	if (is_list(row) && (config_setting_is_array(s) || config_setting_is_list(s)))
		for (int i = 0; !err && i < config_setting_length(s); i++)
			err = set_from_config(row, o, origin, config_setting_get_elem(s, i));
	else
		err = set_from_config(row, o, origin, s);
	free(origin);
	return err;
}

static int load_config(struct run_options *o, const char *path)
{
	config_t cfg;
	config_setting_t *root;
	FILE *f = fopen(path, "r");
	int err = 0;

	if (!f)
		return complain(errno, "%s: %s", path, strerror(errno));
	/* libconfig's scanner ends the program when it cannot read. */
	if (getc(f) == EOF && ferror(f)) {
		err = complain(errno, "%s: %s", path, strerror(errno));
		fclose(f);
		return err;
	}
	rewind(f);
	config_init(&cfg);
	if (!config_read(&cfg, f)) {
		err = complain(EINVAL, "%s:%d: %s", path, config_error_line(&cfg),
			config_error_text(&cfg));
	} else {
		root = config_root_setting(&cfg);
		for (int i = 0; !err && i < config_setting_length(root); i++)
			err = load_setting(o, path, config_setting_get_elem(root, i));
	}
	config_destroy(&cfg);
	fclose(f);
	return err;
}

/* --- the command line --- */

/* Option keys are row numbers, above any character. */
_Static_assert(ARRAY_SIZE(rows) <= OPTIONS_MAX, "room for every option");

unsigned options_argp(struct argp_option *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		out[i] = (struct argp_option){rows[i].name, OPTIONS_KEY + (int)i, rows[i].arg,
			rows[i].type == INTERVAL ? OPTION_ARG_OPTIONAL : 0, rows[i].help, 0};
	return ARRAY_SIZE(rows);
}

char *options_word(int key, const char *value)
{
	const char *name = rows[key - OPTIONS_KEY].name;

	return value ? xasprintf("--%s=%s", name, value) : xasprintf("--%s", name);
}

struct given {
	struct {
		const struct option_row *row;
		const char *value;
	} item[256];
	unsigned n;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct given *g = state->input;

	if (key == ARGP_KEY_ARG) {
		complain(0, "unexpected argument '%s'; see 'disco run --help'", arg);
		return ECANCELED;
	}
	if (key < OPTIONS_KEY || key >= OPTIONS_KEY + (int)ARRAY_SIZE(rows))
		return ARGP_ERR_UNKNOWN;
	if (g->n == ARRAY_SIZE(g->item)) {
		complain(0, "more than %zu options", ARRAY_SIZE(g->item));
		return ECANCELED;
	}
	g->item[g->n].row = &rows[key - OPTIONS_KEY];
	g->item[g->n++].value = arg ? arg : "true";
	return 0;
}

static int read_command_line(int argc, char **argv, struct given *g)
{
	struct argp_option option[ARRAY_SIZE(rows) + 1] = {0};
	const struct argp_child children[] = {{&args_help, 0, NULL, 0}, {0}};
	const struct argp argp = {option, parse, NULL,
		"Boots virtual machines on a simulated CC-NUMA machine. With --exec, runs a "
		"command "
		"in each, powers them off and reports. Without, the console of VM 0 is this "
		"terminal; Ctrl-A h there tells the keys.",
		children, NULL, NULL};

	options_argp(option);
	return args_parse(&argp, argc, argv, g);
}

static int apply_command_line(struct run_options *o, const struct given *g)
{
	bool disks_replaced = false, fs_replaced = false;
	int err = 0;

	for (unsigned i = 0; !err && i < g->n; i++) {
		const struct option_row *row = g->item[i].row;
		char *origin = xasprintf("--%s", row->name);

		if (row->type == DISK && !disks_replaced) {
			drop_disks(o); /* those of the run file */
			disks_replaced = true;
		}
		if (row->type == FS && !fs_replaced) {
			drop_fs(o);
			fs_replaced = true;
		}
		if (row->offset == FIELD(net) || row->offset == FIELD(no_net))
			o->net = o->no_net = false;
		err = set_option(row, o, origin, g->item[i].value);
		free(origin);
	}
	return err;
}

/* --- all together --- */

int options_parse(int argc, char **argv, struct run_options *o)
{
	struct given g = {.n = 0};
	int err;

	memset(o, 0, sizeof(*o));
	o->engine = &engine_sim;
	o->mode = MODE_PLAIN;
	o->policy = xstrdup("first-touch");
	o->magic = xstrdup("all");
	o->vms = o->vcpus = o->seed = 1;
	o->share = SHARE_ALL;
	o->share_scan = CONTENT_RATE;
	o->net_mtu = SUBNET_MTU;
	o->memory = 128 * MIB;
	err = read_command_line(argc, argv, &g);
	for (unsigned i = 0; !err && i < g.n; i++)
		if (g.item[i].row->offset == FIELD(config))
			err = load_config(o, g.item[i].value);
	if (!err)
		err = apply_command_line(o, &g);
	return err ? err : options_check(o);
}

void options_free(struct run_options *o)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].type == TEXT)
			free(*(char **)((char *)o + rows[i].offset));
	drop_disks(o);
	drop_fs(o);
}

static json_t *disks_json(const struct run_options *o)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < o->n_disks; i++)
		json_array_append_new(list, json_pack("{s:s, s:s}", "file", o->disk[i].path, "mode",
						    option_disk_mode[o->disk[i].mode]));
	return list;
}

static json_t *fs_json(const struct run_options *o)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < o->n_fs; i++)
		json_array_append_new(list,
			json_pack("{s:s, s:s}", "tag", o->fs[i].tag, "directory", o->fs[i].path));
	return list;
}

static json_t *share_json(const struct run_options *o)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < SHARE_MECHANISMS; i++)
		if (o->share >> i & 1)
			json_array_append_new(list, json_string(share_name[i]));
	return list;
}

json_t *options_json(const struct run_options *o, bool host)
{
	json_t *object = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const void *field = (const char *)o + rows[i].offset;
		json_t *v = NULL;

		if (rows[i].host != host)
			continue;
		switch (rows[i].type) {
		case TEXT:
			v = *(char *const *)field ? json_string(*(char *const *)field) : NULL;
			break;
		case COUNT:
		case SIZE:
			v = json_integer((json_int_t) * (const uint64_t *)field);
			break;
		case SECONDS:
		case INTERVAL:
			v = *(const double *)field > 0 ? json_real(*(const double *)field) : NULL;
			break;
		case FLAG:
			v = json_boolean(*(const bool *)field);
			break;
		case CHOICE: {
			const char *word = choices[rows[i].min].words[*(const unsigned *)field];

			v = word ? json_string(word) : NULL;
			break;
		}
		case ENGINE:
			v = json_string(o->engine->name);
			break;
		case DISK:
			v = disks_json(o);
			break;
		case FS:
			v = fs_json(o);
			break;
		case SHARE:
			v = share_json(o);
			break;
		}
		if (v)
			json_object_set_new(object, rows[i].name, v);
	}
	return object;
}
