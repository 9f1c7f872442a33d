// SPDX-License-Identifier: MIT
/* Stand-ins for disks and the subnet. */
#ifndef TESTS_FAKE_SHARING_H
#define TESTS_FAKE_SHARING_H
#include <errno.h>
#include "sharing/disk.h"
#include "sharing/subnet.h"
#include "sharing/image.h"

struct disk {
	enum disk_mode mode;
	uint8_t *data;
	uint64_t bytes;
	struct disk_stats stats;
};
struct image_cache *image_cache_create(struct memory *mem)
{
	(void)mem;
	return NULL;
}
void image_cache_destroy(struct image_cache *c)
{
	(void)c;
}
int disk_open(struct image_cache *c, const char *path, enum disk_mode mode, uint32_t owner,
	struct disk **out)
{
	struct disk *d = xcalloc(1, sizeof(*d));
	FILE *f = fopen(path, "rb");

	(void)c, (void)owner;
	d->mode = mode;
	fseek(f, 0, SEEK_END);
	d->bytes = (uint64_t)ftell(f);
	rewind(f);
	d->data = xcalloc(1, d->bytes);
	if (fread(d->data, 1, d->bytes, f) != d->bytes)
		abort();
	fclose(f);
	*out = d;
	return 0;
}
void disk_close(struct disk *d)
{
	free(d->data);
	free(d);
}
uint64_t disk_sectors(const struct disk *d)
{
	return d->bytes / SECTOR_SIZE;
}
enum disk_mode disk_mode(const struct disk *d)
{
	return d->mode;
}
static int move(struct disk *d, struct pmap *pm, uint64_t sector, const struct disk_segment *seg,
	unsigned n, bool write)
{
	uint64_t at = sector * SECTOR_SIZE;

	for (unsigned i = 0; i < n; i++) {
		for (uint64_t pa = seg[i].pa_offset, left = seg[i].bytes, k; left;
			pa += k, left -= k, at += k) {
			void *host;
			bool w;
			int err = pmap_fault(pm, (uint32_t)(pa >> 12), 0, !write, &host, &w);

			if (err)
				return err;
			k = MIN(left, 4096 - (pa & 4095));
			if (at + k > d->bytes)
				abort();
			if (write)
				memcpy(d->data + at, (uint8_t *)host + (pa & 4095), k);
			else
				memcpy((uint8_t *)host + (pa & 4095), d->data + at, k);
		}
	}
	return 0;
}
int disk_read(struct disk *d, struct pmap *pm, unsigned node, uint64_t sector,
	const struct disk_segment *seg, unsigned n)
{
	(void)node;
	d->stats.reads++;
	return move(d, pm, sector, seg, n, false);
}
int disk_write(struct disk *d, struct pmap *pm, unsigned node, uint64_t sector,
	const struct disk_segment *seg, unsigned n)
{
	(void)node;
	if (d->mode == DISK_RO)
		return -EROFS;
	d->stats.writes++;
	return move(d, pm, sector, seg, n, true);
}
int disk_flush(struct disk *d)
{
	d->stats.flushes++;
	return 0;
}
const struct disk_stats *disk_stats(const struct disk *d)
{
	return &d->stats;
}

struct subnet_port {
	struct subnet *net;
	bool (*deliver)(void *arg, const uint8_t *frame, uint32_t bytes);
	void *arg;
};
struct queued {
	struct subnet_port *from;
	uint32_t bytes;
	uint8_t *data;
};
struct subnet {
	struct subnet_port *port[8];
	struct queued *q;
	unsigned n_q;
};
struct subnet *subnet_create(void)
{
	return xcalloc(1, sizeof(struct subnet));
}
void subnet_destroy(struct subnet *s)
{
	for (unsigned i = 0; i < s->n_q; i++)
		free(s->q[i].data);
	free(s->q);
	free(s);
}
struct subnet_port *subnet_attach(struct subnet *s, const uint8_t mac[6],
	bool (*deliver)(void *arg, const uint8_t *frame, uint32_t bytes), void *arg)
{
	struct subnet_port *p = xcalloc(1, sizeof(*p));

	(void)mac;
	*p = (struct subnet_port){s, deliver, arg};
	for (unsigned i = 0; i < 8; i++)
		if (!s->port[i]) {
			s->port[i] = p;
			break;
		}
	return p;
}
void subnet_detach(struct subnet_port *p)
{
	for (unsigned i = 0; i < 8; i++)
		if (p->net->port[i] == p)
			p->net->port[i] = NULL;
	free(p);
}
void subnet_send(struct subnet_port *p, const uint8_t *frame, uint32_t bytes)
{
	struct subnet *s = p->net;

	s->q = xrealloc(s->q, (s->n_q + 1) * sizeof(s->q[0]));
	s->q[s->n_q] = (struct queued){p, bytes, xcalloc(1, bytes)};
	memcpy(s->q[s->n_q++].data, frame, bytes);
}
void subnet_run(struct subnet *s)
{
	for (unsigned i = 0; i < s->n_q; i++) {
		for (unsigned k = 0; k < 8; k++)
			if (s->port[k] && s->port[k] != s->q[i].from)
				s->port[k]->deliver(s->port[k]->arg, s->q[i].data, s->q[i].bytes);
		free(s->q[i].data);
	}
	s->n_q = 0;
}
#endif
