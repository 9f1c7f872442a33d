// SPDX-License-Identifier: MIT
/*
 * Reading machine descriptions. A file is read whole, parsed by libconfig and taken apart by one
 * table of settings; whatever the table does not know, or finds out of range, is reported with file
 * and line, so that a typing error never silently leaves a default in place. Which file a name
 * means is in numa/machine/load.c, printing in numa/machine/print.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <libconfig.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "numa/machine/private.h"
#include "numa/util.h"

enum { FILE_MAX = 1 << 20, PAGE = 4096 };
#define MEMORY_MAX (1ull << 43) /* 8 TiB: frame numbers are 32-bit, with room to spare */

struct source {
	const char *path;
	struct machine *m;
};

#define AT(s, setting) (s)->path, (int)config_setting_source_line(setting)

/* ---- numbers ----------------------------------------------------------------------------- */

struct number {
	const char *name;
	size_t offset;
	unsigned bytes; /* of the field: 4 or 8 */
	bool size;      /* "64K" is welcome */
	uint64_t min, max;
};

#define FIELD(type, field, is_size, lo, hi)                                                        \
	{                                                                                          \
#field, offsetof(type, field), sizeof(((type *)0)->field), is_size, lo, hi         \
	}

static const struct number machine_numbers[] = {
	FIELD(struct machine, clock_hz, false, 1000000, 100000000000),
	FIELD(struct machine, timebase_hz, false, 1000, 1000000000),
	FIELD(struct machine, quantum_cycles, false, 1000, 1000000000),
	FIELD(struct machine, slice_cycles, false, 100, 1000000000),
	FIELD(struct machine, timeslice_cycles, false, 1000, 1000000000000),
	FIELD(struct machine, tlb_entries, false, 1, 1 << 20),
	FIELD(struct machine, tlb_ways, false, 0, 1 << 20),
	FIELD(struct machine, tlb_pages, false, 1, 2),
	FIELD(struct machine, l2tlb_entries, false, 0, 1 << 20),
	FIELD(struct machine, l2_hit_ns, false, 0, 1000000),
	FIELD(struct machine, dirty_extra_ns, false, 0, 1000000),
	FIELD(struct machine, controller_ns, false, 0, 1000000),
	FIELD(struct machine, link_ns, false, 0, 1000000),
	FIELD(struct machine, monitor_text, true, 0, 1 << 30),
};

static const struct number cache_numbers[] = {
	{"size", offsetof(struct machine_cache, size_bytes), 4, true, 1024, 1u << 30},
	{"line", offsetof(struct machine_cache, line_bytes), 4, true, 8, 4096},
	{"ways", offsetof(struct machine_cache, ways), 4, false, 1, 1024},
};

#define COST(field) FIELD(__typeof__(((struct machine *)0)->cost), field, false, 0, 1000000000)
static const struct number cost_numbers[] = {
	COST(trap),
	COST(monitor_call),
	COST(page_fault),
	COST(page_copy),
	COST(page_zero),
	COST(page_share),
	COST(page_scan),
	COST(shootdown),
	COST(shootdown_interrupted),
	COST(vcpu_switch),
	COST(mmio),
	COST(tlb_refill),
	COST(emulate),
	COST(reflect),
	COST(l2tlb_hit),
	COST(tlb_fill),
	COST(uncached),
};

/* A whole number, also as 3e9 or, where sizes are meant, as "64K". */
static int get_number(const struct source *s, config_setting_t *set, const char *name, bool size,
	uint64_t min, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;
	double d;
	int64_t i;
	int err = 0;

	switch (config_setting_type(set)) {
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		i = config_setting_get_int64(set);
		if (i < 0)
			err = ERANGE;
		v = (uint64_t)i;
		break;
	case CONFIG_TYPE_FLOAT:
		d = config_setting_get_float(set);
		if (!(d >= 0 && d < 1e18) || d != floor(d))
			err = ERANGE;
		else
			v = (uint64_t)d;
		break;
	case CONFIG_TYPE_STRING:
		err = size ? -parse_size(config_setting_get_string(set), &v) : EINVAL;
		break;
	default:
		err = EINVAL;
	}
	if (err == EINVAL)
		return complain(EINVAL, "%s:%d: %s must be a %s", AT(s, set), name,
			size ? "size such as \"512M\"" : "whole number");
	if (err || v < min || v > max)
		return complain(EINVAL, "%s:%d: %s must be from %llu to %llu", AT(s, set), name,
			(unsigned long long)min, (unsigned long long)max);
	*out = v;
	return 0;
}

static const struct number *find_number(const struct number *t, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(t[i].name, name))
			return &t[i];
	return NULL;
}

static int put_number(
	const struct source *s, config_setting_t *set, const struct number *f, void *base)
{
	uint64_t v = 0;
	uint32_t v32;
	int err = get_number(s, set, f->name, f->size, f->min, f->max, &v);

	if (err)
		return err;
	v32 = (uint32_t)v;
	memcpy((char *)base + f->offset, f->bytes == 4 ? (void *)&v32 : (void *)&v, f->bytes);
	return 0;
}

static int get_group(const struct source *s, config_setting_t *group, const struct number *t,
	size_t n, void *base)
{
	const char *name = config_setting_name(group);

	if (!config_setting_is_group(group))
		return complain(EINVAL, "%s:%d: %s must be a group { ... }", AT(s, group), name);
	for (int i = 0; i < config_setting_length(group); i++) {
		config_setting_t *set = config_setting_get_elem(group, (unsigned)i);
		const struct number *f = find_number(t, n, config_setting_name(set));
		int err;

		if (!f)
			return complain(EINVAL, "%s:%d: %s has no setting '%s'", AT(s, set), name,
				config_setting_name(set));
		err = put_number(s, set, f, base);
		if (err)
			return err;
	}
	return 0;
}

static bool power_of_two(uint64_t v)
{
	return v && !(v & (v - 1));
}

static int get_cache(const struct source *s, config_setting_t *set, struct machine_cache *c)
{
	int err = get_group(s, set, cache_numbers, ARRAY_SIZE(cache_numbers), c);
	uint64_t set_bytes = (uint64_t)c->line_bytes * c->ways;

	if (err)
		return err;
	if (!power_of_two(c->line_bytes))
		return complain(EINVAL,
			"%s:%d: the line size of %s, %u bytes, is not a power of two", AT(s, set),
			config_setting_name(set), c->line_bytes);
	if (c->size_bytes % set_bytes || !power_of_two(c->size_bytes / set_bytes))
		return complain(EINVAL,
			"%s:%d: %s: %u bytes in %u ways of %u-byte lines do not make a power of "
			"two of "
			"sets",
			AT(s, set), config_setting_name(set), c->size_bytes, c->ways,
			c->line_bytes);
	return 0;
}

/* ---- nodes and latencies ------------------------------------------------------------------ */

static bool is_list(const config_setting_t *set)
{
	return config_setting_is_array(set) || config_setting_is_list(set);
}

/* One number for every node, or a list with one for each. */
static int get_per_node(const struct source *s, config_setting_t *set, const char *what, bool size,
	uint64_t max, uint64_t *value)
{
	unsigned n = s->m->n_nodes;

	if (is_list(set) && (unsigned)config_setting_length(set) != n)
		return complain(EINVAL, "%s:%d: %s lists %d nodes, the machine has %u", AT(s, set),
			what, config_setting_length(set), n);
	for (unsigned node = 0; node < n; node++) {
		config_setting_t *e = is_list(set) ? config_setting_get_elem(set, node) : set;
		int err = get_number(s, e, what, size, 0, max, &value[node]);

		if (err)
			return err;
	}
	return 0;
}

static int get_nodes(const struct source *s, config_t *cfg)
{
	struct machine *m = s->m;
	config_setting_t *nodes = config_lookup(cfg, "nodes"), *cpus = config_lookup(cfg, "cpus"),
			 *memory = config_lookup(cfg, "memory");
	uint64_t v = 1, n_cpus[MACHINE_MAX_NODES] = {0}, mem_bytes[MACHINE_MAX_NODES] = {0},
		 total = 0;
	int err;

	if (nodes) {
		err = get_number(s, nodes, "nodes", false, 1, MACHINE_MAX_NODES, &v);
		if (err)
			return err;
	}
	m->n_nodes = (unsigned)v;
	for (unsigned node = 0; node < m->n_nodes; node++) {
		n_cpus[node] = 1;
		mem_bytes[node] = 512ull << 20;
	}
	err = cpus ? get_per_node(s, cpus, "cpus", false, MACHINE_MAX_CPUS, n_cpus) : 0;
	if (!err && memory)
		err = get_per_node(s, memory, "memory", true, MEMORY_MAX, mem_bytes);
	if (err)
		return err;
	for (unsigned node = 0; node < m->n_nodes; node++) {
		struct machine_node *to = &m->node[node];

		if (mem_bytes[node] % PAGE)
			return complain(EINVAL,
				"%s:%d: the memory of node %u, %llu bytes, is not a multiple of "
				"4096",
				AT(s, memory), node, (unsigned long long)mem_bytes[node]);
		to->first_cpu = m->n_cpus;
		to->n_cpus = (unsigned)n_cpus[node];
		to->mem_bytes = mem_bytes[node];
		total += mem_bytes[node];
		/* Without settings a node has one CPU and 512 MiB: neither too much nor nothing. */
		if (cpus && m->n_cpus + to->n_cpus > MACHINE_MAX_CPUS)
			return complain(
				EINVAL, "%s:%d: more than %d CPUs", AT(s, cpus), MACHINE_MAX_CPUS);
		for (unsigned i = 0; i < to->n_cpus; i++)
			m->cpu_node[m->n_cpus++] = (uint8_t)node;
	}
	if (cpus && !m->n_cpus)
		return complain(EINVAL, "%s:%d: the machine has no CPU", AT(s, cpus));
	if (memory && (total < PAGE || total > MEMORY_MAX))
		return complain(EINVAL, "%s:%d: %llu bytes of memory in all; must be from 4K to 8T",
			AT(s, memory), (unsigned long long)total);
	return 0;
}

/*
 * latency_ns = { local = L; remote = R; hop = H; nodes_per_router = K; }: L at home, R from a node
 * on the same router, and H more for each link crossed in a hypercube of routers. With H = 0 (the
 * default) all other nodes are equally far.
 */
struct rule {
	uint32_t local, remote, hop, nodes_per_router;
};

static void apply_rule(struct machine *m, const struct rule *r)
{
	for (unsigned i = 0; i < m->n_nodes; i++)
		for (unsigned j = 0; j < m->n_nodes; j++) {
			unsigned links = (unsigned)__builtin_popcount(
				(i / r->nodes_per_router) ^ (j / r->nodes_per_router));

			m->latency_ns[i][j] = i == j ? r->local : r->remote + links * r->hop;
		}
}

static int get_latencies(const struct source *s, config_setting_t *set)
{
	static const struct number rule_numbers[] = {
		FIELD(struct rule, local, false, 1, 1000000),
		FIELD(struct rule, remote, false, 1, 1000000),
		FIELD(struct rule, hop, false, 0, 1000000),
		FIELD(struct rule, nodes_per_router, false, 1, MACHINE_MAX_NODES),
	};
	struct rule rule = {.local = 300, .remote = 900, .hop = 0, .nodes_per_router = 1};
	struct machine *m = s->m;
	uint64_t row[MACHINE_MAX_NODES] = {0};
	int err;

	if (!set || config_setting_is_group(set)) {
		err = set ? get_group(s, set, rule_numbers, ARRAY_SIZE(rule_numbers), &rule) : 0;
		if (!err)
			apply_rule(m, &rule);
		return err;
	}
	if (!is_list(set) || (unsigned)config_setting_length(set) != m->n_nodes)
		return complain(EINVAL,
			"%s:%d: latency_ns must be a group { local = ...; remote = ...; } or %u "
			"rows "
			"( [...], ... )",
			AT(s, set), m->n_nodes);
	for (unsigned i = 0; i < m->n_nodes; i++) {
		config_setting_t *r = config_setting_get_elem(set, i);

		if (!is_list(r))
			return complain(EINVAL, "%s:%d: row %u of latency_ns must be a list [...]",
				AT(s, r), i);
		err = get_per_node(s, r, "a row of latency_ns", false, 1000000, row);
		for (unsigned j = 0; !err && j < m->n_nodes; j++) {
			if (!row[j])
				err = complain(EINVAL, "%s:%d: a latency must not be 0", AT(s, r));
			m->latency_ns[i][j] = (uint32_t)row[j];
		}
		if (err)
			return err;
	}
	return 0;
}

/* ---- a whole file ------------------------------------------------------------------------ */

void machine_defaults(struct machine *m)
{
	static const struct rule paper = {.local = 300, .remote = 900, .nodes_per_router = 1};

	m->clock_hz = 400000000;
	m->timebase_hz = 10000000;
	m->quantum_cycles = 50000;
	m->slice_cycles = 2000;
	m->l1i = m->l1d = (struct machine_cache){32 << 10, 64, 2};
	m->l2 = (struct machine_cache){1 << 20, 128, 2};
	m->tlb_entries = 64;
	m->tlb_pages = 2;
	m->l2tlb_entries = 2048;
	m->l2_hit_ns = 50;
	m->dirty_extra_ns = 250;
	m->controller_ns = 100;
	m->link_ns = 40;
	m->monitor_text = 384 << 10;
	apply_rule(m, &paper);
	/* The reasons stand in machines/flash8.conf. */
	m->cost.trap = 100;
	m->cost.monitor_call = 250;
	m->cost.page_fault = 1200;
	m->cost.page_copy = 4800;
	m->cost.page_zero = 2400;
	m->cost.page_share = 200;
	m->cost.page_scan = 3200;
	m->cost.shootdown = 800;
	m->cost.shootdown_interrupted = 500;
	m->cost.vcpu_switch = 1000;
	m->cost.mmio = 300;
	m->cost.tlb_refill = 14;
	m->cost.emulate = 40;
	m->cost.reflect = 60;
	m->cost.l2tlb_hit = 5;
	m->cost.tlb_fill = 300;
	m->cost.uncached = 120;
}

static int get_top(const struct source *s, config_setting_t *set)
{
	struct machine *m = s->m;
	const char *name = config_setting_name(set), *text;
	const struct number *f = find_number(machine_numbers, ARRAY_SIZE(machine_numbers), name);

	if (f)
		return put_number(s, set, f, m);
	if (!strcmp(name, "l1i"))
		return get_cache(s, set, &m->l1i);
	if (!strcmp(name, "l1d"))
		return get_cache(s, set, &m->l1d);
	if (!strcmp(name, "l2"))
		return get_cache(s, set, &m->l2);
	if (!strcmp(name, "cost"))
		return get_group(s, set, cost_numbers, ARRAY_SIZE(cost_numbers), &m->cost);
	if (!strcmp(name, "nodes") || !strcmp(name, "cpus") || !strcmp(name, "memory") ||
		!strcmp(name, "latency_ns"))
		return 0; /* read together, in get_nodes() and get_latencies() */
	if (strcmp(name, "description"))
		return complain(EINVAL, "%s:%d: a machine has no setting '%s'", AT(s, set), name);
	text = config_setting_get_string(set);
	if (!text || strlen(text) >= sizeof(m->description))
		return complain(EINVAL,
			"%s:%d: description must be a string of less than %zu bytes", AT(s, set),
			sizeof(m->description));
	strcpy(m->description, text);
	return 0;
}

/* What the model of caches and TLBs needs beyond each one's own sanity. */
static int check_caches(const struct source *s)
{
	const struct machine *m = s->m;
	uint32_t l1 = MAX(m->l1i.line_bytes, m->l1d.line_bytes);

	if (l1 > m->l2.line_bytes)
		return complain(EINVAL, "%s: a line of l1 (%u bytes) is larger than one of l2 (%u)",
			s->path, l1, m->l2.line_bytes);
	if (m->tlb_ways &&
		(m->tlb_entries % m->tlb_ways || !power_of_two(m->tlb_entries / m->tlb_ways)))
		return complain(EINVAL,
			"%s: %u TLB entries in %u ways do not make a power of two of sets", s->path,
			m->tlb_entries, m->tlb_ways);
	return 0;
}

/* Each node with memory has room for the monitor's code, and for more than that. */
static int check_text(const struct source *s)
{
	const struct machine *m = s->m;

	if (m->monitor_text % PAGE)
		return complain(EINVAL, "%s: monitor_text (%llu) is not a multiple of 4096",
			s->path, (unsigned long long)m->monitor_text);
	for (unsigned i = 0; i < m->n_nodes; i++)
		if (m->node[i].mem_bytes && m->node[i].mem_bytes <= m->monitor_text)
			return complain(EINVAL,
				"%s: the memory of node %u (%llu bytes) is taken by monitor_text "
				"(%llu)",
				s->path, i, (unsigned long long)m->node[i].mem_bytes,
				(unsigned long long)m->monitor_text);
	return 0;
}

static int get_machine(const struct source *s, config_t *cfg)
{
	struct machine *m = s->m;
	config_setting_t *root = config_root_setting(cfg);
	int err;

	machine_defaults(m);
	for (int i = 0; i < config_setting_length(root); i++) {
		err = get_top(s, config_setting_get_elem(root, (unsigned)i));
		if (err)
			return err;
	}
	err = get_nodes(s, cfg);
	if (!err)
		err = check_text(s);
	if (!err)
		err = get_latencies(s, config_lookup(cfg, "latency_ns"));
	if (err)
		return err;
	if (!m->timeslice_cycles)
		m->timeslice_cycles = m->clock_hz / 100;
	if (m->slice_cycles > m->quantum_cycles)
		return complain(EINVAL,
			"%s: slice_cycles (%llu) is more than quantum_cycles (%llu)", s->path,
			(unsigned long long)m->slice_cycles, (unsigned long long)m->quantum_cycles);
	if (m->timebase_hz > m->clock_hz)
		return complain(EINVAL, "%s: timebase_hz (%llu) is more than clock_hz (%llu)",
			s->path, (unsigned long long)m->timebase_hz,
			(unsigned long long)m->clock_hz);
	return check_caches(s);
}

/* The whole file as a string; the parser itself gives up the program on a read error. */
static int read_file(const char *path, char **out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err = 0;
	struct stat st;
	char *text = NULL;
	ssize_t n;
	size_t have = 0;

	if (fd < 0)
		return complain(errno, "%s: %s", path, strerror(errno));
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size > FILE_MAX) {
		err = complain(
			EINVAL, "%s: not a machine file (a regular file of up to 1 MiB)", path);
		goto out;
	}
	text = xcalloc((size_t)st.st_size + 1, 1);
	while (have < (size_t)st.st_size) {
		n = read(fd, text + have, (size_t)st.st_size - have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			err = complain(errno, "%s: %s", path, strerror(errno));
			goto out;
		}
		if (n == 0)
			break;
		have += (size_t)n;
	}
	if (!have)
		err = complain(EINVAL, "%s: the file is empty", path);
	else if (memchr(text, 0, have))
		err = complain(EINVAL, "%s: not a machine file (it holds binary data)", path);
out:
	close(fd);
	if (err)
		free(text);
	else
		*out = text;
	return err;
}

static void set_name(struct machine *m, const char *path)
{
	const char *base = strrchr(path, '/');
	size_t n;

	base = base ? base + 1 : path;
	n = strlen(base);
	if (n > 5 && !strcmp(base + n - 5, ".conf"))
		n -= 5;
	n = MIN(n, sizeof(m->name) - 1);
	memcpy(m->name, base, n);
	m->name[n] = 0;
}

int machine_from_file(const char *path, struct machine **out)
{
	struct machine *m;
	config_t cfg;
	char *text = NULL;
	int err = read_file(path, &text);

	if (!text)
		return err;
	m = xcalloc(1, sizeof(*m));
	set_name(m, path);
	m->file_hash = XXH64(text, strlen(text), 0);
	config_init(&cfg);
	if (!config_read_string(&cfg, text))
		err = complain(EINVAL, "%s:%d: %s", path, config_error_line(&cfg),
			config_error_text(&cfg));
	else
		err = get_machine(&(struct source){.path = path, .m = m}, &cfg);
	config_destroy(&cfg);
	free(text);
	if (err)
		free(m);
	else
		*out = m;
	return err;
}
