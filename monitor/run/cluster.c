// SPDX-License-Identifier: MIT
/*
 * From options to a cluster ready to run: machine, memory, guest files, VMs with their devices and
 * memory loaded; and back.
 *
 * virtio slots, in this order: two consoles (hvc0: output of the command, hvc1: the agent), random
 * source, network if there is one, disks in their order, directories in theirs, balloon.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "monitor/vm/board.h"
#include "monitor/vm/clone.h"
#include "monitor/dev/balloon.h"
#include "monitor/vm/engine.h"
#include "monitor/drive/overcommit.h"
#include "monitor/base/output.h"
#include "monitor/run/run.h"
#include "numa/util.h"
#include "sharing/content.h"
#include "sharing/gateway.h"
#include "sharing/image.h"
#include "sharing/subnet.h"

/* --- the guest's files --- */

int guest_fetch(const char *guest, const char *arch, char dir[PATH_MAX])
{
	int name_length = (int)strcspn(guest, "/");
	const char *variant = guest[name_length] ? guest + name_length + 1 : NULL;
	char *program = xasprintf("%s/%.*s/fetch", DISCO_GUESTS_DIR, name_length, guest);
	bool other = strcmp(arch, board_virt.arch);
	const char *argv[5] = {program};
	int out[2], status, err = 0;
	pid_t child;
	FILE *f;

	if (access(program, X_OK)) {
		err = complain(ENOENT, "--guest: there is no guest '%s' (no %s)", guest, program);
		free(program);
		return err;
	}
	if (pipe(out))
		die("pipe: %s", strerror(errno));
	if (variant)
		argv[1] = variant;
	if (other) {
		argv[variant ? 2 : 1] = "--arch";
		argv[variant ? 3 : 2] = arch;
	}
	child = fork();
	if (child < 0)
		die("fork: %s", strerror(errno));
	if (!child) {
		dup2(out[1], STDOUT_FILENO);
		close(out[0]);
		close(out[1]);
		execv(program, (char *const *)argv);
		_exit(127);
	}
	close(out[1]);
	f = fdopen(out[0], "r");
	dir[0] = '\0';
	while (f && fgets(dir, PATH_MAX, f))
		dir[strcspn(dir, "\n")] = '\0';
	if (f)
		fclose(f);
	if (waitpid(child, &status, 0) < 0 || status || !dir[0])
		err = complain(
			EIO, "the guest '%s' could not be fetched: %s failed", guest, program);
	free(program);
	return err;
}

/* dir/name, or NULL if the guest has no such file. */
static char *guest_file(const char *dir, const char *name)
{
	char *path = xasprintf("%s/%s", dir, name);

	if (!access(path, F_OK))
		return path;
	free(path);
	return NULL;
}

/* Whether a disk given may be the guest's root; with scratch disks alone, it has its own. */
static bool names_disk(const struct run_options *o)
{
	for (unsigned i = 0; i < o->n_disks; i++)
		if (o->disk[i].mode != DISK_SCRATCH)
			return true;
	return false;
}

/* A guest has a kernel; what boots without an initrd or a root disk has none. */
static int find_guest(struct run *r)
{
	const struct run_options *o = r->options;
	char dir[PATH_MAX];
	int err;

	if (!o->guest)
		return 0;
	err = guest_fetch(o->guest, r->cluster.engine->board->arch, dir);
	if (err)
		return err;
	if (!o->kernel)
		r->guest_kernel = xasprintf("%s/kernel", dir);
	if (!o->initrd)
		r->guest_initrd = guest_file(dir, "initrd");
	if (!o->no_disk && !names_disk(o))
		r->guest_disk = guest_file(dir, "root.img");
	if (r->guest_disk && o->n_disks == OPTIONS_MAX_DISKS)
		return complain(ERANGE, "--disk: more than %d disks, with the guest's own",
			OPTIONS_MAX_DISKS);
	if (o->exec && !o->initrd && !r->guest_initrd)
		return complain(EINVAL,
			"--exec: the guest '%s' has no initrd that runs commands; --append "
			"gives it arguments",
			o->guest);
	return 0;
}

/* --- what a VM is told about itself --- */

static unsigned host_number(unsigned id)
{
	return id + 2; /* .0 is the net, .1 the gateway */
}

/* Bits of the net's mask: the last two addresses are for the server of names and for all. */
static unsigned prefix(const struct run_options *o)
{
	return o->vms > 250 ? 16 : 24;
}

static void archive_gateway(const struct run_options *o, struct cpio *c)
{
	uint32_t names = gateway_nameserver(prefix(o));
	char *text = xasprintf("10.0.0.%d\n", GATEWAY_ADDRESS & 255);

	cpio_file(c, "disco/gateway", text, strlen(text));
	free(text);
	text = xasprintf("nameserver 10.0.%u.%u\n", names >> 8 & 255, names & 255);
	cpio_file(c, "disco/resolv", text, strlen(text));
	free(text);
}

static char *address(unsigned id)
{
	return xasprintf("10.0.%u.%u", host_number(id) >> 8, host_number(id) & 255);
}

/* Where the guest is to mount what is shared: lines "TAG DIRECTORY". */
static char *mounts(const struct run_options *o)
{
	char *text = xstrdup("");

	for (unsigned i = 0; i < o->n_fs; i++) {
		char *longer = xasprintf("%s%s /mnt/%s\n", text, o->fs[i].tag, o->fs[i].tag);

		free(text);
		text = longer;
	}
	return text;
}

void run_archive(const struct run *r, unsigned id, struct cpio *c)
{
	const struct run_options *o = r->options;
	char *text, *hosts = xstrdup("127.0.0.1 localhost\n");
	char *ip = address(id);

	memset(c, 0, sizeof(*c));
	cpio_directory(c, "disco");
	text = xasprintf("vm%u\n", id);
	cpio_file(c, "disco/name", text, strlen(text));
	free(text);
	if (o->nfs && id == 0) {
		text = xasprintf("%s\n", o->nfs);
		cpio_file(c, "disco/export", text, strlen(text));
		free(text);
	} else if (o->nfs) {
		char *server = address(0);

		text = xasprintf("%s\n", server);
		cpio_file(c, "disco/nfs", text, strlen(text));
		free(text);
		free(server);
	}
	if (o->exec) {
		text = xasprintf("%s\n", o->exec);
		cpio_file(c, "disco/exec", text, strlen(text));
		free(text);
	}
	if (r->cluster.subnet) {
		text = xasprintf("%s/%u\n", ip, prefix(o));
		cpio_file(c, "disco/addr", text, strlen(text));
		free(text);
		if (r->cluster.gateway)
			archive_gateway(o, c);
		for (unsigned i = 0; i < o->vms; i++) {
			char *other = address(i);

			text = xasprintf("%s%s vm%u\n", hosts, other, i);
			free(hosts);
			free(other);
			hosts = text;
		}
	} else {
		text = xasprintf("%s127.0.1.1 vm%u\n", hosts, id);
		free(hosts);
		hosts = text;
	}
	cpio_file(c, "disco/hosts", hosts, strlen(hosts));
	if (o->n_fs) {
		text = mounts(o);
		cpio_file(c, "disco/mounts", text, strlen(text));
		free(text);
	}
	cpio_end(c);
	free(hosts);
	free(ip);
}

/* What a VM finds behind its initrd, if the guest has one. One that others are cloned from is
 * nobody yet. */
static void boot_archive(const struct run *r, unsigned id, struct cpio *c)
{
	memset(c, 0, sizeof(*c));
	if (!r->options->exec && !r->guest_initrd && !(r->options->guest && r->options->initrd))
		return;
	if (!r->options->warm) {
		run_archive(r, id, c);
		return;
	}
	cpio_directory(c, "disco");
	cpio_file(c, "disco/warm", "", 0);
	cpio_end(c);
}

/* --- one VM --- */

/* The n-th disk's file; %d in its name is the number of the VM. */
static char *disk_path_for(const struct disk_option *d, unsigned id)
{
	const char *mark = strstr(d->path, "%d");

	if (!mark || d->mode != DISK_PRIVATE)
		return xstrdup(d->path);
	return xasprintf("%.*s%u%s", (int)(mark - d->path), d->path, id, mark + 2);
}

static int add_disk(
	struct run *r, struct vm *vm, unsigned slot, unsigned n, const struct disk_option *option)
{
	uint32_t owner = OWNER_DISK | (vm->id * OPTIONS_MAX_DISKS + n);
	char *path = disk_path_for(option, vm->id);
	struct disk *disk;
	int err = option->mode == DISK_SCRATCH
			  ? disk_open_scratch(r->cluster.images, option->bytes, &disk)
			  : disk_open(r->cluster.images, path, option->mode, owner, &disk);

	if (!err) {
		disk_set_sharing(disk, r->options->share & SHARE_DISK);
		virtio_blk_create(vm, slot + n, disk);
	}
	free(path);
	return err;
}

static unsigned n_disks(const struct run *r)
{
	return (r->guest_disk ? 1 : 0) + r->options->n_disks;
}

static int add_disks(struct run *r, struct vm *vm, unsigned slot)
{
	const struct run_options *o = r->options;
	const struct disk_option root = {.path = r->guest_disk, .mode = DISK_SHARED};
	unsigned n = 0;
	int err = 0;

	if (r->guest_disk)
		err = add_disk(r, vm, slot, n++, &root);
	for (unsigned i = 0; !err && i < o->n_disks; i++)
		err = add_disk(r, vm, slot, n++, &o->disk[i]);
	return err;
}

static int add_devices(struct run *r, struct guest *g)
{
	const struct run_options *o = r->options;
	struct vm *vm = g->vm;
	uint8_t mac[6] = {0x52, 0x54, 0, 0, (uint8_t)(vm->id >> 8), (uint8_t)vm->id};
	unsigned slot = 0;
	int err;

	vm->board->add_platform(vm);
	if (r->options->warm)
		genid_create(vm);
	uart_create(vm, g->uart = stream_create());
	virtio_console_create(vm, slot++, g->out = stream_create());
	virtio_console_create(vm, slot++, g->agent = stream_create());
	virtio_rng_create(vm, slot++);
	if (r->cluster.subnet)
		virtio_net_create(vm, slot++, r->cluster.subnet, mac);
	if (o->share & SHARE_FREE || o->overcommit)
		g->balloon = virtio_balloon_create(
			vm, slot + n_disks(r) + o->n_fs, o->share & SHARE_FREE);
	err = add_disks(r, vm, slot);
	slot += n_disks(r);
	for (unsigned i = 0; !err && i < o->n_fs; i++)
		virtio_fs_create(vm, slot + i, o->fs[i].tag, r->tree[i], o->share & SHARE_FILES);
	return err;
}

/* Those of VMs that come later, too: when they do, no file can be made any more. */
static int open_logs(struct run *r)
{
	const char *dir = r->options->console_log;
	int err = 0;

	if (dir && mkdir(dir, 0777) && errno != EEXIST)
		return complain(errno, "--console-log: %s: %s", dir, strerror(errno));
	for (unsigned i = 0; dir && !err && i < r->options->vms; i++) {
		char *path = xasprintf("%s/vm%u.log", dir, i);

		r->guest[i].log = fopen(path, "we");
		if (!r->guest[i].log)
			err = complain(errno, "--console-log: %s: %s", path, strerror(errno));
		free(path);
	}
	return err;
}

int run_close_logs(struct run *r)
{
	int err = 0;

	for (unsigned i = 0; r->guest && i < r->options->vms; i++) {
		FILE *log = r->guest[i].log;

		r->guest[i].log = NULL;
		if (log && output_close_stream(log, false))
			err = complain(EIO, "--console-log: %s/vm%u.log: not all could be written",
				r->options->console_log, i);
	}
	return err;
}

int run_add_vm(struct run *r, unsigned id)
{
	const struct run_options *o = r->options;
	struct guest *g = &r->guest[id];
	uint64_t seed = o->seed + id * 0x9e3779b97f4a7c15ull;
	char name[32];

	snprintf(name, sizeof(name), "vm%u", id);
	g->vm = vm_create(&r->cluster, name, (unsigned)o->vcpus, o->memory, o->bios != NULL,
		splitmix64(&seed));
	g->vm->no_marks = !options_markers(o, id);
	g->tail = xcalloc(1, CONSOLE_TAIL_BYTES);
	g->out_line = xcalloc(1, sizeof(*g->out_line));
	g->agent_line = xcalloc(1, sizeof(*g->agent_line));
	return add_devices(r, g);
}

static int boot(struct run *r, unsigned id)
{
	struct cpio extra;
	int err = run_add_vm(r, id);

	if (!err && r->options->warm)
		err = vm_check_cloneable(r->guest[id].vm);
	if (err)
		return err;
	boot_archive(r, id, &extra);
	err = boot_vm(&r->boot, r->guest[id].vm, extra.bytes, extra.n);
	free(extra.bytes);
	return err;
}

/* --- the cluster --- */

/* Linux would test its ciphers for two seconds of machine time when it has booted; they are the same in each VM. */
#define LINUX_APPEND "console=ttyS0 panic=-1 cryptomgr.notests"

static int open_boot(struct run *r)
{
	const struct run_options *o = r->options;
	char *append = o->append ? xstrdup(o->append)
				 : xasprintf(LINUX_APPEND "%s%s", o->exec ? " quiet" : "",
					   r->cluster.engine->board->append);
	const struct boot_files files = {
		.kernel = o->kernel ? o->kernel : r->guest_kernel,
		.initrd = o->initrd ? o->initrd : r->guest_initrd,
		.bios = o->bios,
		.append = o->append || o->kernel || r->guest_kernel ? append : "",
	};
	struct cpio largest;
	int err;

	boot_archive(r, (unsigned)o->vms - 1, &largest);
	err = boot_open(&r->boot, r->cluster.images, &files, r->cluster.engine->board, o->memory,
		largest.n);
	r->append = append;
	free(largest.bytes);
	return err;
}

static void record_boot_image(struct run *r, const char *role, const struct image *img)
{
	if (img)
		r->boot_image[r->n_boot_images++] = (struct image_record){
			role, xstrdup(image_name(img)), image_bytes(img), *image_stats(img)};
}

/*
 * Every VM is loaded, and nothing will read the boot files again: give up the cache's own hold on
 * their pages. A page lives on as long as some VM maps it, and the last to map it may keep it
 * without a copy.
 */
static void let_boot_files_go(struct run *r)
{
	record_boot_image(r, "bios", r->boot.bios);
	record_boot_image(r, "kernel", r->boot.kernel);
	record_boot_image(r, "initrd", r->boot.initrd);
	boot_close(&r->boot);
}

/* The disks that VMs share: open as long as the run, so that its end can tell what they held. */
static int open_disk_images(struct run *r)
{
	const struct run_options *o = r->options;
	int err = 0;

	if (r->guest_disk)
		return image_open(r->cluster.images, r->guest_disk, FRAME_CACHE,
			&r->disk_image[r->n_disk_images++]);
	for (unsigned i = 0; !err && i < o->n_disks; i++)
		if (!disk_has_one_user(o->disk[i].mode))
			err = image_open(r->cluster.images, o->disk[i].path, FRAME_CACHE,
				&r->disk_image[r->n_disk_images++]);
	return err;
}

static struct subnet *make_subnet(const struct run *r)
{
	const struct run_options *o = r->options;
	struct subnet_link link = {
		.clock_hz = r->machine->clock_hz,
		.latency_ns = o->net_latency,
		.bits_second = o->net_bandwidth * 1000000,
		.mtu = (uint16_t)o->net_mtu,
	};

	return subnet_create(r->cluster.mem, &link);
}

static int make_gateway(struct run *r)
{
	const struct run_options *o = r->options;
	const struct gateway_options options = {
		.clock_hz = r->machine->clock_hz,
		.prefix = prefix(o),
		.loopback = o->nat && !strcmp(o->nat, "host"),
	};

	if (!o->nat)
		return 0;
	r->cluster.gateway = gateway_create(r->cluster.subnet, &options);
	return r->cluster.gateway ? 0 : complain(EINVAL, "--nat: libslirp does not start");
}

static int open_trees(struct run *r)
{
	const struct run_options *o = r->options;
	int err = 0;

	for (unsigned i = 0; !err && i < o->n_fs; i++)
		err = tree_open(r->cluster.images, o->fs[i].path, &r->tree[i]);
	return err;
}

static unsigned choose_threads(const struct run_options *o)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t want = o->threads ? o->threads : (uint64_t)MAX(cpus, 1L);

	return (unsigned)MIN(want, o->vms);
}

static void make_content(struct run *r)
{
	const struct run_options *o = r->options;
	struct content_options options = {.zero = o->share & SHARE_ZERO,
		.same = o->share & SHARE_CONTENT,
		.rate = o->share_scan,
		.seed = o->seed};

	splitmix64(&options.seed);
	if ((options.zero || options.same) && options.rate)
		r->cluster.content = content_create(r->cluster.mem, r->machine, &options);
}

static int set_mode(struct run *r, const struct policy *policy)
{
	const struct run_options *o = r->options;

	mode_parse(o->mode, &r->cluster.mode);
	if (r->cluster.mode != MODE_NATIVE)
		return 0;
	if (o->vcpus > r->machine->n_cpus)
		return complain(EINVAL, "--mode native: %llu vCPUs, but %s has %u CPUs",
			(unsigned long long)o->vcpus, r->machine->name, r->machine->n_cpus);
	if (policy->kind->moves)
		return complain(EINVAL,
			"--mode native: there is no monitor to move pages, as --policy %s does",
			policy->kind->name);
	return 0;
}

int run_create(struct run *r, const struct run_options *o)
{
	struct cluster *c = &r->cluster;
	bool net = !o->no_net && (o->net || o->nat || o->vms > 1);
	struct policy policy;
	int err;

	memset(r, 0, sizeof(*r));
	r->options = o;
	r->interactive = !o->exec;
	c->engine = engine_find(o->engine);
	err = machine_load(o->machine, &r->machine);
	if (!err)
		err = policy_parse(o->policy, r->machine->n_nodes, &policy);
	c->machine = r->machine;
	if (!err && c->engine->open)
		err = c->engine->open(c, r->machine, o->machine_memory, o->huge_pages);
	if (!err)
		err = set_mode(r, &policy);
	if (!err)
		err = find_guest(r);
	if (err)
		return err;

	if (!c->mem)
		c->mem = memory_create(r->machine);
	c->mem->boundary = true;
	if (o->share & SHARE_ZERO)
		memory_share_zero(c->mem);
	make_content(r);
	c->images = image_cache_create(c->mem);
	c->subnet = net ? make_subnet(r) : NULL;
	c->threads = choose_threads(o);
	c->share = o->share;
	c->memsys_options.contention = o->contention;
	c->stop_at = UINT64_MAX;
	c->virtual_numa = o->virtual_numa;
	c->numa = o->fidelity && !strcmp(o->fidelity, "numa");
	c->policy = o->policy;
	c->placement = placement_create(c->mem, r->machine, &policy, c->engine->placement_ops, c);
	r->series = xcalloc(1, sizeof(*r->series));
	series_init(r->series);
	if (o->virtual_timeout > 0)
		c->stop_at = (uint64_t)(o->virtual_timeout * (double)r->machine->clock_hz);
	r->guest = xcalloc(o->vms, sizeof(*r->guest));
	err = make_gateway(r);
	if (!err)
		err = open_boot(r);
	if (!err)
		err = open_logs(r);
	if (!err)
		err = open_disk_images(r);
	if (!err)
		err = open_trees(r);
	for (unsigned i = 0; !err && i < (o->warm ? 1 : o->vms); i++)
		err = boot(r, i);
	if (!err)
		let_boot_files_go(r);
	if (o->overcommit)
		overcommit_begin(r);
	return err;
}

static void free_guest(struct guest *g)
{
	if (g->uart)
		stream_destroy(g->uart);
	if (g->out)
		stream_destroy(g->out);
	if (g->agent)
		stream_destroy(g->agent);
	free(g->to_send);
	free(g->tail);
	free(g->out_line);
	free(g->agent_line);
}

/* Every VM, disk and image is gone: no frame may be in use, but those of zeroes and of the monitor.
 */
static void check_all_is_free(const struct memory *mem)
{
	struct memory_usage u;
	uint64_t free;

	memory_check(mem);
	memory_usage(mem, -1, &u);
	free = u.free + u.kind[FRAME_ZERO] + u.kind[FRAME_MONITOR];
	if (free != u.total)
		die("memmap: nobody is left, and %llu frames are not free",
			(unsigned long long)(u.total - free));
}

void run_destroy(struct run *r)
{
	struct cluster *c = &r->cluster;

	content_destroy(c->content);
	for (unsigned i = c->n_vms; i-- > 0;)
		vm_destroy(c->vm[i]);
	free(c->vm);
	run_close_logs(r);
	for (unsigned i = 0; r->guest && i < r->options->vms; i++)
		free_guest(&r->guest[i]);
	free(r->guest);
	boot_close(&r->boot);
	for (unsigned i = 0; i < r->n_disk_images; i++)
		if (r->disk_image[i])
			image_close(r->disk_image[i]);
	for (unsigned i = 0; i < OPTIONS_MAX_FS; i++)
		tree_close(r->tree[i]);
	gateway_destroy(c->gateway);
	if (c->subnet)
		subnet_destroy(c->subnet);
	if (c->images)
		image_cache_destroy(c->images);
	if (c->placement)
		placement_destroy(c->placement);
	if (c->mem && r->options->check_invariants > 0)
		check_all_is_free(c->mem);
	if (c->mem)
		memory_destroy(c->mem);
	if (c->engine && c->engine->close)
		c->engine->close(c);
	if (c->memsys)
		memsys_destroy(c->memsys); /* until then told whose each frame is */
	for (unsigned i = 0; i < r->n_boot_images; i++)
		free(r->boot_image[i].file);
	free(r->append);
	free(r->guest_kernel);
	free(r->guest_initrd);
	free(r->guest_disk);
	free(r->series);
	snapshots_free(r);
	if (r->machine)
		machine_free(r->machine);
}
