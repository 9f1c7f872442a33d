// SPDX-License-Identifier: MIT
/*
 * The NS16550A UART of QEMU's `virt` board (National Semiconductor PC16550D data sheet). The wire
 * is infinitely fast: a byte written is in the stream at once and the transmitter is always empty,
 * so only the receive FIFO has state. Received bytes stay in the stream until the FIFO has room,
 * hence nothing typed is ever lost to an overrun; only a guest that floods its own loopback sees
 * one. The character timeout has passed as soon as there is a byte.
 */
#include <jansson.h>
#include <stdlib.h>

#include "monitor/vm/board.h"
#include "monitor/boot/fdt.h"
#include "numa/util.h"

enum {
	RBR_THR = 0, /* DLL when DLAB */
	IER = 1,     /* DLM when DLAB */
	IIR_FCR = 2,
	LCR = 3,
	MCR = 4,
	LSR = 5,
	MSR = 6,
	SCR = 7,

	IER_RDI = 1,
	IER_THRI = 2,
	IER_RLSI = 4,
	IER_MSI = 8,
	IIR_NONE = 1,
	IIR_MSI = 0,
	IIR_THRI = 2,
	IIR_RDI = 4,
	IIR_RLSI = 6,
	IIR_TIMEOUT = 0xc,
	IIR_FIFO = 0xc0,
	FCR_ENABLE = 1,
	FCR_CLEAR_RX = 2,
	LCR_DLAB = 0x80,
	MCR_LOOP = 0x10,
	LSR_DR = 1,
	LSR_OE = 2,
	LSR_EMPTY = 0x60, /* holding register and transmitter */
	MSR_IDLE = 0xb0,  /* carrier, data set ready, clear to send */

	FIFO_BYTES = 16,
};

struct uart {
	struct device dev;
	struct stream *stream;
	uint8_t ier, fcr, lcr, mcr, scr, dll, dlm;
	uint8_t lsr_errors; /* until LSR is read */
	uint8_t msr_delta;  /* until MSR is read */
	bool thr_pending;   /* transmitter-empty interrupt not yet seen */
	uint8_t fifo[FIFO_BYTES];
	unsigned head, n;
	uint64_t rx_bytes, tx_bytes;
};

static unsigned fifo_room(const struct uart *u)
{
	unsigned size = u->fcr & FCR_ENABLE ? FIFO_BYTES : 1;

	return size - MIN(u->n, size);
}

static void fifo_put(struct uart *u, uint8_t byte)
{
	u->fifo[(u->head + u->n++) % FIFO_BYTES] = byte;
}

/* Modem lines: fixed, or MCR's outputs when looped back (DTR-DSR, RTS-CTS, OUT1-RI, OUT2-DCD). */
static uint8_t modem_lines(const struct uart *u)
{
	if (!(u->mcr & MCR_LOOP))
		return MSR_IDLE;
	return (uint8_t)((u->mcr & 1) << 5 | (u->mcr & 2) << 3 | (u->mcr & 0xc) << 4);
}

/* The interrupt of highest priority, as IIR shows it. */
static uint8_t interrupt(const struct uart *u)
{
	static const uint8_t trigger[] = {1, 4, 8, 14};

	if (u->ier & IER_RLSI && u->lsr_errors)
		return IIR_RLSI;
	if (u->ier & IER_RDI && u->n)
		return !(u->fcr & FCR_ENABLE) || u->n >= trigger[u->fcr >> 6] ? IIR_RDI
									      : IIR_TIMEOUT;
	if (u->ier & IER_THRI && u->thr_pending)
		return IIR_THRI;
	if (u->ier & IER_MSI && u->msr_delta)
		return IIR_MSI;
	return IIR_NONE;
}

static void update(struct uart *u)
{
	uint8_t byte;

	while (!(u->mcr & MCR_LOOP) && fifo_room(u) && stream_take_input(u->stream, &byte, 1)) {
		fifo_put(u, byte);
		u->rx_bytes++;
	}
	device_irq(&u->dev, interrupt(u) != IIR_NONE);
}

static void uart_wake(void *arg)
{
	update(arg);
}

static void transmit(struct uart *u, uint8_t byte)
{
	if (!(u->mcr & MCR_LOOP)) {
		stream_output(u->stream, &byte, 1);
		u->tx_bytes++;
	} else if (fifo_room(u)) {
		fifo_put(u, byte);
	} else {
		u->lsr_errors |= LSR_OE;
	}
	u->thr_pending = true;
}

static void set_mcr(struct uart *u, uint8_t value)
{
	uint8_t before = modem_lines(u), changed;

	u->mcr = value & 0x1f;
	changed = (uint8_t)(before ^ modem_lines(u));
	/* Ring indicator counts only when it ends. */
	if (changed & 0x40 && !(before & 0x40))
		changed &= (uint8_t)~0x40;
	u->msr_delta |= changed >> 4;
}

static uint64_t uart_read(struct device *d, struct vcpu *vcpu, uint64_t offset, unsigned size)
{
	struct uart *u = (struct uart *)d;
	uint8_t value = 0;

	(void)vcpu, (void)size;
	switch (offset) {
	case RBR_THR:
		if (u->lcr & LCR_DLAB)
			return u->dll;
		if (u->n) {
			value = u->fifo[u->head];
			u->head = (u->head + 1) % FIFO_BYTES;
			u->n--;
		}
		break;
	case IER:
		return u->lcr & LCR_DLAB ? u->dlm : u->ier;
	case IIR_FCR:
		value = interrupt(u);
		if (value == IIR_THRI)
			u->thr_pending = false;
		value |= u->fcr & FCR_ENABLE ? IIR_FIFO : 0;
		break;
	case LCR:
		return u->lcr;
	case MCR:
		return u->mcr;
	case LSR:
		value = (uint8_t)(LSR_EMPTY | u->lsr_errors | (u->n ? LSR_DR : 0));
		u->lsr_errors = 0;
		break;
	case MSR:
		value = modem_lines(u) | u->msr_delta;
		u->msr_delta = 0;
		break;
	case SCR:
		return u->scr;
	default:
		return 0;
	}
	update(u);
	return value;
}

static void uart_write(
	struct device *d, struct vcpu *vcpu, uint64_t offset, unsigned size, uint64_t value)
{
	struct uart *u = (struct uart *)d;
	uint8_t byte = (uint8_t)value;

	(void)vcpu, (void)size;
	switch (offset) {
	case RBR_THR:
		if (u->lcr & LCR_DLAB)
			u->dll = byte;
		else
			transmit(u, byte);
		break;
	case IER:
		if (u->lcr & LCR_DLAB) {
			u->dlm = byte;
			break;
		}
		/* Enabling it while the transmitter is empty, which it is, raises it at once. */
		if (byte & ~u->ier & IER_THRI)
			u->thr_pending = true;
		u->ier = byte & 0xf;
		break;
	case IIR_FCR:
		if ((byte ^ u->fcr) & FCR_ENABLE || (byte & FCR_CLEAR_RX))
			u->n = 0;
		u->fcr = byte & FCR_ENABLE ? byte & 0xc9 : 0;
		break;
	case LCR:
		u->lcr = byte;
		break;
	case MCR:
		set_mcr(u, byte);
		break;
	case SCR:
		u->scr = byte;
		break;
	default:
		return;
	}
	update(u);
}

static void uart_fdt(struct device *d, void *fdt)
{
	static const char compatible[] = "ns16550a";

	fdt_device_begin(fdt, d, "serial", compatible, sizeof(compatible));
	fdt_ok(fdt_property_u32(fdt, "clock-frequency", 3686400));
	fdt_device_irq(fdt, d);
	fdt_ok(fdt_end_node(fdt));
}

static void uart_stats(struct device *d, struct json_t *object)
{
	struct uart *u = (struct uart *)d;

	json_object_set_new(object, "rx_bytes", json_integer((json_int_t)u->rx_bytes));
	json_object_set_new(object, "tx_bytes", json_integer((json_int_t)u->tx_bytes));
}

static void uart_destroy(struct device *d)
{
	free(d);
}

/* What waits in the original's stream was typed to the original. */
static int uart_clone(struct device *d, const struct device *from)
{
	struct uart *u = (struct uart *)d;
	struct device dev = u->dev;
	struct stream *stream = u->stream;

	*u = *(const struct uart *)from;
	u->dev = dev;
	u->stream = stream;
	u->rx_bytes = u->tx_bytes = 0;
	return 0;
}

static const struct device_ops uart_ops = {
	.type = "uart",
	.read = uart_read,
	.write = uart_write,
	.fdt = uart_fdt,
	.stats = uart_stats,
	.destroy = uart_destroy,
	.clone = uart_clone,
};

struct device *uart_create(struct vm *vm, struct stream *s)
{
	struct uart *u = xcalloc(1, sizeof(*u));

	u->dev.ops = &uart_ops;
	board_place(vm->board, PART_UART, &u->dev);
	u->stream = s;
	vm->console = s;
	device_attach(vm, &u->dev);
	stream_on_input(s, uart_wake, u);
	return &u->dev;
}
