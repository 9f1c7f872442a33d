// SPDX-License-Identifier: MIT
/*
 * What people see of a run; see report.h.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "monitor/base/clock.h"
#include "monitor/base/guest-text.h"
#include "monitor/vm/board.h"
#include "monitor/vm/engine.h"
#include "monitor/dev/balloon.h"
#include "monitor/report/no-effect.h"
#include "monitor/report/report.h"
#include "monitor/report/series.h"
#include "monitor/report/snapshot.h"
#include "monitor/report/stats.h"
#include "numa/util.h"
#include "sharing/content.h"
#include "sharing/subnet.h"

enum { LETTERS_MAX = 64, FAILURE_LINES = 20, SAY_SECONDS = 10 };

struct report {
	bool colour;    /* stdout is a terminal */
	bool overwrite; /* stderr is a terminal */
	bool shown;     /* a progress line stands on it */
	int name_width;
	double last, last_said;
	uint64_t last_instructions;
	unsigned last_count[GUEST_FAILED + 1];
};

void report_open(struct run *r)
{
	const char *term = getenv("TERM");
	bool dumb = term && !strcmp(term, "dumb");
	char last[32];

	r->report = xcalloc(1, sizeof(*r->report));
	r->series = xcalloc(1, sizeof(*r->series));
	series_init(r->series);
	snapshots_create(r);
	setvbuf(stdout, NULL, _IOLBF, 0);
	snprintf(last, sizeof(last), "vm%u", (unsigned)r->options->vms - 1);
	r->report->name_width = (int)strlen(last);
	r->report->colour = isatty(STDOUT_FILENO) && !dumb;
	r->report->overwrite = isatty(STDERR_FILENO) && !dumb;
	r->report->last = host_seconds();
}

void report_close(struct run *r)
{
	snapshots_destroy(r);
	free(r->series);
	free(r->report);
	r->series = NULL;
	r->report = NULL;
}

static void clear_progress(struct report *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
	p->shown = false;
}

void report_line(struct run *r, const struct guest *g, const char *text, size_t n)
{
	clear_progress(r->report);
	if (r->report->colour)
		printf("\033[3%um%*s|\033[0m ", 1 + g->vm->id % 6, r->report->name_width,
			g->vm->name);
	else
		printf("%*s| ", r->report->name_width, g->vm->name);
	guest_text_write(stdout, isatty(STDOUT_FILENO), text, n);
	putchar('\n');
}

void report_cloned(struct run *r)
{
	const struct template_clones *w = &r->template;

	if (r->options->quiet || r->interactive)
		return;
	clear_progress(r->report);
	fprintf(stderr, "disco: %.3f s: %u clones of vm0, %.1f MB each, made in %.3f s\n",
		(double)r->cluster.now / (double)r->machine->clock_hz, w->clones,
		(double)w->pages * PAGE_SIZE / (1 << 20), w->host_seconds);
}

/* --- progress --- */

static void count_phases(const struct run *r, unsigned count[GUEST_FAILED + 1])
{
	memset(count, 0, (GUEST_FAILED + 1) * sizeof(*count));
	for (unsigned i = 0; i < r->cluster.n_vms; i++)
		count[r->guest[i].phase]++;
}

static double virtual_seconds(const struct run *r, uint64_t cycles)
{
	return (double)cycles / (double)r->machine->clock_hz;
}

static void show_line(struct run *r, const unsigned *count, double rate)
{
	char letters[LETTERS_MAX + 1] = "";

	if (r->cluster.n_vms <= LETTERS_MAX)
		for (unsigned i = 0; i < r->cluster.n_vms; i++)
			letters[i] = "BRsdF"[r->guest[i].phase];
	clear_progress(r->report);
	fprintf(stderr, "[%8.3f s] %s%s%u booting, %u running, %u done, %u failed; %.0f M instr/s",
		virtual_seconds(r, r->cluster.now), letters, *letters ? "  " : "",
		count[GUEST_BOOTING], count[GUEST_READY] + count[GUEST_EXITED], count[GUEST_DONE],
		count[GUEST_FAILED], rate / 1e6);
	fflush(stderr);
	r->report->shown = true;
}

static void say_change(struct run *r, const unsigned *count)
{
	double t = host_seconds();

	if (!memcmp(count, r->report->last_count, sizeof(r->report->last_count)) &&
		t - r->report->last_said < SAY_SECONDS)
		return;
	r->report->last_said = t;
	memcpy(r->report->last_count, count, sizeof(r->report->last_count));
	fprintf(stderr, "disco: %.3f s: %u of %u VMs are up, %u done, %u failed\n",
		virtual_seconds(r, r->cluster.now), r->n_up, (unsigned)r->options->vms,
		count[GUEST_DONE], count[GUEST_FAILED]);
}

void report_progress(struct run *r, bool now)
{
	unsigned count[GUEST_FAILED + 1];
	double t;

	if (r->options->quiet || r->interactive)
		return;
	t = host_seconds();
	if (!now && t - r->report->last < (r->report->overwrite ? 0.2 : 1.0))
		return;
	count_phases(r, count);
	if (r->report->overwrite) {
		uint64_t instructions = run_instructions(r);
		double past = MAX(t - r->report->last, 1e-3);

		show_line(r, count, (double)(instructions - r->report->last_instructions) / past);
		r->report->last_instructions = instructions;
	} else {
		say_change(r, count);
	}
	r->report->last = t;
}

/* --- at the end --- */

static double mib(uint64_t pages)
{
	return (double)pages * PAGE_SIZE / (1 << 20);
}

static uint64_t vm_instructions(const struct run *r, const struct vm *vm)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < vm->n_vcpus; i++)
		n += r->cluster.engine->vcpu_instructions(&vm->vcpu[i]);
	return n;
}

static void print_time(char *text, size_t bytes, const struct run *r, uint64_t from, uint64_t to)
{
	if (to)
		snprintf(text, bytes, "%.3f", virtual_seconds(r, to - from));
	else
		snprintf(text, bytes, "-");
}

static void print_vms(const struct run *r)
{
	printf("\n%-6s %-8s %4s %8s %8s %8s   %8s %8s %8s\n", "VM", "state", "exit", "boot s",
		"run s", "M instr", "MB", "private", "shared");
	for (unsigned i = 0; i < r->cluster.n_vms; i++) {
		const struct guest *g = &r->guest[i];
		const uint64_t *mapped = pmap_stats(g->vm->pmap)->mapped;
		uint64_t common = 0, all = 0;
		char boot[16], ran[16], status[16] = "-";

		for (int k = 0; k < FRAME_KINDS; k++) {
			all += mapped[k];
			common += frame_kind_info[k].constant ? mapped[k] : 0;
		}
		print_time(boot, sizeof(boot), r, g->vm->started_at, g->ready_at);
		print_time(ran, sizeof(ran), r, g->ready_at, g->exit_at);
		if (g->exit_seen)
			snprintf(status, sizeof(status), "%d", g->exit_status);
		else if (g->vm->state == VM_OFF && !g->vm->reset_wanted)
			snprintf(status, sizeof(status), "%d", g->vm->exit_code);
		printf("%-6s %-8s %4s %8s %8s %8.1f   %8.1f %8.1f %8.1f\n", g->vm->name,
			guest_phase_name[g->phase], status, boot, ran,
			(double)vm_instructions(r, g->vm) / 1e6, mib(all), mib(all - common),
			mib(common));
	}
}

static void print_row(const char *name, double v, double m)
{
	double saved = v - m;

	if (saved > -0.05 && saved < 0.05)
		saved = 0; /* not "-0.0" */
	printf("%-32s %9.1f %9.1f %9.1f\n", name, v, m, saved);
}

static void print_memory(const struct run *r)
{
	static const struct {
		enum frame_kind kind;
		const char *name;
	} rows[] = {
		{FRAME_TEXT, "kernel and boot files"},
		{FRAME_CACHE, "buffer cache"},
		{FRAME_PRIVATE, "private"},
		{FRAME_DISK, "modified disk blocks"},
		{FRAME_SAME, "identical pages"},
		{FRAME_ZERO, "pages of zeroes"},
		{FRAME_CLONED, "cloned"},
		{FRAME_MONITOR, "monitor's code on each node"},
	};
	const struct snapshot *s = snapshot_shown(r);
	double monitor = (double)s->monitor_bytes / (1 << 20);
	double v = monitor, m = monitor;

	printf("\n%-32s %9s %9s %9s\n", "memory, MB", "virtual", "machine", "saved");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		double virtual = mib(s->virtual[rows[i].kind]);
		double machine = mib(s->machine[rows[i].kind] -
				     (rows[i].kind == FRAME_CACHE ? s->idle_cache : 0));

		if (rows[i].kind != FRAME_CLONED || virtual > 0)
			print_row(rows[i].name, virtual, machine);
		v += virtual;
		m += machine;
	}
	if (s->idle_cache) {
		print_row("blocks read that no VM uses now", 0, mib(s->idle_cache));
		m += mib(s->idle_cache);
	}
	print_row("monitor's tables", monitor, monitor);
	print_row("total", v, m);
	if (v - m > 0.005 * v)
		printf("Sharing saves %.0f%% (%s, %.3f s).\n", 100 * (v - m) / v, s->event,
			virtual_seconds(r, s->cycles));
}

/* What crossed the subnet, and how; nothing when nothing did. */
static void print_net(const struct run *r)
{
	struct subnet_stats s;
	double copied;

	if (!r->cluster.subnet)
		return;
	subnet_total(r->cluster.subnet, &s);
	if (s.bytes_received < 1 << 20)
		return;
	copied = (double)s.bytes_received - (double)s.pages_mapped * PAGE_SIZE;
	printf("Subnet: %.1f MB in %llu packets, %.0f%% by mapping %llu pages, %.1f MB copied; "
	       "%llu dropped.\n",
		(double)s.bytes_received / (1 << 20), (unsigned long long)s.frames_received,
		100 - 100 * copied / (double)s.bytes_received, (unsigned long long)s.pages_mapped,
		copied / (1 << 20), (unsigned long long)s.dropped);
}

static void print_content(const struct run *r)
{
	const struct snapshot *s = snapshot_shown(r);
	struct content_cost cost;
	uint64_t scans = 0;
	double found = (double)(s->virtual[FRAME_SAME] + s->virtual[FRAME_ZERO]) -
		       (double)(s->machine[FRAME_SAME] + s->machine[FRAME_ZERO]);

	if (!r->cluster.content || found + (double)s->duplicates <= 0)
		return;
	cost = content_cost(r->cluster.content);
	for (unsigned i = 0; i < r->cluster.n_vms; i++)
		scans += content_vm_stats(r->cluster.content, i)->scans;
	printf("%.0f%% of all zero and identical pages found; %llu scans took %.2f%% of the CPUs' "
	       "time, %.2f%% from VMs.\n",
		100 * MAX(found, 0) / (MAX(found, 0) + (double)s->duplicates),
		(unsigned long long)scans,
		100 * (double)cost.cycles / ((double)r->cluster.now * r->machine->n_cpus),
		100 * (double)cost.charged / ((double)r->cluster.now * r->machine->n_cpus));
}

/* The memory that each VM gave back. */
static void print_given_back(const struct run *r)
{
	struct balloon_state all = {0};

	for (unsigned i = 0; i < r->cluster.n_vms && r->guest[i].balloon; i++) {
		struct balloon_state b = balloon_state(r->guest[i].balloon);

		all.reported += b.reported;
		all.taken += b.taken;
	}
	if (!all.taken && !all.reported)
		return;
	if (!all.taken) {
		printf("Guests gave back %.1f MB that they had freed.\n", mib(all.reported));
		return;
	}
	printf("\n%-32s %9s %9s %9s\n", "given back, MB", "freed", "balloon", "held now");
	for (unsigned i = 0; i < r->cluster.n_vms; i++) {
		struct balloon_state b = balloon_state(r->guest[i].balloon);

		printf("%-32s %9.1f %9.1f %9.1f\n", r->guest[i].vm->name, mib(b.reported),
			mib(b.taken), mib(b.held));
	}
}

/* What of the host's memory is in none of the above. */
static void print_scratch(const struct run *r)
{
	uint64_t pages = 0;

	for (unsigned i = 0; i < r->cluster.n_vms; i++)
		for (unsigned k = 0; k < r->guest[i].vm->n_devices; k++)
			pages += virtio_blk_held(r->guest[i].vm->device[k]);
	if (pages)
		printf("Scratch disks hold %.1f MB of this computer's memory beside it.\n",
			mib(pages));
}

static void print_failures(const struct run *r)
{
	for (unsigned i = 0; i < r->cluster.n_vms; i++) {
		const struct guest *g = &r->guest[i];
		char *tail;

		if (g->phase != GUEST_FAILED)
			continue;
		fprintf(stderr, "disco: %s: %s\n", g->vm->name, g->failure);
		if (r->interactive || r->end == RUN_INTERRUPTED || g->exit_seen)
			continue; /* it was on the screen, or the console has nothing to say */
		tail = guest_console_tail(g, FAILURE_LINES);
		if (*tail) {
			fprintf(stderr, "--- end of the console of %s ---\n", g->vm->name);
			guest_text_write(stderr, isatty(STDERR_FILENO), tail, strlen(tail));
			if (tail[strlen(tail) - 1] != '\n')
				putc('\n', stderr);
		}
		free(tail);
	}
}

static void print_no_effect(const struct run *r)
{
	char *text;

	for (unsigned i = 0; (text = no_effect(r, i)); i++) {
		complain(0, "%s", text);
		free(text);
	}
}

void report_end(struct run *r)
{
	double instructions = (double)run_instructions(r);

	clear_progress(r->report);
	if (!r->options->quiet && !r->interactive) {
		if (!r->report->overwrite) {
			unsigned count[GUEST_FAILED + 1];

			count_phases(r, count);
			say_change(r, count);
		}
		print_vms(r);
		print_memory(r);
		print_scratch(r);
		print_given_back(r);
		print_content(r);
		print_net(r);
		report_numa(r);
		report_time(r);
		printf("%s: %.3f s of machine time in %.1f s on %u host thread%s, %.0f M "
		       "instr/s.\n",
			r->machine->name, virtual_seconds(r, r->cluster.now), r->host_seconds,
			r->cluster.threads, r->cluster.threads > 1 ? "s" : "",
			instructions / 1e6 / MAX(r->host_seconds, 1e-3));
		fflush(stdout);
	}
	print_failures(r);
	print_no_effect(r);
}
