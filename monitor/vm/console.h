// SPDX-License-Identifier: MIT
/*
 * Byte streams between a guest's console devices (UART, virtio-console) and their listener: the
 * command that runs the cluster, a terminal, `disco console`. Output is buffered in the VM during
 * the run phase and drained at the boundary; input is put in at the boundary. A stream never blocks
 * a guest: what no listener takes is still counted in the digest and then dropped.
 */
#ifndef MONITOR_VM_CONSOLE_H
#define MONITOR_VM_CONSOLE_H

#include <stddef.h>
#include <stdint.h>

struct stream; /* one direction-pair: guest output, guest input */

/* on_input: called (boundary) after bytes were put in, so that the device can raise its interrupt.
 */
struct stream *stream_create(void);
void stream_destroy(struct stream *s);
void stream_on_input(struct stream *s, void (*wake)(void *arg), void *arg);

/* Device side. Owner thread. */
void stream_output(struct stream *s, const void *bytes, size_t n);
size_t stream_input_pending(const struct stream *s);
size_t stream_take_input(struct stream *s, void *bytes, size_t n);

/* Listener side. Boundary. Returns bytes moved. stream_input() takes what fits (64 KiB are
 * buffered). */
size_t stream_drain(struct stream *s, void *bytes, size_t n);
size_t stream_input(struct stream *s, const void *bytes, size_t n);

uint64_t stream_output_bytes(const struct stream *s);
/* XXH64 of all output so far, however it was drained. Any time at the boundary. */
uint64_t stream_digest(const struct stream *s);

#endif
