// SPDX-License-Identifier: MIT
/*
 * What of the options goes together: each value by itself has been checked when it was set.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/run/options.h"
#include "numa/util.h"
#include "sharing/content.h"
#include "sharing/subnet.h"

bool options_magic(const struct run_options *o, unsigned vm)
{
	char name[16];
	size_t n = (size_t)snprintf(name, sizeof(name), "vm%u", vm);

	if (!strcmp(o->magic, "all"))
		return true;
	for (const char *at = o->magic; *at; at += strcspn(at, ",")) {
		at += *at == ',';
		if (strcspn(at, ",") == n && !strncmp(at, name, n))
			return true;
	}
	return false;
}

/* Each word names another VM, or the only one stands for all or none of them. */
static int check_magic(const struct run_options *o)
{
	unsigned words = 1, known = 0;

	if (!strcmp(o->magic, "all") || !strcmp(o->magic, "none"))
		return 0;
	for (const char *comma = o->magic; (comma = strchr(comma, ',')); comma++)
		words++;
	for (unsigned vm = 0; vm < o->vms; vm++)
		known += options_magic(o, vm);
	return known == words ? 0
			      : complain(EINVAL,
					"--markers: '%s' is neither all nor none nor a list of "
					"different VMs of vm0 to vm%llu",
					o->magic, (unsigned long long)o->vms - 1);
}

const char *options_of_net(const struct run_options *o)
{
	return o->net_mtu != SUBNET_MTU ? "net-mtu"
	       : o->net_latency         ? "net-latency"
	       : o->net_bandwidth       ? "net-bandwidth"
					: NULL;
}

/* Options that could not change anything beside the others. What only the end of the run can tell
 * is told there (report/no-effect.c). */
static int check_effect(const struct run_options *o)
{
	const char *net = options_of_net(o);

	if (net && (o->no_net || (!o->net && !o->nat && o->vms == 1)))
		return complain(EINVAL, "--%s: there is no network%s", net,
			o->no_net ? ", because of --no-net" : " for one VM; give --net");
	if (o->share_scan != CONTENT_RATE && !(o->share & (SHARE_ZERO | SHARE_CONTENT)))
		return complain(EINVAL, "--share-scan: neither zero nor content is shared, and "
					"nothing else is scanned for; see --share");
	if (o->clone && o->vms == 1)
		return complain(EINVAL, "--warm: one VM has nothing cloned from it; give --vms");
	return 0;
}

/* The options that the engine allows. */
static int check_engine(struct run_options *o)
{
	bool kvm = o->engine != &engine_sim;

	if (!o->machine)
		o->machine = xstrdup(kvm ? "host" : "flash8");
	if (kvm && (o->clone || o->bios || o->mode != MODE_PLAIN || o->fidelity == FIDELITY_NUMA))
		return complain(EINVAL, "--%s is for --engine sim",
			o->clone                ? "warm"
			: o->bios               ? "bios"
			: o->mode != MODE_PLAIN ? "mode"
						: "fidelity numa");
	if (kvm && (o->contention || strcmp(o->magic, "all")))
		return complain(EINVAL, "--%s is for --engine sim",
			o->contention ? "contention" : "markers");
	if (!kvm && o->machine_memory)
		return complain(EINVAL,
			"--machine-memory is for --engine kvm; a simulated machine's "
			"memory is in its file");
	if (!kvm && o->huge_pages)
		return complain(EINVAL, "--huge-pages is for --engine kvm");
	return 0;
}

/* NAME or NAME/VARIANT: words that become part of a path and an argument of a program. */
static bool is_guest_name(const char *guest)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	size_t name = strspn(guest, letters);

	if (guest[name] != '/')
		return name && !guest[name];
	return name && guest[name + 1] != '-' && guest[name + 1] &&
	       !guest[name + 1 + strspn(guest + name + 1, letters)];
}

/* A machine without a monitor cannot share pages, take them away, or clone. */
static int check_mode(struct run_options *o)
{
	if (o->mode != MODE_NATIVE)
		return 0;
	if (o->vms > 1 || o->overcommit)
		return complain(EINVAL, "--mode native is a machine without a monitor: "
					"one VM, and no --overcommit");
	if (o->share != SHARE_ALL && o->share)
		return complain(EINVAL, "--mode native has no monitor to share pages: leave out "
					"--share");
	o->share = 0;
	return 0;
}

int options_check(struct run_options *o)
{
	if (check_engine(o))
		return -EINVAL;
	if (!o->guest && !o->kernel && !o->bios)
		o->guest = xstrdup("debian");
	if (o->guest && !is_guest_name(o->guest))
		return complain(EINVAL, "--guest: '%s' is not the name of a guest", o->guest);
	if (check_magic(o) || check_mode(o))
		return -EINVAL;
	if (o->net && o->no_net)
		return complain(EINVAL, "net and no-net exclude each other");
	if (o->nat && o->no_net)
		return complain(EINVAL, "--nat and --no-net exclude each other");
	if (o->nfs && (*o->nfs != '/' || strchr(o->nfs, '\n') || strchr(o->nfs, ' ')))
		return complain(
			EINVAL, "--nfs: '%s' is not an absolute path without blanks", o->nfs);
	if (o->nfs && (o->vms < 2 || o->no_net || !o->exec))
		return complain(EINVAL, "--nfs needs --exec, the network, and more than one VM");
	if (o->no_disk && o->n_disks)
		return complain(EINVAL, "--disk none and another disk exclude each other");
	if (o->exec && !o->guest && !o->initrd)
		return complain(EINVAL, "--exec needs a guest or an initrd that runs the command");
	if ((o->initrd || o->append) && !o->kernel && !o->guest)
		return complain(EINVAL, "--%s needs a kernel: give --kernel or --guest",
			o->initrd ? "initrd" : "append");
	for (unsigned i = 0; i < o->n_disks; i++)
		if (o->disk[i].mode == DISK_PRIVATE && o->vms > 1 && !strstr(o->disk[i].path, "%d"))
			return complain(EINVAL,
				"--disk: %s cannot be private to %llu VMs; put %%d, "
				"the number of the VM, into its name",
				o->disk[i].path, (unsigned long long)o->vms);
	if (o->clone && o->virtual_numa)
		return complain(EINVAL, "--warm: clones are on other nodes than --virtual-numa "
					"showed the VM they are made from");
	for (unsigned i = 0; o->clone && i < o->n_disks; i++)
		if (disk_has_one_user(o->disk[i].mode))
			return complain(EINVAL,
				"--warm: %s is %s, and a %s disk has one user: VMs that have one "
				"cannot be cloned",
				o->disk[i].path, option_disk_mode[o->disk[i].mode],
				option_disk_mode[o->disk[i].mode]);
	if (check_effect(o))
		return -EINVAL;
	if (o->name && (strchr(o->name, '/') || strlen(o->name) > 40))
		return complain(
			EINVAL, "--name: '%s' has a '/' or more than 40 characters", o->name);
	return 0;
}
