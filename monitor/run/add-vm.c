// SPDX-License-Identifier: MIT
/*
 * One VM more; see add-vm.h.
 *
 * virtio slots, in this order: two consoles (hvc0: output of the command, hvc1: the agent), random
 * source, network if there is one, disks in their order, directories in theirs, balloon. With
 * firmware (--bios) disks come first: kernels written for QEMU's board look for theirs in slot 0.
 */
#include <stdlib.h>
#include <string.h>

#include "monitor/dev/balloon.h"
#include "monitor/run/add-vm.h"
#include "monitor/vm/board.h"
#include "numa/util.h"

char *disk_path_for(const struct disk_option *d, unsigned id)
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
	unsigned behind = o->bios ? 0 : n_disks(r); /* disks that follow the consoles */
	unsigned slot = n_disks(r) - behind;
	int err;

	vm->board->add_platform(vm);
	if (r->options->clone)
		genid_create(vm);
	uart_create(vm, g->uart = stream_create());
	virtio_console_create(vm, slot++, g->out = stream_create());
	virtio_console_create(vm, slot++, g->agent = stream_create());
	virtio_rng_create(vm, slot++);
	if (r->cluster.subnet)
		virtio_net_create(vm, slot++, r->cluster.subnet, mac);
	if (o->share & SHARE_FREE || o->overcommit)
		g->balloon =
			virtio_balloon_create(vm, slot + behind + o->n_fs, o->share & SHARE_FREE);
	err = add_disks(r, vm, o->bios ? 0 : slot);
	slot += behind;
	for (unsigned i = 0; !err && i < o->n_fs; i++)
		virtio_fs_create(vm, slot + i, o->fs[i].tag, r->tree[i], o->share & SHARE_FILES);
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
	g->vm->ignores_magic = !options_magic(o, id);
	guest_init(g);
	return add_devices(r, g);
}
