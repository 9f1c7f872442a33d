// SPDX-License-Identifier: MIT
/*
 * A request is one word: device (bits 63 to 56), command (55 to 48), payload. Device 0 with bit 0
 * set ends the program; without, the payload is the address of a system call's number and
 * arguments, where its result goes. Device 1 is a console: command 0 reads a character, 1 writes
 * one. `tohost` becomes 0 when a request has been taken, `fromhost` holds the answer. The words are
 * read once at each boundary, so a character takes a quantum.
 */
#include <errno.h>

#include "monitor/boot/htif.h"
#include "monitor/vm/console.h"
#include "monitor/vm/guestmem.h"
#include "numa/util.h"

enum { DEVICE_CALLS = 0, DEVICE_CONSOLE = 1, GETC = 0, PUTC = 1 };
enum { CALL_WRITE = 64, CALL_EXIT = 93 };
enum { MOST_BYTES = 64 << 10 }; /* of one write, which says how much it wrote */
#define PAYLOAD ((1ull << 48) - 1)

static void put(struct vm *vm, uint64_t pa, uint64_t value)
{
	if (pa && gm_write64(vm, pa, value))
		vm_fail(vm, "HTIF: the word at %#llx cannot be written", (unsigned long long)pa);
}

/* write(fd, pa, bytes): the number of bytes written, or a negative errno. */
static int64_t do_write(struct vm *vm, uint64_t fd, uint64_t pa, uint64_t bytes)
{
	uint8_t buf[4096];

	if (fd != 1 && fd != 2)
		return -EBADF;
	bytes = MIN(bytes, (uint64_t)MOST_BYTES);
	if (!bytes)
		return 0;
	if (!gm_valid(vm, pa, bytes))
		return -EFAULT;
	for (uint64_t done = 0, n; done < bytes; done += n) {
		n = MIN(bytes - done, (uint64_t)sizeof(buf));
		if (gm_read(vm, pa + done, buf, n))
			return -EFAULT;
		stream_output(vm->console, buf, n);
	}
	return (int64_t)bytes;
}

static void system_call(struct vm *vm, uint64_t pa, uint64_t fromhost)
{
	uint64_t word[4]; /* number, arguments */

	if (pa % 8 || !gm_valid(vm, pa, sizeof(word)) || gm_read(vm, pa, word, sizeof(word))) {
		vm_fail(vm, "HTIF: a system call's arguments at %#llx, outside the VM's memory",
			(unsigned long long)pa);
	} else if (word[0] == CALL_EXIT) {
		vm_power_off(vm, (int)word[1]);
	} else if (word[0] == CALL_WRITE) {
		put(vm, pa, (uint64_t)do_write(vm, word[1], word[2], word[3]));
		put(vm, fromhost, 1);
	} else {
		vm_fail(vm, "HTIF: system call %llu is not served; write (%d) and exit (%d) are",
			(unsigned long long)word[0], CALL_WRITE, CALL_EXIT);
	}
}

/* A character for a program that asked for one, as soon as there is one. */
static void answer_getc(struct vm *vm, uint64_t fromhost)
{
	uint8_t byte;

	if (!vm->htif_reads || !stream_take_input(vm->console, &byte, 1))
		return;
	vm->htif_reads = false;
	put(vm, fromhost, (uint64_t)DEVICE_CONSOLE << 56 | (uint64_t)GETC << 48 | byte);
}

static void serve(struct vm *vm, uint64_t request, uint64_t fromhost)
{
	unsigned device = (unsigned)(request >> 56), command = request >> 48 & 0xff;
	uint64_t payload = request & PAYLOAD;
	uint8_t byte = (uint8_t)payload;

	if (device == DEVICE_CALLS && !command && payload & 1) {
		vm_power_off(vm, (int)(payload >> 1));
	} else if (device == DEVICE_CALLS && !command) {
		system_call(vm, payload, fromhost);
	} else if (device == DEVICE_CONSOLE && command == PUTC) {
		stream_output(vm->console, &byte, 1);
		put(vm, fromhost, request & ~PAYLOAD);
	} else if (device == DEVICE_CONSOLE && command == GETC) {
		vm->htif_reads = true;
	} else {
		vm_fail(vm,
			"HTIF: device %u, command %u is not served; exit, write and the "
			"console (device 1) are",
			device, command);
	}
}

void htif_poll(struct vm *vm, uint64_t tohost, uint64_t fromhost)
{
	uint64_t request;

	if (!tohost || vm->state != VM_RUNNING)
		return;
	answer_getc(vm, fromhost);
	if (gm_peek64(vm, tohost, &request) || !request)
		return;
	/* The code of an end stays in memory; all else is taken. */
	if (request >> 48 || !(request & 1))
		put(vm, tohost, 0);
	serve(vm, request, fromhost);
}
