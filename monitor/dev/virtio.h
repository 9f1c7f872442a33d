// SPDX-License-Identifier: MIT
/*
 * What virtio device models are built on (Virtual I/O Device specification 1.2): the MMIO
 * transport, version 2 (section 4.2), with split virtqueues (2.7), indirect descriptors (2.7.5.3)
 * and event indices (2.7.10). Registers are in virtio-mmio.c, rings in virtq.c; a model supplies an
 * id, features, a configuration space and kick(), and sees only chains whose every buffer has been
 * checked to lie in the VM's memory.
 *
 * A ring that breaks the specification costs the guest this device, nothing else:
 * DEVICE_NEEDS_RESET is set and nothing happens until the driver resets it.
 *
 * kick() runs in the run phase, as soon as the driver notifies, or at the boundary when the model
 * says so or when memory it needs is not there yet: pop then returns -EAGAIN with nothing done, and
 * the same kick() comes again at the boundary. After a pop that gave a chain, no access to its
 * buffers or its ring returns -EAGAIN. All functions: owner thread.
 */
#ifndef MONITOR_DEV_VIRTIO_H
#define MONITOR_DEV_VIRTIO_H

#include "monitor/vm/board.h"

enum {
	VIRTQ_MAX = 256,
	VIRTIO_MAX_QUEUES = 4,
	VIRTIO_BOUNDARY_BYTES = 64 << 20, /* the most that a device serves at one boundary */
};

#define VIRTIO_F_RING_INDIRECT_DESC (1ull << 28)
#define VIRTIO_F_RING_EVENT_IDX     (1ull << 29)
#define VIRTIO_F_VERSION_1          (1ull << 32)

struct virtio_segment {
	uint64_t pa;
	uint32_t bytes; /* not 0 */
};

/* One request: buffers the device may read, then buffers it may write. */
struct virtio_chain {
	uint16_t head;
	uint32_t done;                   /* bytes served before virtio_rest(), at most their sum */
	unsigned n_readable, n_writable; /* segments */
	uint32_t readable, writable;     /* bytes; their sum is at most the VM's memory */
	struct virtio_segment seg[VIRTQ_MAX];
};

struct virtq {
	uint16_t size;
	bool ready;
	bool kicked;                /* kick() is owed at the boundary */
	uint64_t desc, avail, used; /* checked when the queue became ready */
	uint16_t avail_next;        /* free-running index of the next entry to take */
	uint16_t used_next;         /* ... to give back */
	uint16_t signalled;         /* used_next when an interrupt was last considered */
	bool limited;               /* kick() is at work, and may pop at most `left` more: */
	unsigned left;              /* a guest that runs meanwhile could keep it busy without end */
	uint32_t done;              /* bytes of the next request that were served before */
};

struct virtio;

struct virtio_ops {
	struct device_ops dev; /* type, VIRTIO_DEVICE_OPS, stats, destroy */
	uint32_t id;           /* section 5 */
	unsigned n_queues;
	unsigned queue_max;   /* entries of a queue at most; 0: VIRTQ_MAX */
	bool at_boundary;     /* its work reaches beyond the VM */
	bool own_copies;      /* the model charges by itself for what it copies */
	bool needs_version_1; /* its layouts are other ones without VIRTIO_F_VERSION_1 */
	/* Serve a queue until pop gives no more; returns what the last pop returned, or -EAGAIN to
	 * be called again at the next boundary. */
	int (*kick)(struct virtio *v, struct virtq *q);
	/* The driver writes to the configuration space; NULL: in vain. Any `offset` and value. */
	void (*config_write)(struct virtio *v, uint64_t offset, unsigned size, uint64_t value);
	/* The driver reset the device; NULL: the model keeps nothing of it. */
	void (*reset)(struct virtio *v);
};

struct virtio { /* the first member of each model's own struct */
	struct device dev;
	const struct virtio_ops *ops;
	uint64_t offered;   /* features */
	const void *config; /* changes only with virtio_config_changed(), or by config_write() */
	uint32_t config_generation;
	unsigned config_bytes;

	uint64_t features; /* the driver's choice; fixed by FEATURES_OK */
	uint32_t features_sel, driver_features_sel, queue_sel;
	uint32_t status, isr;
	struct virtq queue[VIRTIO_MAX_QUEUES];
	uint32_t generation; /* of the rings: another when one was set up anew or all were reset */
	unsigned
		initiator; /* the hart that notified or set the status last: it pays for work ... */
	uint64_t owed;     /* ... these cycles, with the next virtio_notify() or at kick()'s end */
	uint64_t kicks, interrupts, broken; /* statistics */
};

uint64_t virtio_read(struct device *d, struct vcpu *vcpu, uint64_t offset, unsigned size);
void virtio_write(
	struct device *d, struct vcpu *vcpu, uint64_t offset, unsigned size, uint64_t value);
void virtio_io(struct device *d);
void virtio_fdt(struct device *d, void *fdt);
/* The device_ops.clone of a model that has nothing of its own a guest could see. */
int virtio_clone(struct device *d, const struct device *from);
#define VIRTIO_DEVICE_OPS                                                                          \
	.read = virtio_read, .write = virtio_write, .io = virtio_io, .fdt = virtio_fdt

/* Fill in and attach `v` in `slot`. `features`: the model's own, beyond those named above. */
void virtio_init(struct virtio *v, struct vm *vm, unsigned slot, const struct virtio_ops *ops,
	uint64_t features, const void *config, unsigned config_bytes);
void virtio_common_stats(struct virtio *v, struct json_t *object);

/* The driver is up and the queue may be used. */
bool virtio_live(const struct virtio *v, const struct virtq *q);
/* The configuration space changed: the driver is told if it is up (section 2.5). Boundary. */
void virtio_config_changed(struct virtio *v);
/* The driver broke the rules: stop until it resets the device. */
void virtio_break(struct virtio *v);

/*
 * The monitor worked `cycles` for this device. The vCPU that notified it pays, so that a guest
 * which asks for much work slows itself. Each request taken is charged as a monitor call by
 * virtio_pop(), and each byte by virtio_copy_from() and virtio_copy_to() unless the model says
 * `own_copies`.
 */
void virtio_charge(struct virtio *v, uint64_t cycles);
/* Have what is owed paid. */
void virtio_pay(struct virtio *v);
/* The price of copying `bytes` between monitor and guest. */
uint64_t virtio_copy_cycles(const struct virtio *v, uint64_t bytes);

/*
 * What most models' kick() is: serve requests until there is none, or until those served have
 * `most` bytes, or until one was served in part; interrupt the driver. So the work of one kick() is
 * bounded, and what is left waits for the next boundary. Returns as kick() does. serve() pushes the
 * chain, breaks the device, or calls virtio_rest().
 */
typedef void virtio_serve_fn(struct virtio *v, struct virtq *q, const struct virtio_chain *c);
int virtio_serve(struct virtio *v, struct virtq *q, uint64_t most, virtio_serve_fn *serve);

/* Take the next request. 1: *c is filled; 0: there is none (or the device just broke); -EAGAIN. */
int virtio_pop(struct virtio *v, struct virtq *q, struct virtio_chain *c);
/* Read a request again that was popped and not yet pushed, for a model that keeps it; the driver
 * may have changed it. 1, or 0: the device just broke. Boundary. */
int virtio_pop_again(struct virtio *v, struct virtq *q, uint16_t head, struct virtio_chain *c);
/* Put back the request popped last, of which the first `done` bytes, more than none, have been
 * served: the next pop gives it again, read anew, with c->done. */
void virtio_rest(struct virtq *q, uint32_t done);
/* In kick(): what is left of the queue waits for the next boundary. */
void virtio_stop(struct virtq *q);
/* Put back the n requests popped last, none of them pushed. */
void virtio_unpop(struct virtq *q, unsigned n);
/* Give a request back; `bytes` were written into its writable part. */
void virtio_push(struct virtio *v, struct virtq *q, uint16_t head, uint32_t bytes);
/* After pushes: interrupt the driver if it wants to know. */
void virtio_notify(struct virtio *v, struct virtq *q);

/* Segments of part of a chain: [offset, offset + bytes) of its readable or its writable bytes. */
struct virtio_span {
	const struct virtio_segment *seg;
	unsigned n;
	uint32_t skip, left;
};
struct virtio_span virtio_readable(const struct virtio_chain *c, uint32_t offset, uint32_t bytes);
struct virtio_span virtio_writable(const struct virtio_chain *c, uint32_t offset, uint32_t bytes);
bool virtio_span_next(struct virtio_span *s, struct virtio_segment *out);

/* Copy out of the readable, or into the writable part; the range must be within it. False when
 * memory failed: the device is then broken (or the VM failed for want of machine memory). */
bool virtio_copy_from(
	struct virtio *v, const struct virtio_chain *c, uint32_t offset, void *buf, uint32_t bytes);
bool virtio_copy_to(struct virtio *v, const struct virtio_chain *c, uint32_t offset,
	const void *buf, uint32_t bytes);

#endif
