// SPDX-License-Identifier: MIT
/*
 * The virtio MMIO transport, version 2 (Virtual I/O Device specification 1.2, section 4.2.2): the
 * registers through which a driver finds a device, agrees on features, places its queues and is
 * interrupted. What the driver may do when follows the status bits (section 2.1, 3.1); what comes
 * out of turn is ignored.
 */
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "monitor/dev/virtio.h"
#include "monitor/boot/fdt.h"
#include "monitor/vm/guestmem.h"
#include "numa/util.h"

enum {
	MAGIC = 0x000,
	VERSION = 0x004,
	DEVICE_ID = 0x008,
	VENDOR_ID = 0x00c,
	DEVICE_FEATURES = 0x010,
	DEVICE_FEATURES_SEL = 0x014,
	DRIVER_FEATURES = 0x020,
	DRIVER_FEATURES_SEL = 0x024,
	QUEUE_SEL = 0x030,
	QUEUE_NUM_MAX = 0x034,
	QUEUE_NUM = 0x038,
	QUEUE_READY = 0x044,
	QUEUE_NOTIFY = 0x050,
	INTERRUPT_STATUS = 0x060,
	INTERRUPT_ACK = 0x064,
	STATUS = 0x070,
	QUEUE_DESC = 0x080, /* low half, then high half */
	QUEUE_DRIVER = 0x090,
	QUEUE_DEVICE = 0x0a0,
	SHM_LEN = 0x0b0, /* all ones: there is no shared memory region */
	SHM_BASE = 0x0b8,
	CONFIG_GENERATION = 0x0fc,
	CONFIG = 0x100,

	STATUS_DRIVER_OK = 4,
	STATUS_FEATURES_OK = 8,
	STATUS_NEEDS_RESET = 0x40,
	STATUS_FAILED = 0x80,

	ISR_CONFIG = 2,
};

bool virtio_live(const struct virtio *v, const struct virtq *q)
{
	return q->ready && (v->status & STATUS_DRIVER_OK) && (v->status & STATUS_FEATURES_OK) &&
	       !(v->status & (STATUS_NEEDS_RESET | STATUS_FAILED));
}

void virtio_break(struct virtio *v)
{
	if (v->status & STATUS_NEEDS_RESET)
		return;
	v->broken++;
	v->status |= STATUS_NEEDS_RESET;
	if (v->status & STATUS_DRIVER_OK) {
		v->isr |= ISR_CONFIG;
		device_irq(&v->dev, true);
	}
}

void virtio_config_changed(struct virtio *v)
{
	v->config_generation++;
	if (!(v->status & STATUS_DRIVER_OK))
		return;
	v->isr |= ISR_CONFIG;
	device_irq(&v->dev, true);
}

static void reset(struct virtio *v)
{
	memset(v->queue, 0, sizeof(v->queue));
	v->generation++;
	v->features = 0;
	v->features_sel = v->driver_features_sel = v->queue_sel = 0;
	v->status = v->isr = 0;
	device_irq(&v->dev, false);
	if (v->ops->reset)
		v->ops->reset(v);
}

static void kick(struct virtio *v, struct virtq *q)
{
	bool boundary = v->dev.vm->cluster->mem->boundary;

	if (!virtio_live(v, q))
		return;
	q->kicked = true;
	if (boundary || !v->ops->at_boundary) {
		q->limited = true;
		q->left = VIRTQ_MAX;
		q->kicked = v->ops->kick(v, q) == -EAGAIN;
		q->limited = false;
		virtio_pay(v);
	}
	if (q->kicked)
		device_defer(&v->dev);
}

void virtio_io(struct device *d)
{
	struct virtio *v = (struct virtio *)d;

	for (unsigned i = 0; i < v->ops->n_queues; i++)
		if (v->queue[i].kicked)
			kick(v, &v->queue[i]);
}

/* FEATURES_OK stays off, which the driver must check, unless it took what it needs and no more than
 * was offered (section 3.1.1). Without VERSION_1, which drivers of 32 feature bits do not write, the
 * layouts are the same but for the network's header, whose model demands it. */
static void set_status(struct virtio *v, uint32_t value)
{
	uint32_t before = v->status;

	if (!value) {
		reset(v);
		return;
	}
	if (!(before & STATUS_FEATURES_OK) &&
		(v->features & ~v->offered ||
			(v->ops->needs_version_1 && !(v->features & VIRTIO_F_VERSION_1))))
		value &= ~(uint32_t)STATUS_FEATURES_OK;
	v->status = (value & 0xff & ~(uint32_t)STATUS_NEEDS_RESET) |
		    (before & (STATUS_FEATURES_OK | STATUS_NEEDS_RESET));
	/* What was made available before the driver was up waits for this. */
	if (v->status & ~before & STATUS_DRIVER_OK)
		for (unsigned i = 0; i < v->ops->n_queues; i++)
			kick(v, &v->queue[i]);
}

static unsigned queue_max(const struct virtio *v)
{
	return v->ops->queue_max ? v->ops->queue_max : VIRTQ_MAX;
}

static bool queue_valid(const struct virtio *v, const struct virtq *q)
{
	const struct vm *vm = v->dev.vm;
	uint64_t n = q->size;

	return n && n <= queue_max(v) && !(n & (n - 1)) && !(q->desc & 15) && !(q->avail & 1) &&
	       !(q->used & 3) && gm_valid(vm, q->desc, 16 * n) &&
	       gm_valid(vm, q->avail, 6 + 2 * n) && gm_valid(vm, q->used, 6 + 8 * n);
}

static void set_ready(struct virtio *v, struct virtq *q, bool ready)
{
	if (ready == q->ready)
		return;
	q->avail_next = q->used_next = q->signalled = 0;
	q->done = 0;
	q->kicked = false;
	v->generation++;
	q->ready = ready && queue_valid(v, q);
	if (ready && !q->ready)
		virtio_break(v);
}

/* A queue's addresses and size, which are fixed once it is ready. */
static void set_queue(struct virtq *q, uint64_t offset, uint32_t value)
{
	uint64_t *pa;

	if (q->ready)
		return;
	switch (offset & ~4ull) {
	case QUEUE_DESC:
		pa = &q->desc;
		break;
	case QUEUE_DRIVER:
		pa = &q->avail;
		break;
	case QUEUE_DEVICE:
		pa = &q->used;
		break;
	default: /* QUEUE_NUM; too large for 16 bits is as wrong as 0 */
		q->size = value > VIRTQ_MAX ? 0 : (uint16_t)value;
		return;
	}
	if (offset & 4)
		*pa = (uint32_t)*pa | (uint64_t)value << 32;
	else
		*pa = (*pa & ~(uint64_t)UINT32_MAX) | value;
}

static uint64_t config_read(const struct virtio *v, uint64_t offset, unsigned size)
{
	uint64_t value = 0;

	if (offset < v->config_bytes)
		memcpy(&value, (const uint8_t *)v->config + offset,
			MIN(size, v->config_bytes - offset));
	return value;
}

uint64_t virtio_read(struct device *d, struct vcpu *vcpu, uint64_t offset, unsigned size)
{
	struct virtio *v = (struct virtio *)d;
	const struct virtq *q = v->queue_sel < v->ops->n_queues ? &v->queue[v->queue_sel] : NULL;

	(void)vcpu;
	if (offset >= CONFIG)
		return config_read(v, offset - CONFIG, size);
	if (size != 4)
		return 0;
	switch (offset) {
	case MAGIC:
		return 0x74726976; /* "virt" */
	case VERSION:
		return 2;
	case DEVICE_ID:
		return v->ops->id;
	case VENDOR_ID:
		return 0x554d4551; /* QEMU's, which some guests written for its board demand */
	case DEVICE_FEATURES:
		return v->features_sel < 2 ? (uint32_t)(v->offered >> (32 * v->features_sel)) : 0;
	case QUEUE_NUM_MAX:
		return q ? queue_max(v) : 0;
	case QUEUE_READY:
		return q && q->ready;
	case INTERRUPT_STATUS:
		return v->isr;
	case STATUS:
		return v->status;
	case CONFIG_GENERATION:
		return v->config_generation;
	case SHM_LEN:
	case SHM_LEN + 4:
	case SHM_BASE:
	case SHM_BASE + 4:
		return UINT32_MAX;
	}
	return 0;
}

static void set_initiator(struct virtio *v, const struct vcpu *vcpu)
{
	v->initiator = vcpu ? vcpu->id : 0;
}

void virtio_write(
	struct device *d, struct vcpu *vcpu, uint64_t offset, unsigned size, uint64_t value)
{
	struct virtio *v = (struct virtio *)d;
	struct virtq *q = v->queue_sel < v->ops->n_queues ? &v->queue[v->queue_sel] : NULL;
	uint32_t word = (uint32_t)value;
	unsigned shift;

	if (offset >= CONFIG && v->ops->config_write)
		v->ops->config_write(v, offset - CONFIG, size, value);
	if (offset >= CONFIG || size != 4)
		return;
	switch (offset) {
	case DEVICE_FEATURES_SEL:
		v->features_sel = word;
		break;
	case DRIVER_FEATURES:
		if (v->driver_features_sel >= 2 || v->status & STATUS_FEATURES_OK)
			break;
		shift = 32 * v->driver_features_sel;
		v->features &= ~((uint64_t)UINT32_MAX << shift);
		v->features |= (uint64_t)word << shift;
		break;
	case DRIVER_FEATURES_SEL:
		v->driver_features_sel = word;
		break;
	case QUEUE_SEL:
		v->queue_sel = word;
		break;
	case QUEUE_READY:
		if (q)
			set_ready(v, q, word & 1);
		break;
	case QUEUE_NOTIFY:
		v->kicks++;
		set_initiator(v, vcpu);
		if (word < v->ops->n_queues)
			kick(v, &v->queue[word]);
		break;
	case INTERRUPT_ACK:
		v->isr &= ~word;
		device_irq(d, v->isr != 0);
		break;
	case STATUS:
		set_initiator(v, vcpu);
		set_status(v, word);
		break;
	case QUEUE_NUM:
	case QUEUE_DESC:
	case QUEUE_DESC + 4:
	case QUEUE_DRIVER:
	case QUEUE_DRIVER + 4:
	case QUEUE_DEVICE:
	case QUEUE_DEVICE + 4:
		if (q)
			set_queue(q, offset, word);
		break;
	}
}

int virtio_clone(struct device *d, const struct device *from)
{
	struct virtio *v = (struct virtio *)d;
	const struct virtio *original = (const struct virtio *)from;

	v->features = original->features;
	v->features_sel = original->features_sel;
	v->driver_features_sel = original->driver_features_sel;
	v->queue_sel = original->queue_sel;
	v->status = original->status;
	v->isr = original->isr;
	v->config_generation = original->config_generation;
	v->initiator = original->initiator;
	memcpy(v->queue, original->queue, sizeof(v->queue));
	return 0;
}

void virtio_fdt(struct device *d, void *fdt)
{
	static const char compatible[] = "virtio,mmio";

	fdt_device_begin(fdt, d, "virtio_mmio", compatible, sizeof(compatible));
	fdt_ok(fdt_property(fdt, "dma-coherent", NULL, 0));
	fdt_device_irq(fdt, d);
	fdt_ok(fdt_end_node(fdt));
}

void virtio_common_stats(struct virtio *v, struct json_t *object)
{
	json_object_set_new(object, "kicks", json_integer((json_int_t)v->kicks));
	json_object_set_new(object, "interrupts", json_integer((json_int_t)v->interrupts));
	json_object_set_new(object, "broken", json_integer((json_int_t)v->broken));
}

void virtio_init(struct virtio *v, struct vm *vm, unsigned slot, const struct virtio_ops *ops,
	uint64_t features, const void *config, unsigned config_bytes)
{
	if (slot >= BOARD_VIRTIO_SLOTS)
		die("boards have %d virtio slots", BOARD_VIRTIO_SLOTS);
	v->ops = ops;
	v->offered = features | VIRTIO_F_VERSION_1 | VIRTIO_F_RING_INDIRECT_DESC |
		     VIRTIO_F_RING_EVENT_IDX;
	v->config = config;
	v->config_bytes = config_bytes;
	v->dev.ops = &ops->dev;
	v->dev.base = vm->board->map[PART_VIRTIO].base + (uint64_t)BOARD_VIRTIO_BYTES * slot;
	v->dev.size = BOARD_VIRTIO_BYTES;
	v->dev.irq = vm->board->virtio_irq[slot];
	v->dev.doorbell = QUEUE_NOTIFY;
	v->dev.n_doorbells = ops->n_queues;
	device_attach(vm, &v->dev);
}
