// SPDX-License-Identifier: MIT
/*
 * The archive of a VM; see archive.h.
 */
#include <stdlib.h>
#include <string.h>

#include "monitor/run/archive.h"
#include "monitor/run/preflight.h"
#include "numa/util.h"
#include "sharing/gateway.h"

static unsigned host_number(unsigned id)
{
	return id + 2; /* .0 is the net, .1 the gateway */
}

unsigned subnet_prefix(const struct run_options *o)
{
	return o->vms > 250 ? 16 : 24;
}

static void archive_gateway(const struct run_options *o, struct cpio *c)
{
	uint32_t names = gateway_nameserver(subnet_prefix(o));
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
	if (expects_root(r))
		cpio_file(c, "disco/root", "", 0);
	if (r->cluster.subnet) {
		text = xasprintf("%s/%u\n", ip, subnet_prefix(o));
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

void boot_archive(const struct run *r, unsigned id, struct cpio *c)
{
	memset(c, 0, sizeof(*c));
	if (!r->options->exec && !r->guest_initrd && !(r->options->guest && r->options->initrd))
		return;
	if (!r->options->clone) {
		run_archive(r, id, c);
		return;
	}
	cpio_directory(c, "disco");
	cpio_file(c, "disco/warm", "", 0);
	cpio_end(c);
}
