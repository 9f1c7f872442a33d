// SPDX-License-Identifier: MIT
/*
 * The goldfish real-time clock of QEMU's `virt` board (hw/rtc/goldfish_rtc of the Android
 * emulator's documentation). It starts at a fixed date and advances with machine time, so that a
 * run never depends on when it is made. The alarm is checked at each boundary while it is armed,
 * so it is up to a quantum late.
 */
#include <stdlib.h>

#include "monitor/vm/board.h"
#include "monitor/vm/engine.h"
#include "monitor/boot/fdt.h"
#include "numa/util.h"

enum {
	TIME_LOW = 0x00, /* reading it latches the high half */
	TIME_HIGH = 0x04,
	ALARM_LOW = 0x08, /* writing it arms the alarm */
	ALARM_HIGH = 0x0c,
	IRQ_ENABLED = 0x10,
	CLEAR_ALARM = 0x14,
	ALARM_STATUS = 0x18,
	CLEAR_INTERRUPT = 0x1c,
};

/* 2030-01-01 00:00:00 UTC: later than any file a guest's disk may hold, so that neither make nor
 * fsck meets a time stamp from the future. */
#define START_NS (1893456000ull * 1000000000ull)

struct rtc {
	struct device dev;
	uint64_t offset_ns; /* date at machine time 0 */
	uint32_t high;      /* latched or to be set */
	uint64_t alarm_ns;
	uint32_t alarm_high;
	bool armed, pending, enabled;
};

static uint64_t now_ns(const struct rtc *r, uint64_t cycles)
{
	uint64_t hz = r->dev.vm->cluster->machine->clock_hz;

	return r->offset_ns + (uint64_t)((unsigned __int128)cycles * 1000000000u / hz);
}

static uint64_t now_of(const struct rtc *r, const struct vcpu *vcpu)
{
	const struct cluster *c = r->dev.vm->cluster;

	return now_ns(r, vcpu ? c->engine->vcpu_now(vcpu) : c->now);
}

static void update(struct rtc *r, uint64_t ns)
{
	if (r->armed && ns >= r->alarm_ns) {
		r->armed = false;
		r->pending = true;
	}
	if (r->armed)
		device_defer(&r->dev);
	device_irq(&r->dev, r->pending && r->enabled);
}

static uint64_t rtc_read(struct device *d, struct vcpu *vcpu, uint64_t offset, unsigned size)
{
	struct rtc *r = (struct rtc *)d;
	uint64_t ns;

	if (size != 4)
		return 0;
	switch (offset) {
	case TIME_LOW:
		ns = now_of(r, vcpu);
		r->high = (uint32_t)(ns >> 32);
		return (uint32_t)ns;
	case TIME_HIGH:
		return r->high;
	case ALARM_LOW:
		return (uint32_t)r->alarm_ns;
	case ALARM_HIGH:
		return r->alarm_ns >> 32;
	case IRQ_ENABLED:
		return r->enabled;
	case ALARM_STATUS:
		return r->armed;
	}
	return 0;
}

static void rtc_write(
	struct device *d, struct vcpu *vcpu, uint64_t offset, unsigned size, uint64_t value)
{
	struct rtc *r = (struct rtc *)d;

	if (size != 4)
		return;
	switch (offset) {
	case TIME_LOW:
		r->offset_ns += ((uint64_t)r->high << 32 | (uint32_t)value) - now_of(r, vcpu);
		break;
	case TIME_HIGH:
		r->high = (uint32_t)value;
		break;
	case ALARM_LOW:
		r->alarm_ns = (uint64_t)r->alarm_high << 32 | (uint32_t)value;
		r->armed = true;
		break;
	case ALARM_HIGH:
		r->alarm_high = (uint32_t)value;
		break;
	case IRQ_ENABLED:
		r->enabled = value & 1;
		break;
	case CLEAR_ALARM:
		r->armed = false;
		break;
	case CLEAR_INTERRUPT:
		r->pending = false;
		break;
	}
	update(r, now_of(r, vcpu));
}

static void rtc_io(struct device *d)
{
	struct rtc *r = (struct rtc *)d;

	update(r, now_of(r, NULL));
}

static void rtc_fdt(struct device *d, void *fdt)
{
	static const char compatible[] = "google,goldfish-rtc";

	fdt_device_begin(fdt, d, "rtc", compatible, sizeof(compatible));
	fdt_device_irq(fdt, d);
	fdt_ok(fdt_end_node(fdt));
}

static void rtc_destroy(struct device *d)
{
	free(d);
}

static int rtc_clone(struct device *d, const struct device *from)
{
	struct rtc *r = (struct rtc *)d;
	struct device dev = r->dev;

	*r = *(const struct rtc *)from;
	r->dev = dev;
	return 0;
}

static const struct device_ops rtc_ops = {
	.type = "rtc",
	.read = rtc_read,
	.write = rtc_write,
	.io = rtc_io,
	.fdt = rtc_fdt,
	.destroy = rtc_destroy,
	.clone = rtc_clone,
};

struct device *rtc_create(struct vm *vm)
{
	struct rtc *r = xcalloc(1, sizeof(*r));

	r->dev.ops = &rtc_ops;
	board_place(vm->board, PART_RTC, &r->dev);
	r->offset_ns = START_NS;
	device_attach(vm, &r->dev);
	return &r->dev;
}
