// SPDX-License-Identifier: MIT
/*
 * From options to a cluster ready to run: machine, memory, guest files, VMs with their devices and
 * memory loaded; and back.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "monitor/base/output.h"
#include "monitor/run/add-vm.h"
#include "monitor/run/archive.h"
#include "monitor/run/guest-files.h"
#include "monitor/run/preflight.h"
#include "monitor/run/run.h"
#include "monitor/vm/board.h"
#include "monitor/vm/clone.h"
#include "monitor/vm/engine.h"
#include "numa/util.h"
#include "sharing/content.h"
#include "sharing/gateway.h"
#include "sharing/image.h"
#include "sharing/subnet.h"

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

static int boot(struct run *r, unsigned id)
{
	struct cpio extra;
	int err = run_add_vm(r, id);

	if (!err && r->options->clone)
		err = vm_check_cloneable(r->guest[id].vm);
	if (err)
		return err;
	boot_archive(r, id, &extra);
	err = boot_vm(&r->boot, r->guest[id].vm, extra.bytes, extra.n);
	free(extra.bytes);
	return err;
}

/* Linux would test its ciphers for two seconds of machine time when it has booted; they are the
 * same in each VM. */
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
		.prefix = subnet_prefix(o),
		.loopback = o->nat == NAT_HOST,
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

	r->cluster.mode = o->mode;
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
	c->engine = o->engine;
	err = machine_load(o->machine, &r->machine);
	if (!err)
		err = policy_parse(o->policy, r->machine->n_nodes, &policy);
	if (!err && o->virtual_numa && r->machine->n_nodes == 1)
		err = complain(EINVAL, "--virtual-numa: %s has one node", r->machine->name);
	c->machine = r->machine;
	if (!err && c->engine->open)
		err = c->engine->open(c, r->machine, o->machine_memory, o->huge_pages);
	if (!err)
		err = set_mode(r, &policy);
	if (!err)
		err = find_guest(r);
	if (!err)
		err = preflight(r);
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
	c->waits_for_memory = o->overcommit; /* until overcommit.c gives up */
	c->numa = o->fidelity == FIDELITY_NUMA;
	c->policy = o->policy;
	c->placement = placement_create(c->mem, r->machine, &policy, c->engine->placement_ops, c);
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
	for (unsigned i = 0; !err && i < (o->clone ? 1 : o->vms); i++)
		err = boot(r, i);
	if (!err)
		let_boot_files_go(r);
	return err;
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
		die("memmap: no VM is left, and %llu frames are not free",
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
		guest_free(&r->guest[i]);
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
		memsys_destroy(c->memsys); /* until then it learns the owners of frames */
	for (unsigned i = 0; i < r->n_boot_images; i++)
		free(r->boot_image[i].file);
	free(r->append);
	free(r->guest_kernel);
	free(r->guest_initrd);
	free(r->guest_disk);
	if (r->machine)
		machine_free(r->machine);
}
