// SPDX-License-Identifier: MIT
/*
 * Split virtqueues (Virtual I/O Device specification 1.2, section 2.7), the device's side. The
 * driver is hostile: each descriptor is read once into a local, checked, and only then used; chains
 * are bounded in length by VIRTQ_MAX segments, in bytes by the VM's memory.
 *
 * Under the kvm engine the driver runs while the device does, on other CPUs. So each side makes
 * what it wrote visible before it reads what the other may have written (section 2.7.13.4.1): the
 * device the event index before it looks for requests once more, and the used index before it asks
 * whether an interrupt is wanted. Entries are read after the index that says they are there, and
 * written before it.
 */
#include <errno.h>

#include "monitor/dev/virtio.h"
#include "monitor/vm/engine.h"
#include "monitor/vm/guestmem.h"

enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4, AVAIL_NO_INTERRUPT = 1 };
/* In the run phase a larger request is left to the boundary rather than touched page by page. */
enum { RUN_PHASE_BYTES = 64 << 10 };

struct desc {
	uint64_t pa;
	uint32_t bytes;
	uint16_t flags;
	uint16_t next;
};

/* Where the parts of the rings are; sizes were checked when the queue became ready. */
static uint64_t avail_index(const struct virtq *q)
{
	return q->avail + 2;
}

static uint64_t avail_entry(const struct virtq *q, uint16_t i)
{
	return q->avail + 4 + 2 * (uint64_t)(i & (q->size - 1));
}

static uint64_t used_event(const struct virtq *q)
{
	return q->avail + 4 + 2 * (uint64_t)q->size;
}

static uint64_t used_index(const struct virtq *q)
{
	return q->used + 2;
}

static uint64_t used_entry(const struct virtq *q, uint16_t i)
{
	return q->used + 4 + 8 * (uint64_t)(i & (q->size - 1));
}

static uint64_t avail_event(const struct virtq *q)
{
	return q->used + 4 + 8 * (uint64_t)q->size;
}

/* What a failed access or check means; the value for pop to return. */
static int fault(struct virtio *v, int err)
{
	if (err == -EAGAIN)
		return err;
	if (err == -ENOMEM)
		vm_fail(v->dev.vm, "%s: machine memory is exhausted", v->ops->dev.type);
	virtio_break(v);
	return 0;
}

static int add_segment(struct vm *vm, struct virtio_chain *c, const struct desc *d)
{
	unsigned n = c->n_readable + c->n_writable;
	uint64_t sum = (uint64_t)c->readable + c->writable + d->bytes;

	/* The first is what ends a loop. */
	if (n == VIRTQ_MAX || !d->bytes || !gm_valid(vm, d->pa, d->bytes))
		return -EINVAL;
	if (sum > vm->ram_bytes || sum > UINT32_MAX)
		return -EINVAL;
	c->seg[n] = (struct virtio_segment){d->pa, d->bytes};
	if (d->flags & DESC_WRITE) {
		c->n_writable++;
		c->writable += d->bytes;
	} else if (c->n_writable) {
		return -EINVAL; /* what the device reads comes first (section 2.7.4.2) */
	} else {
		c->n_readable++;
		c->readable += d->bytes;
	}
	return 0;
}

static int collect(struct virtio *v, const struct virtq *q, struct virtio_chain *c)
{
	struct vm *vm = v->dev.vm;
	struct desc table[VIRTQ_MAX], d;
	bool indirect = false;
	unsigned n = q->size, i = c->head;
	int err;

	c->n_readable = c->n_writable = 0;
	c->readable = c->writable = 0;
	for (;;) {
		if (i >= n)
			return -EINVAL;
		if (indirect)
			d = table[i];
		else if ((err = gm_read(vm, q->desc + 16 * (uint64_t)i, &d, sizeof(d))))
			return err;
		if (d.flags & DESC_INDIRECT) {
			if (indirect || !(v->features & VIRTIO_F_RING_INDIRECT_DESC) ||
				d.flags & DESC_NEXT || !d.bytes || d.bytes % sizeof(d) ||
				d.bytes > sizeof(table))
				return -EINVAL;
			if ((err = gm_read(vm, d.pa, table, d.bytes)))
				return err;
			indirect = true;
			n = d.bytes / sizeof(d);
			i = 0;
			continue;
		}
		if ((err = add_segment(vm, c, &d)))
			return err;
		if (!(d.flags & DESC_NEXT))
			return 0;
		i = d.next;
	}
}

/* Everything the model will touch is there, so that it cannot be stopped half-way. */
static int prepare(struct vm *vm, const struct virtq *q, const struct virtio_chain *c)
{
	unsigned n = c->n_readable + c->n_writable;
	int err;

	if ((uint64_t)c->readable + c->writable > RUN_PHASE_BYTES)
		return -EAGAIN;
	if ((err = gm_touch(vm, q->avail, 6 + 2 * (uint64_t)q->size, false)) ||
		(err = gm_touch(vm, q->used, 6 + 8 * (uint64_t)q->size, true)))
		return err;
	for (unsigned i = 0; i < n; i++)
		if ((err = gm_touch(vm, c->seg[i].pa, c->seg[i].bytes, i >= c->n_readable)))
			return err;
	return 0;
}

int virtio_pop(struct virtio *v, struct virtq *q, struct virtio_chain *c)
{
	struct vm *vm = v->dev.vm;
	uint16_t index;
	int err;

	if (!virtio_live(v, q))
		return 0;
	if ((err = gm_read16(vm, avail_index(q), &index)))
		return fault(v, err);
	if (index == q->avail_next && v->features & VIRTIO_F_RING_EVENT_IDX) {
		/* The next request is worth a notification; one that came before the driver could
		 * know of this had none. */
		if ((err = gm_write16(vm, avail_event(q), index)))
			return fault(v, err);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if ((err = gm_read16(vm, avail_index(q), &index)))
			return fault(v, err);
	}
	if (index == q->avail_next)
		return 0;
	if (q->limited && !q->left)
		return -EAGAIN;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if ((uint16_t)(index - q->avail_next) > q->size)
		return fault(v, -EINVAL);
	if ((err = gm_read16(vm, avail_entry(q, q->avail_next), &c->head)) ||
		(err = collect(v, q, c)))
		return fault(v, err);
	if (!vm->cluster->mem->boundary && (err = prepare(vm, q, c)))
		return fault(v, err);
	q->avail_next++;
	q->left -= q->limited;
	/* The driver may have made it shorter since. */
	c->done = MIN(q->done, c->readable + c->writable);
	q->done = 0;
	virtio_charge(v, vm->cluster->machine->cost.monitor_call);
	return 1;
}

int virtio_pop_again(struct virtio *v, struct virtq *q, uint16_t head, struct virtio_chain *c)
{
	int err;

	c->head = head;
	err = collect(v, q, c);
	return err ? fault(v, err) : 1;
}

void virtio_rest(struct virtq *q, uint32_t done)
{
	virtio_unpop(q, 1);
	q->done = done;
}

void virtio_stop(struct virtq *q)
{
	q->left = 0;
}

void virtio_charge(struct virtio *v, uint64_t cycles)
{
	v->owed += cycles;
}

void virtio_pay(struct virtio *v)
{
	struct vm *vm = v->dev.vm;

	if (v->owed)
		vm->cluster->engine->vcpu_charge(&vm->vcpu[v->initiator], v->owed);
	v->owed = 0;
}

uint64_t virtio_copy_cycles(const struct virtio *v, uint64_t bytes)
{
	return bytes * v->dev.vm->cluster->machine->cost.page_copy / PAGE_SIZE;
}

void virtio_unpop(struct virtq *q, unsigned n)
{
	q->avail_next = (uint16_t)(q->avail_next - n);
}

void virtio_push(struct virtio *v, struct virtq *q, uint16_t head, uint32_t bytes)
{
	struct vm *vm = v->dev.vm;
	uint32_t entry[] = {head, bytes};
	int err;

	if (!virtio_live(v, q))
		return;
	err = gm_write(vm, used_entry(q, q->used_next), entry, sizeof(entry));
	__atomic_thread_fence(__ATOMIC_RELEASE);
	if (!err)
		err = gm_write16(vm, used_index(q), (uint16_t)(q->used_next + 1));
	if (err)
		fault(v, err);
	else
		q->used_next++;
}

void virtio_notify(struct virtio *v, struct virtq *q)
{
	struct vm *vm = v->dev.vm;
	uint16_t old = q->signalled, new = q->used_next, word;
	bool by_event = v->features & VIRTIO_F_RING_EVENT_IDX;
	int err;

	virtio_pay(v);
	if (!virtio_live(v, q) || old == new)
		return;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if ((err = gm_read16(vm, by_event ? used_event(q) : q->avail, &word))) {
		fault(v, err);
		return;
	}
	q->signalled = new;
	/* Section 2.7.10.1: wanted when the step from old to new passes the event index. */
	if (by_event ? (uint16_t)(new - word - 1) >= (uint16_t)(new - old)
		     : word & AVAIL_NO_INTERRUPT)
		return;
	v->interrupts++;
	v->isr |= 1;
	device_irq(&v->dev, true);
}

int virtio_serve(struct virtio *v, struct virtq *q, uint64_t most, virtio_serve_fn *serve)
{
	struct virtio_chain c;
	uint64_t served = 0;
	int popped;

	while ((popped = virtio_pop(v, q, &c)) > 0) {
		serve(v, q, &c);
		served += c.readable + c.writable;
		if (q->done || served >= most) {
			popped = -EAGAIN;
			break;
		}
	}
	virtio_notify(v, q);
	return popped;
}

struct virtio_span virtio_readable(const struct virtio_chain *c, uint32_t offset, uint32_t bytes)
{
	return (struct virtio_span){c->seg, c->n_readable, offset, bytes};
}

struct virtio_span virtio_writable(const struct virtio_chain *c, uint32_t offset, uint32_t bytes)
{
	return (struct virtio_span){c->seg + c->n_readable, c->n_writable, offset, bytes};
}

bool virtio_span_next(struct virtio_span *s, struct virtio_segment *out)
{
	for (; s->left && s->n; s->seg++, s->n--) {
		if (s->skip >= s->seg->bytes) {
			s->skip -= s->seg->bytes;
			continue;
		}
		out->pa = s->seg->pa + s->skip;
		out->bytes = MIN(s->left, s->seg->bytes - s->skip);
		s->left -= out->bytes;
		s->skip +=
			out->bytes; /* the next call leaves this segment behind if it is used up */
		return true;
	}
	return false;
}

static void charge_copy(struct virtio *v, uint32_t bytes)
{
	if (!v->ops->own_copies)
		virtio_charge(v, virtio_copy_cycles(v, bytes));
}

bool virtio_copy_from(
	struct virtio *v, const struct virtio_chain *c, uint32_t offset, void *buf, uint32_t bytes)
{
	struct virtio_span span = virtio_readable(c, offset, bytes);
	struct virtio_segment s;
	uint8_t *p = buf;

	charge_copy(v, bytes);
	for (int err; virtio_span_next(&span, &s); p += s.bytes) {
		if ((err = gm_read(v->dev.vm, s.pa, p, s.bytes))) {
			fault(v, err);
			return false;
		}
	}
	return true;
}

bool virtio_copy_to(struct virtio *v, const struct virtio_chain *c, uint32_t offset,
	const void *buf, uint32_t bytes)
{
	struct virtio_span span = virtio_writable(c, offset, bytes);
	struct virtio_segment s;
	const uint8_t *p = buf;

	charge_copy(v, bytes);
	for (int err; virtio_span_next(&span, &s); p += s.bytes) {
		if ((err = gm_write(v->dev.vm, s.pa, p, s.bytes))) {
			fault(v, err);
			return false;
		}
	}
	return true;
}
