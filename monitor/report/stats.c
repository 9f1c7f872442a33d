// SPDX-License-Identifier: MIT
/*
 * Statistics: the digest of everything guests could see, and the JSON file, whose schema is
 * described in STATS.md. All but its "host" object is a function of inputs and seed alone: equal
 * runs give equal bytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "monitor/base/json.h"
#include "monitor/base/version.h"
#include "monitor/vm/engine.h"
#include "monitor/report/no-effect.h"
#include "monitor/report/snapshot.h"
#include "monitor/report/stats.h"
#include "monitor/vm/console.h"
#include "numa/util.h"
#include "sharing/content.h"
#include "sharing/gateway.h"
#include "sharing/tree.h"

enum { SCHEMA = 1 };

static const enum frame_kind reported_kinds[] = {FRAME_PRIVATE, FRAME_TEXT, FRAME_CACHE, FRAME_DISK,
	FRAME_CLONED, FRAME_SAME, FRAME_ZERO, FRAME_MONITOR};

/* --- sums --- */

uint64_t run_instructions(const struct run *r)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < r->cluster.n_vms; i++)
		for (unsigned v = 0; v < r->cluster.vm[i]->n_vcpus; v++)
			n += r->cluster.engine->vcpu_instructions(&r->cluster.vm[i]->vcpu[v]);
	return n;
}

/* --- digests --- */

static void fold(XXH64_state_t *state, uint64_t v)
{
	uint8_t bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(v >> 8 * i);
	XXH64_update(state, bytes, sizeof(bytes));
}

/* What this VM's guest could see, and what it said. */
static uint64_t guest_digest(const struct run *r, const struct guest *g)
{
	XXH64_state_t *state = XXH64_createState();
	uint64_t digest;

	XXH64_reset(state, 0);
	fold(state, pmap_digest(g->vm->pmap));
	for (unsigned v = 0; v < g->vm->n_vcpus; v++)
		fold(state, r->cluster.engine->vcpu_digest(&g->vm->vcpu[v]));
	fold(state, stream_digest(g->uart));
	fold(state, stream_digest(g->out));
	fold(state, stream_digest(g->agent));
	fold(state, (uint64_t)g->vm->state);
	fold(state, (uint64_t)(int64_t)g->vm->exit_code);
	fold(state, g->vm->stopped_at);
	digest = XXH64_digest(state);
	XXH64_freeState(state);
	return digest;
}

static json_t *hex(uint64_t v)
{
	return json_sprintf("%016llx", (unsigned long long)v);
}

/* --- JSON --- */

static json_t *kinds_json(const uint64_t pages[FRAME_KINDS])
{
	json_t *o = json_object();
	uint64_t total = 0;

	for (size_t i = 0; i < ARRAY_SIZE(reported_kinds); i++) {
		enum frame_kind k = reported_kinds[i];

		set_count(o, frame_kind_info[k].name, pages[k] * PAGE_SIZE);
		total += pages[k] * PAGE_SIZE;
	}
	set_count(o, "total", total);
	return o;
}

static json_t *machine_json(const struct machine *m)
{
	json_t *o = json_object(), *nodes = json_array(), *rows = json_array();

	json_object_set_new(o, "name", json_string(m->name));
	json_object_set_new(o, "hash", m->file_hash ? hex(m->file_hash) : json_null());
	set_count(o, "cpus", m->n_cpus);
	set_count(o, "clock_hz", m->clock_hz);
	set_count(o, "timebase_hz", m->timebase_hz);
	set_count(o, "quantum_cycles", m->quantum_cycles);
	set_count(o, "timeslice_cycles", m->timeslice_cycles);
	for (unsigned i = 0; i < m->n_nodes; i++) {
		json_t *row = json_array();

		json_array_append_new(
			nodes, json_pack("{s:i, s:I}", "cpus", (int)m->node[i].n_cpus,
				       "memory_bytes", (json_int_t)m->node[i].mem_bytes));
		for (unsigned j = 0; j < m->n_nodes; j++)
			json_array_append_new(row, json_integer(m->latency_ns[i][j]));
		json_array_append_new(rows, row);
	}
	json_object_set_new(o, "nodes", nodes);
	json_object_set_new(o, "latency_ns", rows);
	return o;
}

static json_t *vcpu_json(const struct run *r, const struct vcpu *v)
{
	json_t *o = json_object();
	struct account a;

	set_count(o, "instructions", r->cluster.engine->vcpu_instructions(v));
	set_count(o, "ran_cycles", v->ran_cycles);
	set_count(o, "migrations", v->migrations);
	r->cluster.engine->vcpu_account(v, &a);
	json_object_set_new(o, "time", account_time_json(&a));
	set_count(o, "last_cpu", v->cpu);
	return o;
}

static json_t *vm_nodes_json(const struct run *r, const struct vm *vm)
{
	uint64_t bytes[MACHINE_MAX_NODES] = {0};
	json_t *list = json_array();

	for (uint32_t ppn = 0; ppn < pmap_pages(vm->pmap); ppn++) {
		uint32_t mpn = pmap_entry(vm->pmap, ppn)->mpn;

		if (mpn != MPN_NONE)
			bytes[frame_node(r->cluster.mem, mpn)] += PAGE_SIZE;
	}
	for (unsigned i = 0; i < r->machine->n_nodes; i++)
		json_array_append_new(list, json_integer((json_int_t)bytes[i]));
	return list;
}

static json_t *content_vm_json(const struct content_stats *s)
{
	json_t *o = json_object();

	set_count(o, "looks", s->scans);
	set_count(o, "hinted", s->hinted);
	set_count(o, "reused", s->reused);
	set_count(o, "looks_reused", s->scans_reused);
	set_count(o, "found_zero", s->found_zero);
	set_count(o, "merged", s->merged);
	set_count(o, "merged_hinted", s->merged_hinted);
	set_count(o, "merged_reused", s->merged_reused);
	set_count(o, "false_matches", s->false_matches);
	set_count(o, "hints_lost", s->hints_lost);
	return o;
}

/* Of the whole machine; null if nothing is searched for. */
static json_t *content_json(const struct run *r)
{
	struct content_stats sum = {0};
	struct content_cost cost;
	json_t *o;

	if (!r->cluster.content)
		return json_null();
	for (unsigned i = 0; i < r->cluster.n_vms; i++) {
		const struct content_stats *s = content_vm_stats(r->cluster.content, i);

		sum.scans += s->scans;
		sum.hinted += s->hinted;
		sum.reused += s->reused;
		sum.scans_reused += s->scans_reused;
		sum.found_zero += s->found_zero;
		sum.merged += s->merged;
		sum.merged_hinted += s->merged_hinted;
		sum.merged_reused += s->merged_reused;
		sum.false_matches += s->false_matches;
		sum.hints_lost += s->hints_lost;
	}
	o = content_vm_json(&sum);
	cost = content_cost(r->cluster.content);
	set_count(o, "cycles", cost.cycles);
	set_count(o, "charged_cycles", cost.charged);
	set_count(o, "overhead_bytes", content_overhead_bytes(r->cluster.content));
	return o;
}

/* null: the subnet has no gateway. */
static json_t *gateway_json(const struct run *r)
{
	struct gateway_stats s;
	json_t *o;

	if (!r->cluster.gateway)
		return json_null();
	s = gateway_stats(r->cluster.gateway);
	o = json_object();
	set_count(o, "frames_out", s.frames_out);
	set_count(o, "bytes_out", s.bytes_out);
	set_count(o, "frames_in", s.frames_in);
	set_count(o, "bytes_in", s.bytes_in);
	set_count(o, "refused", s.refused);
	set_count(o, "sockets", s.sockets);
	return o;
}

static json_t *vm_memory_json(const struct run *r, const struct vm *vm)
{
	const struct pmap_stats *p = pmap_stats(vm->pmap);
	json_t *o = json_object(), *copies = json_object();

	json_object_set_new(o, "mapped_bytes", kinds_json(p->mapped));
	json_object_set_new(o, "node_bytes", vm_nodes_json(r, vm));
	set_count(o, "first_touches", p->faults_zero);
	for (size_t i = 0; i < ARRAY_SIZE(reported_kinds); i++)
		set_count(copies, frame_kind_info[reported_kinds[i]].name,
			p->faults_cow[reported_kinds[i]]);
	json_object_set_new(o, "copies_on_write", copies);
	set_count(o, "shared_in", p->shared_in);
	set_count(o, "own_bytes", (uint64_t)pmap_own_pages(vm->pmap) * PAGE_SIZE);
	set_count(o, "zero_reads", p->zero_reads);
	set_count(o, "zero_breaks", p->zero_breaks);
	if (vm->log)
		json_object_set_new(o, "content",
			content_vm_json(content_vm_stats(r->cluster.content, vm->id)));
	set_count(o, "pmap_overhead_bytes", pmap_overhead_bytes(vm->pmap));
	set_count(o, "engine_overhead_bytes", r->cluster.engine->vm_overhead_bytes(vm));
	return o;
}

static json_t *devices_json(const struct vm *vm)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < vm->n_devices; i++) {
		struct device *d = vm->device[i];
		json_t *o =
			json_pack("{s:s, s:I}", "type", d->ops->type, "base", (json_int_t)d->base);

		if (d->ops->stats)
			d->ops->stats(d, o);
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *vm_json(const struct run *r, const struct guest *g, uint64_t digest)
{
	const struct vm *vm = g->vm;
	json_t *o = json_object(), *vcpus = json_array();
	struct account account;

	json_object_set_new(o, "name", json_string(vm->name));
	json_object_set_new(o, "state", json_string(guest_phase_name[g->phase]));
	if (g->phase == GUEST_FAILED)
		json_object_set_new(o, "reason", json_string_nocheck(g->failure));
	json_object_set_new(o, "exit",
		g->exit_seen          ? json_integer(g->exit_status)
		: vm->state == VM_OFF ? json_integer(vm->exit_code)
				      : json_null());
	json_object_set_new(o, "digest", hex(digest));
	json_object_set_new(o, "cloned_from",
		r->template.reached && vm->id ? json_string(r->guest[0].vm->name) : json_null());
	set_count(o, "interrupted", vm->interrupted);
	set_count(o, "started_cycles", vm->started_at);
	json_object_set_new(o, "ready_cycles",
		g->ready_at ? json_integer((json_int_t)g->ready_at) : json_null());
	json_object_set_new(o, "exit_cycles",
		g->exit_seen ? json_integer((json_int_t)g->exit_at) : json_null());
	set_count(o, "stopped_cycles", vm->stopped_at);
	for (unsigned v = 0; v < vm->n_vcpus; v++)
		json_array_append_new(vcpus, vcpu_json(r, &vm->vcpu[v]));
	json_object_set_new(o, "vcpus", vcpus);
	account = account_of_vm(vm);
	json_object_set_new(o, "time", account_time_json(&account));
	json_object_set_new(o, "traps", account_traps_json(&account));
	json_object_set_new(o, "services", services_json(&vm->services));
	json_object_set_new(o, "memory", vm_memory_json(r, vm));
	json_object_set_new(o, "devices", devices_json(vm));
	set_count(o, "console_bytes", stream_output_bytes(g->uart));
	set_count(o, "output_bytes", stream_output_bytes(g->out));
	return o;
}

static json_t *memory_json(const struct run *r)
{
	json_t *o = json_object(), *nodes = json_array();
	struct memory_usage u;

	memory_usage(r->cluster.mem, -1, &u);
	set_count(o, "total_bytes", u.total * PAGE_SIZE);
	set_count(o, "free_bytes", u.free * PAGE_SIZE);
	set_count(o, "peak_bytes", r->snapshots->peak_pages * PAGE_SIZE);
	for (unsigned i = 0; i < r->machine->n_nodes; i++) {
		json_t *node;

		memory_usage(r->cluster.mem, (int)i, &u);
		node = kinds_json(u.kind);
		set_count(node, "free", u.free * PAGE_SIZE);
		json_array_append_new(nodes, node);
	}
	json_object_set_new(o, "nodes", nodes);
	return o;
}

static json_t *snapshot_json(const struct snapshot *s)
{
	json_t *o = json_object();

	json_object_set_new(o, "event", json_string(s->event));
	set_count(o, "cycles", s->cycles);
	json_object_set_new(o, "virtual_bytes", kinds_json(s->virtual));
	json_object_set_new(o, "machine_bytes", kinds_json(s->machine));
	set_count(o, "monitor_bytes", s->monitor_bytes);
	set_count(o, "duplicate_bytes", s->duplicates * PAGE_SIZE);
	set_count(o, "idle_cache_bytes", s->idle_cache * PAGE_SIZE);
	json_object_set_new(o, "sharers", share_matrix_json(s->matrix, s->n_vms));
	return o;
}

static json_t *snapshots_json(const struct run *r)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < r->snapshots->n; i++)
		json_array_append_new(list, snapshot_json(&r->snapshots->list[i]));
	return list;
}

static json_t *warm_json(const struct run *r)
{
	const struct template_clones *w = &r->template;
	json_t *o;

	if (!w->reached)
		return json_null();
	o = snapshot_json(w->snapshot);
	set_count(o, "clones", w->clones);
	set_count(o, "shared_bytes", (uint64_t)w->pages * PAGE_SIZE);
	set_count(o, "own_bytes", (uint64_t)w->own_pages * PAGE_SIZE);
	set_count(o, "monitor_bytes_per_clone", w->clones ? w->monitor_bytes / w->clones : 0);
	return o;
}

static void add_image(json_t *list, const char *role, const char *file, uint64_t bytes,
	const struct image_stats *s)
{
	json_t *o = json_pack("{s:s, s:s}", "role", role, "file", file);

	set_count(o, "bytes", bytes);
	set_count(o, "blocks_read", s->blocks_read);
	set_count(o, "hits", s->hits);
	json_array_append_new(list, o);
}

static json_t *images_json(const struct run *r)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < r->n_boot_images; i++) {
		const struct image_record *b = &r->boot_image[i];

		add_image(list, b->role, b->file, b->bytes, &b->stats);
	}
	for (unsigned i = 0; i < r->n_disk_images; i++) {
		const struct image *img = r->disk_image[i];

		add_image(list, "disk", image_name(img), image_bytes(img), image_stats(img));
	}
	for (unsigned i = 0; i < OPTIONS_MAX_FS && r->tree[i]; i++) {
		const struct image *img = tree_image(r->tree[i]);

		add_image(list, "fs", image_name(img), image_bytes(img), image_stats(img));
	}
	return list;
}

static json_t *monitor_json(const struct run *r)
{
	const struct cluster *c = &r->cluster;
	uint64_t pmaps = 0, engine = 0, tables = 0;
	json_t *o = json_object();
	struct memory_usage u;

	memory_usage(c->mem, -1, &u);
	for (unsigned i = 0; i < c->n_vms; i++) {
		pmaps += pmap_overhead_bytes(c->vm[i]->pmap);
		engine += c->engine->vm_overhead_bytes(c->vm[i]);
		tables += (uint64_t)c->vm[i]->n_tables * PAGE_SIZE;
	}
	set_count(o, "text_bytes", (uint64_t)u.kind[FRAME_MONITOR] * PAGE_SIZE - tables);
	set_count(o, "table_bytes", tables);
	set_count(o, "memmap_bytes", memory_overhead_bytes(c->mem));
	set_count(o, "pmap_bytes", pmaps);
	set_count(o, "engine_bytes", engine);
	set_count(o, "per_vm_bytes", c->n_vms ? (pmaps + engine) / c->n_vms : 0);
	set_count(o, "total_bytes", monitor_bytes(r));
	return o;
}

static json_t *host_json(const struct run *r)
{
	struct rusage u;
	json_t *o = json_object();

	getrusage(RUSAGE_SELF, &u);
	json_object_set_new(o, "options", options_json(r->options, true));
	set_count(o, "threads", r->cluster.threads);
	json_object_set_new(o, "wall_seconds", json_real(r->host_seconds));
	json_object_set_new(o, "cpu_seconds",
		json_real((double)u.ru_utime.tv_sec + (double)u.ru_utime.tv_usec / 1e6));
	if (r->template.reached)
		json_object_set_new(o, "clone_seconds", json_real(r->template.host_seconds));
	set_count(o, "max_rss_bytes", (uint64_t)u.ru_maxrss * 1024);
	json_object_set_new(o, "m_instructions_per_second",
		json_real((double)run_instructions(r) / 1e6 / MAX(r->host_seconds, 1e-3)));
	return o;
}

/* Only there if an option had no effect: a list of lines. */
static void add_no_effect(json_t *o, const struct run *r)
{
	json_t *list = json_array();
	char *text;

	for (unsigned i = 0; (text = no_effect(r, i)); i++) {
		json_array_append_new(list, json_string(text));
		free(text);
	}
	if (json_array_size(list))
		json_object_set(o, "without_effect", list);
	json_decref(list);
}

static json_t *run_json(const struct run *r)
{
	static const char *const ends[] = {[RUN_ENDED] = "ended",
		[RUN_QUIT] = "quit",
		[RUN_TIMED_OUT] = "timeout",
		[RUN_INTERRUPTED] = "interrupted",
		[RUN_STUCK] = "stuck"};
	XXH64_state_t *total = XXH64_createState();
	json_t *o = json_object(), *vms = json_array();

	XXH64_reset(total, 0);
	for (unsigned i = 0; i < r->cluster.n_vms; i++) {
		uint64_t digest = guest_digest(r, &r->guest[i]);

		fold(total, digest);
		json_array_append_new(vms, vm_json(r, &r->guest[i], digest));
	}
	set_count(o, "schema", SCHEMA);
	json_object_set_new(o, "disco", json_string(disco_version));
	json_object_set_new(o, "model", json_string(disco_model));
	json_object_set_new(o, "inputs",
		json_pack("{s:o, s:s?, s:o}", "machine", machine_json(r->machine), "guest",
			*r->guest_hash ? r->guest_hash : NULL, "options",
			options_json(r->options, false)));
	json_object_set_new(o, "digest", hex(XXH64_digest(total)));
	json_object_set_new(o, "end", json_string(ends[r->end]));
	set_count(o, "cycles", r->cluster.now);
	add_no_effect(o, r);
	json_object_set_new(o, "vms", vms);
	json_object_set_new(o, "memory", memory_json(r));
	json_object_set_new(o, "snapshots", snapshots_json(r));
	json_object_set_new(o, "warm", warm_json(r));
	json_object_set_new(o, "images", images_json(r));
	json_object_set_new(o, "content", content_json(r));
	json_object_set_new(o, "gateway", gateway_json(r));
	json_object_set_new(o, "numa", numa_json(r));
	json_object_set_new(o, "monitor", monitor_json(r));
	if (r->cluster.engine->stats) {
		json_t *engine = json_object();

		r->cluster.engine->stats(&r->cluster, engine);
		json_object_set_new(o, r->cluster.engine->name, engine);
	}
	json_object_set_new(o, "host", host_json(r));
	XXH64_freeState(total);
	return o;
}

int stats_open(struct stats_file *f, const char *path)
{
	f->path = path;
	f->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	f->is_new = f->fd >= 0;
	if (f->fd < 0 && errno == EEXIST)
		f->fd = open(path, O_WRONLY | O_CLOEXEC);
	return f->fd < 0 ? complain(errno, "--stats: %s: %s", path, strerror(errno)) : 0;
}

/* Room for all of it is found before a byte of what is there is overwritten. */
static int replace_bytes(int fd, const char *bytes, size_t n)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (fallocate(fd, 0, 0, (off_t)n) && errno == ENOSPC) {
		if (ftruncate(fd, st.st_size))
			return -errno;
		return -ENOSPC;
	}
	for (size_t at = 0; at < n;) {
		ssize_t some = write(fd, bytes + at, n - at);

		if (some < 0 && errno != EINTR)
			return -errno;
		at += some < 0 ? 0 : (size_t)some;
	}
	if (S_ISREG(st.st_mode) && (ftruncate(fd, (off_t)n) || fsync(fd)))
		return -errno;
	return 0;
}

int stats_write(const struct run *r, struct stats_file *f)
{
	json_t *root = run_json(r);
	char *text = json_dumps(root, JSON_INDENT(1)), *whole;
	int err;

	if (!text)
		die("out of host memory");
	whole = xasprintf("%s\n", text);
	err = replace_bytes(f->fd, whole, strlen(whole));
	free(whole);
	free(text);
	json_decref(root);
	f->is_new = f->is_new && err;
	return err ? complain(-err, "--stats: %s: %s", f->path, strerror(-err)) : 0;
}

void stats_close(struct stats_file *f)
{
	if (f->fd < 0)
		return;
	/* A confined monitor cannot remove it. */
	if (f->is_new && unlink(f->path) && ftruncate(f->fd, 0))
		complain(errno, "--stats: %s: %s", f->path, strerror(errno));
	close(f->fd);
	f->fd = -1;
}
