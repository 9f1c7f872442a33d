// SPDX-License-Identifier: MIT
/*
 * Everything that reaches a run from outside: standard input, clients of `disco console`, signals,
 * and the host's clock for --timeout and for idling in real time. All of it is polled here, at the
 * boundary, a few hundred times a second. Of this only typed bytes reach a guest, and a change of
 * fidelity, which makes the run depend on the moment of the request. The subnet's gateway has
 * sockets of its own (sharing/gateway.h).
 */
#include <errno.h>
#include <limits.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "monitor/base/clock.h"
#include "monitor/drive/inputs.h"
#include "monitor/drive/rundir.h"
#include "monitor/drive/terminal.h"
#include "monitor/vm/console.h"
#include "numa/util.h"
#include "sharing/gateway.h"

enum { MAX_CLIENTS = 16 };
#define HELLO_SECONDS 3.0 /* a client that has not said what it wants by then gives up its place */
#define POLL_SECONDS  0.003 /* between two polls of inputs while guests are busy */
#define NAP_SECONDS   0.1   /* longest wait between two checks for signals */

struct client {
	int fd;
	long vm; /* -1: has not said yet */
	char hello[32];
	size_t n;
	double since; /* host seconds: when it came */
};

struct inputs {
	int stdin_fd; /* -1: closed, or not ours to read */
	bool tty;
	unsigned watched; /* the VM whose console is the terminal */
	struct terminal_filter filter;
	char pending[4096]; /* read from stdin, not yet taken by the guest */
	size_t n_pending;
	int listener, dir; /* dir: the directory that the socket is in */
	int remover;       /* of root's socket; -1: none */
	struct sockaddr_un address;
	struct client client[MAX_CLIENTS];
	unsigned n_clients;
	double polled;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	(void)sig;
	interrupted = 1;
}

static int open_listener(const struct run *r)
{
	struct inputs *in = r->inputs;
	char dir[PATH_MAX], name[256];
	int err = rundir_open(dir, sizeof(dir));

	snprintf(name, sizeof(name), "%s", r->options->name ? r->options->name : "");
	if (!*name)
		snprintf(name, sizeof(name), "%ld", (long)getpid());
	if (!err)
		err = rundir_address(dir, name, &in->address);
	if (err)
		return err;
	in->dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (in->dir < 0)
		return complain(errno, "%s: %s", dir, strerror(errno));
	in->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (in->listener < 0)
		return complain(errno, "socket: %s", strerror(errno));
	if (!connect(in->listener, (struct sockaddr *)&in->address, sizeof(in->address))) {
		close(in->listener);
		in->listener = -1;
		return complain(EEXIST, "a run named '%s' is already there", name);
	}
	unlink(in->address.sun_path); /* of a run that was killed */
	if (bind(in->listener, (struct sockaddr *)&in->address, sizeof(in->address)) ||
		listen(in->listener, MAX_CLIENTS))
		return complain(errno, "%s: %s", in->address.sun_path, strerror(errno));
	if (!geteuid())
		in->remover = rundir_remover(in->dir, strrchr(in->address.sun_path, '/') + 1);
	return 0;
}

int inputs_open(struct run *r)
{
	/* Once: a second Ctrl-C ends a program that does not come to a boundary. */
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
	struct inputs *in = r->inputs = xcalloc(1, sizeof(*in));
	int err;

	in->stdin_fd = in->listener = in->dir = in->remover = -1;
	err = open_listener(r);
	if (err)
		return err;
	r->cluster.interrupt = &interrupted;
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	if (r->interactive) {
		in->stdin_fd = STDIN_FILENO;
		in->tty = isatty(STDIN_FILENO);
		if (in->tty && !r->options->quiet)
			fprintf(stderr, "disco: console of vm0; Ctrl-A x quits, Ctrl-A h helps\n");
		if (in->tty)
			terminal_raw();
	}
	return 0;
}

static void drop_client(struct inputs *in, unsigned i)
{
	close(in->client[i].fd);
	in->client[i] = in->client[--in->n_clients];
}

void inputs_close(struct run *r)
{
	struct inputs *in = r->inputs;

	if (!in)
		return;
	terminal_restore();
	while (in->n_clients)
		drop_client(in, 0);
	if (in->listener >= 0) {
		close(in->listener);
		/* Confined, the monitor may remove files in this directory alone. */
		unlinkat(in->dir, strrchr(in->address.sun_path, '/') + 1, 0);
	}
	if (in->remover >= 0)
		rundir_remove(in->remover);
	if (in->dir >= 0)
		close(in->dir);
	free(in);
	r->cluster.interrupt = NULL;
	r->inputs = NULL;
}

int inputs_dir(const struct run *r)
{
	return r->inputs->dir;
}

/* --- output --- */

void inputs_show(struct run *r, const struct guest *g, const char *bytes, size_t n)
{
	const struct inputs *in = r->inputs;

	if (!in)
		return;
	if (r->interactive && g->vm->id == in->watched)
		terminal_write(bytes, n);
	for (unsigned i = 0; i < in->n_clients; i++)
		if (in->client[i].vm == (long)g->vm->id)
			send(in->client[i].fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* --- input --- */

static void next_console(struct run *r)
{
	struct inputs *in = r->inputs;
	char *tail;
	char note[80];

	in->watched = (in->watched + 1) % r->cluster.n_vms;
	snprintf(note, sizeof(note), "\r\n[console of %s]\r\n", r->cluster.vm[in->watched]->name);
	terminal_write(note, strlen(note));
	tail = guest_console_tail(&r->guest[in->watched], 20);
	terminal_write(tail, strlen(tail));
	free(tail);
}

static void feed(struct run *r)
{
	struct inputs *in = r->inputs;
	size_t n = stream_input(r->guest[in->watched].uart, in->pending, in->n_pending);

	memmove(in->pending, in->pending + n, in->n_pending - n);
	in->n_pending -= n;
}

static void read_stdin(struct run *r)
{
	struct inputs *in = r->inputs;
	char bytes[sizeof(in->pending)];
	ssize_t n = read(in->stdin_fd, bytes, sizeof(bytes));
	size_t at = 0;

	if (n <= 0) {
		if (n == 0 || (errno != EINTR && errno != EAGAIN))
			in->stdin_fd = -1;
		return;
	}
	if (!in->tty) {
		memcpy(in->pending, bytes, (size_t)n);
		in->n_pending = (size_t)n;
	}
	while (in->tty && at < (size_t)n) {
		enum terminal_key key;
		size_t used, kept;

		kept = terminal_filter(&in->filter, bytes + at, (size_t)n - at, &used, &key);
		memcpy(in->pending + in->n_pending, bytes + at, kept);
		in->n_pending += kept;
		at += used;
		if (key == TERMINAL_QUIT) {
			r->end = RUN_QUIT;
			r->cluster.stop = true;
			return;
		}
		if (key == TERMINAL_HELP)
			terminal_write(terminal_help, strlen(terminal_help));
		if (key == TERMINAL_NEXT) {
			feed(r);
			next_console(r);
		}
	}
	feed(r);
}

static void answer(int fd, const char *text)
{
	send(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void accept_client(struct inputs *in)
{
	int fd = accept4(in->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	if (in->n_clients == MAX_CLIENTS) {
		answer(fd, "this run has as many clients as it takes: detach another first\r\n");
		close(fd);
		return;
	}
	in->client[in->n_clients++] = (struct client){.fd = fd, .vm = -1, .since = host_seconds()};
}

/* Clients that say nothing must not hold the places of others, nor keep a run that waits. */
static void drop_idle_clients(struct inputs *in)
{
	for (unsigned i = in->n_clients; i-- > 0;) {
		const struct client *c = &in->client[i];

		if (c->vm >= 0 || in->polled - c->since < HELLO_SECONDS)
			continue;
		answer(c->fd, "the first line, which says what a client wants, did not come\r\n");
		drop_client(in, i);
	}
}

/* The first line is complete. Returns false if the client is done for. */
static bool act_on_hello(struct run *r, struct client *c)
{
	char *end, *tail;

	if (!strcmp(c->hello, "fidelity numa") || !strcmp(c->hello, "fidelity functional")) {
		r->cluster.numa = !strcmp(c->hello, "fidelity numa");
		answer(c->fd, "ok\n");
		return false;
	}
	c->vm = strtol(c->hello, &end, 10);
	if (end == c->hello || *end || c->vm < 0 || c->vm >= (long)r->cluster.n_vms) {
		answer(c->fd, "no such VM\r\n");
		return false;
	}
	tail = guest_console_tail(&r->guest[c->vm], 50);
	answer(c->fd, tail);
	free(tail);
	return true;
}

/* The client's first line says what it wants (rundir.h). Returns false when that is all. */
static bool greet(struct run *r, struct client *c, const char *bytes, size_t n, size_t *used)
{
	*used = 0;
	while (*used < n && c->n < sizeof(c->hello) - 1) {
		char b = bytes[(*used)++];

		if (b == '\n')
			return act_on_hello(r, c);
		c->hello[c->n++] = b;
	}
	return c->n < sizeof(c->hello) - 1;
}

static bool read_client(struct run *r, struct client *c)
{
	char bytes[512];
	ssize_t n = recv(c->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	size_t used = 0;

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	if (c->vm < 0 && !greet(r, c, bytes, (size_t)n, &used))
		return false;
	if (c->vm >= 0)
		stream_input(r->guest[c->vm].uart, bytes + used, (size_t)n - used);
	return true;
}

/* Wait at most `seconds` for input and take it. True if there was some. */
static bool take_input(struct run *r, double seconds)
{
	struct inputs *in = r->inputs;
	struct pollfd fds[2 + MAX_CLIENTS];
	struct timespec wait = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
	unsigned clients;
	bool some = false;

	in->polled = host_seconds();
	drop_idle_clients(in);
	clients = in->n_clients;
	if (in->n_pending)
		feed(r);
	fds[0] = (struct pollfd){in->n_pending ? -1 : in->stdin_fd, POLLIN, 0};
	fds[1] = (struct pollfd){in->listener, POLLIN, 0};
	for (unsigned i = 0; i < clients; i++)
		fds[2 + i] = (struct pollfd){in->client[i].fd, POLLIN, 0};
	if (ppoll(fds, 2 + clients, &wait, NULL) <= 0)
		return false;
	for (unsigned i = clients; i-- > 0;) {
		if (!fds[2 + i].revents)
			continue;
		some = true;
		if (!read_client(r, &in->client[i]))
			drop_client(in, i);
	}
	if (fds[0].revents) {
		some = true;
		read_stdin(r);
	}
	if (fds[1].revents)
		accept_client(in);
	return some;
}

static bool ended(struct run *r)
{
	const struct run_options *o = r->options;

	if (interrupted && r->end == RUN_ENDED)
		r->end = RUN_INTERRUPTED;
	else if (o->timeout > 0 && r->end == RUN_ENDED && host_seconds() - r->started > o->timeout)
		r->end = RUN_TIMED_OUT;
	if (r->end != RUN_ENDED)
		r->cluster.stop = true;
	return r->cluster.stop;
}

void inputs_poll(struct run *r, uint64_t idle_cycles)
{
	struct inputs *in = r->inputs;
	bool until_input = idle_cycles == UINT64_MAX;
	bool listening = (in->stdin_fd >= 0 && !in->n_pending) || in->n_clients;
	bool paced = idle_cycles && ((r->interactive && (in->tty || in->n_clients)) ||
					    gateway_busy(r->cluster.gateway));
	double until;

	if (ended(r))
		return;
	if (until_input && !listening) {
		r->end = RUN_STUCK;
		r->cluster.stop = true;
		return;
	}
	if (!paced && !until_input) {
		if (host_seconds() - in->polled >= POLL_SECONDS)
			take_input(r, 0);
		return;
	}
	/* An idle machine with a user at its console, or peers outside, sleeps as long as a real
	 * one would. */
	until = host_seconds();
	if (!until_input)
		until += (double)idle_cycles / (double)r->machine->clock_hz;
	while (!ended(r)) {
		double left = until_input ? NAP_SECONDS : until - host_seconds();

		if (left <= 0 || take_input(r, MIN(left, NAP_SECONDS)))
			return;
		if (until_input && in->stdin_fd < 0 && !in->n_clients)
			return; /* the last listener went away: seen at the next boundary */
	}
}
