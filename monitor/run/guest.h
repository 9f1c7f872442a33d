// SPDX-License-Identifier: MIT
/*
 * What the monitor knows of one VM's guest: its consoles, how far its command is, and what it said
 * last. All of it is for the boundary.
 */
#ifndef MONITOR_RUN_GUEST_H
#define MONITOR_RUN_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct device;
struct stream;
struct vm;

enum guest_phase {
	GUEST_BOOTING,
	GUEST_READY,  /* user space is up; the command runs */
	GUEST_EXITED, /* the command has ended; powering off */
	GUEST_DONE,   /* off, as it should be */
	GUEST_FAILED,
};

enum { LINE_MAX_BYTES = 4096, CONSOLE_TAIL_BYTES = 8192 };

/* Bytes of a line not yet complete. */
struct line {
	size_t n;
	char text[LINE_MAX_BYTES];
};

struct guest {
	struct vm *vm;
	struct stream *uart;  /* the console */
	struct stream *out;   /* hvc0: output of the command */
	struct stream *agent; /* hvc1: `ready`, `exit N`, `failed WHY` */
	struct device *balloon;
	enum guest_phase phase;
	bool exit_seen;
	int exit_status;
	uint64_t ready_at, exit_at; /* cycles; 0: not yet */
	char failure[200];          /* why phase is GUEST_FAILED, or will be once it is off */
	uint64_t heard, heard_at;   /* bytes put out until it was up; 1 + when last, in cycles */
	struct line *out_line, *agent_line;
	char *tail; /* ring: the console's last bytes */
	uint64_t tail_bytes;
	FILE *log;     /* --console-log */
	char *to_send; /* on the agent's channel; NULL: nothing */
	size_t n_to_send, sent;
};

extern const char *const guest_phase_name[GUEST_FAILED + 1];

/* Allocate what a guest needs beside its VM and streams. */
void guest_init(struct guest *g);
/* Free all of it and the streams. Once its VM is gone and its log closed. */
void guest_free(struct guest *g);
/* Has the VM stopped, and has been judged? */
bool guest_over(const struct guest *g);
/* Keep n bytes that the console put out: the last CONSOLE_TAIL_BYTES stay. */
void guest_heard(struct guest *g, const char *bytes, size_t n);
/* Console bytes, oldest first, at most the last `lines` lines. The caller frees them. */
char *guest_console_tail(const struct guest *g, unsigned lines);

#endif
