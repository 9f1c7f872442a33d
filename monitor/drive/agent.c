// SPDX-License-Identifier: MIT
/*
 * Listens to the guests. At each boundary, in order of VM, the output of each console is taken. The
 * UART's goes to the terminal and clients that watch it, and its end is kept for failure reports.
 * hvc0 is the command's output, printed by complete lines. hvc1 is the agent's channel: the guest
 * says `ready` and `exit N`, or `failed WHY`; vm0 of a run with --warm says `warm`, once, when it can be cloned
 * (template.c); and a VM that serves files is told `stop` when no other VM needs them any more. What
 * a guest says is only printed or compared: it can fail no VM but its own.
 */
#include <stdlib.h>
#include <string.h>

#include "monitor/boot/htif.h"
#include "monitor/drive/agent.h"
#include "monitor/drive/inputs.h"
#include "monitor/drive/template.h"
#include "monitor/report/report.h"
#include "monitor/report/snapshot.h"
#include "monitor/vm/console.h"
#include "numa/util.h"

enum { BOOT_SILENCE_S = 60, BOOT_SILENCE_HOST_S = 600 };

static void take_console(struct run *r, struct guest *g)
{
	char bytes[4096];
	size_t n;

	while ((n = stream_drain(g->uart, bytes, sizeof(bytes)))) {
		guest_heard(g, bytes, n);
		if (g->log)
			fwrite(bytes, 1, n, g->log);
		inputs_show(r, g, bytes, n);
	}
}

/* Cut a stream into lines without their CR LF, and hand each on. A line that fills the buffer is
 * handed on as it is. */
static void take_lines(struct run *r, struct guest *g, struct stream *s, struct line *line,
	void (*each)(struct run *r, struct guest *g, const char *text, size_t n))
{
	char bytes[4096];
	size_t n;

	while ((n = stream_drain(s, bytes, sizeof(bytes)))) {
		for (size_t i = 0; i < n; i++) {
			if (bytes[i] != '\n')
				line->text[line->n++] = bytes[i];
			if (bytes[i] != '\n' && line->n < LINE_MAX_BYTES - 1)
				continue;
			while (line->n && line->text[line->n - 1] == '\r')
				line->n--;
			line->text[line->n] = '\0';
			each(r, g, line->text, line->n);
			line->n = 0;
		}
	}
}

static void on_output(struct run *r, struct guest *g, const char *text, size_t n)
{
	if (!r->interactive)
		report_line(r, g, text, n);
}

/* It goes to statistics and terminals: printable ASCII alone. */
static void keep_failure(struct guest *g, const char *text)
{
	size_t n = 0;

	for (; *text && n < sizeof(g->failure) - 1; text++)
		if (*text >= 0x20 && *text < 0x7f)
			g->failure[n++] = *text;
	g->failure[n] = '\0';
}

static void on_agent(struct run *r, struct guest *g, const char *text, size_t n)
{
	char *end;
	long status;

	(void)n;
	if (!strcmp(text, "warm") && r->options->clone && !g->vm->id && !r->template.reached) {
		template_ready(r);
	} else if (!strcmp(text, "ready shell") && !r->interactive && g->phase == GUEST_BOOTING) {
		vm_fail(g->vm, "its initrd was not unpacked whole, so it has no command: more "
			       "--memory, or "
			       "a smaller initrd");
	} else if ((!strcmp(text, "ready") || !strcmp(text, "ready shell")) &&
		   g->phase == GUEST_BOOTING) {
		g->phase = GUEST_READY;
		g->ready_at = r->cluster.now;
		r->n_up++;
	} else if (!strncmp(text, "failed ", 7) && !guest_over(g) && !g->failure[0]) {
		keep_failure(g, text + 7);
	} else if (!strncmp(text, "exit ", 5) && g->phase == GUEST_READY) {
		status = strtol(text + 5, &end, 10);
		if (end == text + 5 || *end || status < 0 || status > 255)
			return;
		g->phase = GUEST_EXITED;
		g->exit_seen = true;
		g->exit_status = (int)status;
		g->exit_at = r->cluster.now;
		r->n_exited++;
	}
}

/*
 * A guest that is to run a command and has put out nothing for BOOT_SILENCE_S of machine time will not
 * come up. Machine time, because a run that waits passes it at once; more of it where vCPUs share CPUs.
 * VMs that wait for memory are not judged. Where machine time is the host's, the host may be busy, or
 * emulated: a boot takes many times as long.
 */
static void judge_boot(struct run *r, struct guest *g)
{
	const struct run_options *o = r->options;
	uint64_t heard = stream_output_bytes(g->uart) + stream_output_bytes(g->agent);
	uint64_t share = (o->vms * o->vcpus + r->machine->n_cpus - 1) / r->machine->n_cpus;
	uint64_t most_s =
		share * (r->cluster.engine->host_time ? BOOT_SILENCE_HOST_S : BOOT_SILENCE_S);

	if (r->interactive || g->phase != GUEST_BOOTING || g->vm->state != VM_RUNNING)
		return;
	if (heard != g->heard || !g->heard_at || o->overcommit) {
		g->heard = heard;
		g->heard_at = r->cluster.now + 1;
	} else if (r->cluster.now + 1 - g->heard_at > most_s * r->machine->clock_hz) {
		vm_fail(g->vm,
			"not up, and silent for %d s of machine time: too little --memory for its "
			"kernel and initrd, or no agent in it",
			(int)most_s);
	}
}

static void flush_output(struct run *r, struct guest *g)
{
	if (g->out_line->n)
		on_output(r, g, g->out_line->text, g->out_line->n);
	g->out_line->n = 0;
}

static void fail(struct guest *g, const char *why)
{
	g->phase = GUEST_FAILED;
	snprintf(g->failure, sizeof(g->failure), "%s", why);
}

/* The VM has stopped: was it as it should be? */
static void judge(struct run *r, struct guest *g)
{
	const struct vm *vm = g->vm;

	if (vm->state == VM_FAILED) {
		fail(g, vm->reason);
	} else if (g->failure[0]) {
		g->phase = GUEST_FAILED; /* it said why */
	} else if (vm->exit_code) {
		g->phase = GUEST_FAILED;
		snprintf(g->failure, sizeof(g->failure), "powered off with exit code %d",
			vm->exit_code);
	} else if (g->exit_seen && g->exit_status) {
		g->phase = GUEST_FAILED;
		snprintf(g->failure, sizeof(g->failure), "the command ended with status %d",
			g->exit_status);
	} else if (vm->reset_wanted) {
		fail(g, "reset itself (a kernel panic, or a reboot)");
	} else if (r->options->clone && !r->template.reached) {
		fail(g, "powered off before it could be cloned");
	} else if (!r->interactive && !g->exit_seen) {
		fail(g, "powered off before the command ended");
	} else {
		g->phase = GUEST_DONE;
	}
}

/* VM 0 works for the others. */
static bool only_serves(const struct run *r, const struct guest *g)
{
	return r->options->nfs && g == &r->guest[0];
}

/* Once the others are off: until then they may have files to close. */
static void let_server_go(struct run *r)
{
	static const char stop[] = "stop\n";

	if (!r->options->nfs || r->server_stopped || r->cluster.n_vms < r->options->vms)
		return;
	for (unsigned i = 1; i < r->cluster.n_vms; i++)
		if (!guest_over(&r->guest[i]))
			return;
	stream_input(r->guest[0].agent, stop, sizeof(stop) - 1);
	r->server_stopped = true;
}

/* Memory after boot, when the last VM is up, and at the end, while it is still in use. */
static void take_snapshots(struct run *r, unsigned booting, unsigned working)
{
	if (r->n_up && !booting && r->snapshots->n == 0)
		snapshot_take(r, "booted");
	if (r->n_exited && !booting && !working && r->snapshots->n == 1)
		snapshot_take(r, "done");
}

void agent_poll(struct run *r)
{
	unsigned booting = 0, working = 0;

	for (unsigned i = 0; i < r->cluster.n_vms; i++) {
		struct guest *g = &r->guest[i];

		take_console(r, g);
		take_lines(r, g, g->out, g->out_line, on_output);
		take_lines(r, g, g->agent, g->agent_line, on_agent);
		template_send(g);
		htif_poll(g->vm, r->boot.bios_elf.tohost, r->boot.bios_elf.fromhost);
		judge_boot(r, g);
		if (g->exit_seen || g->vm->state != VM_RUNNING)
			flush_output(r, g);
		if (g->vm->state != VM_RUNNING && !guest_over(g))
			judge(r, g);
		booting += g->phase == GUEST_BOOTING;
		working += g->phase == GUEST_READY && !only_serves(r, g);
	}
	take_snapshots(r, booting, working);
	let_server_go(r);
}

void agent_finish(struct run *r)
{
	static const char *const why[] = {
		[RUN_ENDED] = "did not end",
		[RUN_TIMED_OUT] = "time ran out",
		[RUN_INTERRUPTED] = "interrupted",
		[RUN_STUCK] = "never wakes: no timer is set and no input can come",
	};

	agent_poll(r);
	for (unsigned i = 0; i < r->cluster.n_vms; i++) {
		struct guest *g = &r->guest[i];

		flush_output(r, g);
		if (guest_over(g))
			continue;
		if (r->end == RUN_QUIT)
			g->phase = GUEST_DONE;
		else
			fail(g, why[r->end]);
	}
	snapshot_take(r, "end");
}
