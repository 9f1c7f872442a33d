// SPDX-License-Identifier: MIT
/*
 * Machine descriptions: every preset loads and is sane, two lines make a machine, the host's
 * topology is read, and each of a list of bad files gives one line that names it, and no crash.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "numa/machine/data.h"
#include "tests/small-machine.h"

static char dir[] = "/tmp/disco-test-machine-XXXXXX";
static char *path;

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	path = xasprintf("%s/m.conf", dir);
}

static void teardown(void)
{
	unlink(path);
	rmdir(dir);
	free(path);
}

static void put(const void *text, size_t bytes)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(text, 1, bytes, f), bytes);
	ck_assert_int_eq(fclose(f), 0);
}

/* machine_load() with what it says on stderr. */
static int load_said(const char *name, struct machine **m, char *said, size_t n)
{
	char *log = xasprintf("%s/log", dir);
	int old = dup(2), err;
	FILE *f;
	size_t have;

	fflush(stderr);
	ck_assert_ptr_nonnull(freopen(log, "w", stderr));
	err = machine_load(name, m);
	fflush(stderr);
	dup2(old, 2);
	close(old);
	f = fopen(log, "r");
	have = fread(said, 1, n - 1, f);
	said[have] = 0;
	fclose(f);
	unlink(log);
	free(log);
	return err;
}

static struct machine *load(const char *name)
{
	struct machine *m = NULL;

	ck_assert_int_eq(machine_load(name, &m), 0);
	return m;
}

static struct machine *load_text(const char *text)
{
	put(text, strlen(text));
	return load(path);
}

static void check_sane(const struct machine *m)
{
	unsigned cpus = 0;

	ck_assert(m->n_nodes >= 1 && m->n_nodes <= MACHINE_MAX_NODES);
	ck_assert(m->n_cpus >= 1 && m->n_cpus <= MACHINE_MAX_CPUS);
	for (unsigned i = 0; i < m->n_nodes; i++) {
		ck_assert_uint_eq(m->node[i].first_cpu, cpus);
		ck_assert_uint_eq(m->node[i].mem_bytes % 4096, 0);
		for (unsigned c = 0; c < m->node[i].n_cpus; c++)
			ck_assert_uint_eq(m->cpu_node[cpus++], i);
		for (unsigned j = 0; j < m->n_nodes; j++) {
			ck_assert_uint_ge(m->latency_ns[i][j], m->latency_ns[i][i]);
			ck_assert_uint_eq(m->latency_ns[i][j], m->latency_ns[j][i]);
			ck_assert(i == j || m->latency_ns[i][j] > m->latency_ns[i][i]);
		}
	}
	ck_assert_uint_eq(cpus, m->n_cpus);
	ck_assert_uint_ge(m->clock_hz, m->timebase_hz);
	ck_assert_uint_ge(m->quantum_cycles, m->slice_cycles);
	ck_assert_uint_gt(m->timeslice_cycles, m->quantum_cycles);
	ck_assert(m->l1d.size_bytes && m->l1i.size_bytes && m->l2.size_bytes && m->tlb_entries);
	ck_assert(m->cost.trap && m->cost.page_fault && m->cost.page_copy && m->cost.page_zero &&
		  m->cost.page_share);
}

/* libconfig 1.5 forgets its scanner's buffer when a file ends within a string. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:strbuf_append";
}

START_TEST(every_preset_loads_and_is_listed)
{
	char listed[8192] = "", *at;
	FILE *out = fmemopen(listed, sizeof(listed), "w");
	struct dirent *e;
	char *presets = data_path("numa/machine/machines");
	DIR *d = opendir(presets);
	unsigned n = 0;

	machine_list(out);
	fclose(out);
	while ((e = readdir(d))) {
		char name[300];
		struct machine *m;

		if (sscanf(e->d_name, "%290[^.].conf", name) != 1)
			continue;
		m = load(name);
		ck_assert_str_eq(m->name, name);
		check_sane(m);
		at = strstr(listed, name);
		ck_assert_ptr_nonnull(at);
		ck_assert_ptr_nonnull(strstr(at, m->description));
		machine_free(m);
		n++;
	}
	closedir(d);
	free(presets);
	ck_assert_uint_ge(n, 11);
}
END_TEST

/* A uniform variant is its machine but for distances: as many CPUs, as much memory, the same
 * caches. */
START_TEST(uniform_variants_differ_in_distance_alone)
{
	static const char *const pair[][2] = {{"flash8", "uma8"}, {"flash16", "uma16"},
		{"origin2000-32", "origin2000-32-uma"}, {"server2", "server2-uma"},
		{"server4", "server4-uma"}};

	for (unsigned i = 0; i < ARRAY_SIZE(pair); i++) {
		struct machine *numa = load(pair[i][0]), *uma = load(pair[i][1]);
		uint64_t bytes = 0;

		for (unsigned node = 0; node < numa->n_nodes; node++)
			bytes += numa->node[node].mem_bytes;
		ck_assert_uint_eq(uma->n_nodes, 1);
		ck_assert_uint_eq(uma->n_cpus, numa->n_cpus);
		ck_assert_uint_eq(uma->node[0].mem_bytes, bytes);
		ck_assert_uint_eq(uma->latency_ns[0][0], numa->latency_ns[0][0]);
		ck_assert_uint_eq(uma->clock_hz, numa->clock_hz);
		ck_assert_uint_eq(uma->timeslice_cycles, numa->timeslice_cycles);
		ck_assert_mem_eq(&uma->l1i, &numa->l1i, sizeof(uma->l1i));
		ck_assert_mem_eq(&uma->l1d, &numa->l1d, sizeof(uma->l1d));
		ck_assert_mem_eq(&uma->l2, &numa->l2, sizeof(uma->l2));
		ck_assert_uint_eq(uma->tlb_entries, numa->tlb_entries);
		ck_assert_uint_eq(uma->tlb_ways, numa->tlb_ways);
		ck_assert_uint_eq(uma->tlb_pages, numa->tlb_pages);
		ck_assert_uint_eq(uma->l2_hit_ns, numa->l2_hit_ns);
		ck_assert_uint_eq(uma->dirty_extra_ns, numa->dirty_extra_ns);
		ck_assert_mem_eq(&uma->cost, &numa->cost, sizeof(uma->cost));
		machine_free(numa);
		machine_free(uma);
	}
}
END_TEST

START_TEST(flash8_is_the_machine_of_the_paper)
{
	struct machine *m = load("flash8");
	uint64_t total = 0;

	ck_assert_uint_eq(m->n_nodes, 8);
	ck_assert_uint_eq(m->n_cpus, 8);
	ck_assert_uint_eq(m->latency_ns[3][3], 300);
	ck_assert_uint_eq(m->latency_ns[3][4], 900);
	ck_assert_uint_eq(m->l1d.size_bytes, 32 << 10);
	ck_assert_uint_eq(m->l2.size_bytes, 1 << 20);
	for (unsigned i = 0; i < 8; i++)
		total += m->node[i].mem_bytes;
	ck_assert_uint_ge(total, 16ull * (128 << 20) + (256 << 20));
	machine_free(m);
}
END_TEST

START_TEST(two_lines_are_a_machine_and_the_rest_is_flash8)
{
	struct machine *m = load_text("nodes = 8;\nmemory = \"512M\";\n"), *paper = load("flash8");

	ck_assert_str_eq(m->name, "m");
	strcpy(m->name, paper->name);
	strcpy(m->description, paper->description);
	ck_assert_uint_ne(m->file_hash, paper->file_hash);
	m->file_hash = paper->file_hash;
	ck_assert_mem_eq(m, paper, sizeof(*m));
	machine_free(m);
	machine_free(paper);
	m = load_text("# all as it is\n");
	check_sane(m);
	machine_free(m);
}
END_TEST

START_TEST(uneven_nodes_and_matrices_load)
{
	struct machine *m = load_text("nodes = 3; cpus = [2, 0, 1];\n"
				      "memory = (\"1M\", 8192, \"1G\"); monitor_text = 4096;\n"
				      "clock_hz = 3e9;\n"
				      "latency_ns = ([1, 2, 3], [4, 5, 6], (7, 8, 9));\n"
				      "cost = { trap = 0; };\n");

	ck_assert_uint_eq(m->n_cpus, 3);
	ck_assert_uint_eq(m->node[1].n_cpus, 0);
	ck_assert_uint_eq(m->node[2].first_cpu, 2);
	ck_assert_uint_eq(m->cpu_node[2], 2);
	ck_assert_uint_eq(m->node[1].mem_bytes, 8192);
	ck_assert_uint_eq(m->monitor_text, 4096);
	ck_assert_uint_eq(m->node[2].mem_bytes, 1 << 30);
	ck_assert_uint_eq(m->clock_hz, 3000000000);
	ck_assert_uint_eq(m->timeslice_cycles, 30000000);
	ck_assert_uint_eq(m->latency_ns[1][0], 4);
	ck_assert_uint_eq(m->latency_ns[2][1], 8);
	ck_assert_uint_eq(m->cost.trap, 0);
	ck_assert_uint_eq(m->cost.mmio, 300);
	machine_free(m);
}
END_TEST

START_TEST(hops_follow_the_hypercube)
{
	struct machine *m = load("origin2000-32");

	ck_assert_uint_eq(m->latency_ns[0][1], 540);  /* same router */
	ck_assert_uint_eq(m->latency_ns[0][2], 640);  /* routers 0 and 1 */
	ck_assert_uint_eq(m->latency_ns[1][15], 840); /* routers 0 and 7: three links */
	machine_free(m);
}
END_TEST

/* What is wrong, on which line it must be reported (0: any), and a word the message must have. */
static const struct {
	const char *text;
	unsigned line;
	const char *word;
} bad[] = {
	{"nodes = ;", 1, "syntax"},
	{"nodes = 8", 0, NULL}, /* good: the last semicolon is optional */
	{"nodes = 0;", 1, "nodes"},
	{"nodes = 65;", 1, "nodes"},
	{"nodes = -1;", 1, "nodes"},
	{"nodes = 1.5;", 1, "nodes"},
	{"nodes = \"8\";", 1, "whole number"},
	{"nodes = [8];", 1, "whole number"},
	{"nodes = 99999999999999999999L;", 1, "nodes"},
	{"nodes = 1e300;", 1, "nodes"},
	{"\nnode = 8;", 2, "'node'"},
	{"cpus = 0;", 1, "no CPU"},
	{"cpus = 129;", 1, "cpus"},
	{"nodes = 64;\ncpus = 3;", 2, "128 CPUs"},
	{"nodes = 2;\ncpus = [1];", 2, "lists 1 nodes"},
	{"nodes = 2;\ncpus = [1, 1, 1];", 2, "lists 3 nodes"},
	{"memory = 4097;", 1, "4096"},
	{"monitor_text = 4097;", 0, "4096"},
	{"memory = \"384K\";", 0, "monitor_text"},
	{"memory = \"1Q\";", 1, "size"},
	{"memory = \"\";", 1, "size"},
	{"memory = \"-1M\";", 1, "size"},
	{"memory = \"16T\";", 1, "memory"},
	{"memory = \"99999999999999999999\";", 1, "memory"},
	{"nodes = 64; memory = \"1T\";", 1, "memory"},
	{"memory = 0;", 1, "memory"},
	{"memory = {};", 1, "size"},
	{"latency_ns = 5;", 1, "latency_ns"},
	{"nodes = 2; latency_ns = ([1, 2]);", 1, "2 rows"},
	{"nodes = 2;\nlatency_ns = ([1, 2],\n[3]);", 3, "lists 1 nodes"},
	{"nodes = 2; latency_ns = ([1, 2], 5);", 1, "row 1"},
	{"nodes = 2; latency_ns = ([1, 2], [3, 0]);", 1, "0"},
	{"nodes = 2; latency_ns = ([1, 2], [3, -4]);", 1, "latency_ns"},
	{"nodes = 2; latency_ns = ([1, 2], [3, 2000000]);", 1, "latency_ns"},
	{"nodes = 2; latency_ns = ([1, 2], (\"3\", 4));", 1, "latency_ns"},
	{"latency_ns = { far = 1; };", 1, "'far'"},
	{"latency_ns = { nodes_per_router = 0; };", 1, "nodes_per_router"},
	{"clock_hz = 0;", 1, "clock_hz"},
	{"clock_hz = \"fast\";", 1, "clock_hz"},
	{"clock_hz = 1000000; timebase_hz = 2000000;", 0, "timebase_hz"},
	{"quantum_cycles = 10;", 1, "quantum_cycles"},
	{"quantum_cycles = 1000; slice_cycles = 2000;", 0, "slice_cycles"},
	{"l2 = 5;", 1, "group"},
	{"l2 = { size = 1000; };", 1, "size"},
	{"l2 = { size = \"1M\"; line = 100; };", 1, "line"},
	{"l2 = { size = \"3M\"; line = 64; ways = 4; };", 1, "sets"},
	{"l2 = { size = \"1K\"; line = 4096; ways = 4; };", 1, "sets"},
	{"l2 = { ways = 0; };", 1, "ways"},
	{"l2 = {\n size = \"1M\";\n latency = 3; };", 3, "'latency'"},
	{"tlb_entries = 0;", 1, "tlb_entries"},
	{"tlb_entries = 24; tlb_ways = 4;", 0, "TLB"},
	{"tlb_pages = 4;", 1, "tlb_pages"},
	{"l1d = { line = 256; };", 0, "larger than one of l2"},
	{"l2_hit_ns = -1;", 1, "l2_hit_ns"},
	{"cost = { trap = -1; };", 1, "trap"},
	{"cost = { syscall = 1; };", 1, "'syscall'"},
	{"cost = { mmio = 12345678901L; };", 1, "mmio"},
	{"cost = [1, 2];", 1, "group"},
	{"description = 5;", 1, "description"},
	{"description = \"0123456789012345678901234567890123456789012345678901234567890123456789"
	 "0123456789012345678901234567890123456789012345678901234567890123456789\";",
		1, "description"},
	{"nodes = 1;\nnodes = 2;", 2, "duplicate"},
	{"@include \"/nonexistent\"\n", 1, "include"},
	{"((((((((((((((((((((((((((((((((((((((((((", 1, "syntax"},
	{"\x7f"
	 "ELF\x02\x01\x01",
		1, "syntax"},
};

START_TEST(a_bad_file_is_one_clear_line)
{
	char said[4096], where[256];
	struct machine *m = NULL;
	int err;

	put(bad[_i].text, strlen(bad[_i].text));
	err = load_said(path, &m, said, sizeof(said));
	if (!bad[_i].word) {
		ck_assert_int_eq(err, 0);
		ck_assert_str_eq(said, "");
		machine_free(m);
		return;
	}
	ck_assert_msg(err < 0, "accepted: %s", bad[_i].text);
	ck_assert_ptr_null(m);
	ck_assert_msg(strchr(said, '\n') == said + strlen(said) - 1, "not one line: %s", said);
	snprintf(where, sizeof(where), "disco: %s:", path);
	if (bad[_i].line)
		snprintf(where, sizeof(where), "disco: %s:%u: ", path, bad[_i].line);
	ck_assert_msg(!strncmp(said, where, strlen(where)), "'%s' said: %s", bad[_i].text, said);
	ck_assert_msg(
		strstr(said + strlen(where), bad[_i].word), "'%s' said: %s", bad[_i].text, said);
}
END_TEST

START_TEST(what_is_no_file_is_one_clear_line)
{
	static const char *const name[] = {"nosuch", "", "./nosuch.conf", "nosuch.conf", "/",
		"/dev/null", "../machines/flash8", "flash8.conf/"};
	char said[4096];
	struct machine *m = NULL;

	for (unsigned i = 0; i < ARRAY_SIZE(name); i++) {
		ck_assert_msg(load_said(name[i], &m, said, sizeof(said)) < 0, "%s", name[i]);
		ck_assert_msg(strchr(said, '\n') == said + strlen(said) - 1, "%s", said);
	}
	load_said("nosuch", &m, said, sizeof(said));
	ck_assert_ptr_nonnull(strstr(said, "flash8"));

	put("nodes = 1;\0nodes", 16);
	ck_assert_int_eq(load_said(path, &m, said, sizeof(said)), -EINVAL);
	ck_assert_ptr_nonnull(strstr(said, "binary"));
	ck_assert_int_eq(truncate(path, (1 << 20) + 1), 0);
	ck_assert_int_eq(load_said(path, &m, said, sizeof(said)), -EINVAL);
	ck_assert_ptr_nonnull(strstr(said, "1 MiB"));
}
END_TEST

/* A file cut off or with a byte changed anywhere: an error or a sane machine, never a crash. */
START_TEST(damaged_files_do_no_harm)
{
	char *text = xcalloc(1, 1 << 16), said[4096];
	char *file = data_path("numa/machine/machines/server4.conf");
	FILE *f = fopen(file, "r");
	size_t n = fread(text, 1, 1 << 16, f);
	uint64_t seed = 1;
	unsigned refused = 0;

	fclose(f);
	free(file);
	for (unsigned i = 0; i < 1500; i++) {
		struct machine *m = NULL;
		uint64_t r = splitmix64(&seed);
		size_t at = r % n;
		char was = text[at];

		text[at] = (char)(r >> 32);
		put(text, i % 3 ? n : at);
		text[at] = was;
		if (load_said(path, &m, said, sizeof(said)))
			refused++;
		else
			ck_assert_uint_ge(m->n_cpus, 1);
		machine_free(m);
	}
	ck_assert_uint_gt(refused, 100);
	free(text);
}
END_TEST

START_TEST(the_host_is_read_through_hwloc)
{
	struct machine *m;

	setenv("HWLOC_SYNTHETIC",
		"node:4(memory=1073741824) l2:2(size=1310720) l1:1(size=49152) core:1 pu:2", 1);
	m = load("host");
	ck_assert_uint_eq(m->n_nodes, 4);
	ck_assert_uint_eq(m->n_cpus, 16);
	ck_assert_uint_eq(m->node[3].first_cpu, 12);
	ck_assert_uint_eq(m->node[3].n_cpus, 4);
	ck_assert_uint_eq(m->node[3].mem_bytes, 1 << 30);
	check_sane(m);
	machine_free(m);

	setenv("HWLOC_SYNTHETIC", "node:2 core:100 pu:1", 1);
	m = NULL;
	ck_assert_int_eq(machine_load("host", &m), -E2BIG);
	ck_assert_ptr_null(m);

	unsetenv("HWLOC_SYNTHETIC");
	m = load("host");
	ck_assert_uint_ge(m->n_cpus, 1);
	machine_free(m);
}
END_TEST

/*
 * Files as hwloc writes them for servers of 2, 4 and 8 sockets, with what synthetic strings cannot
 * say: the firmware's distances, threads of a core whose numbers are far apart, caches that cores
 * share.
 */
static const struct host {
	const char *file;
	unsigned n_nodes, cores, threads; /* cores of a node, threads of a core */
	uint64_t last_bytes;              /* memory of the last node */
	struct machine_cache l1i, l1d, l2;
	uint64_t clock_hz;        /* 0: not said */
	unsigned distance[8];     /* of node 0 from each */
	unsigned near, next, far; /* the distances that there are */
} hosts[] = {
	{"tests/machines/sockets-2.xml", 2, 8, 2, 94ull << 30, {32 << 10, 64, 8}, {32 << 10, 64, 8},
		{1 << 20, 64, 16}, 3200000000, {10, 21}, 10, 21, 21},
	{"tests/machines/sockets-4.xml", 8, 4, 1, 8ull << 30, {64 << 10, 64, 2}, {16 << 10, 64, 4},
		{2 << 20, 64, 16}, 0, {10, 16, 16, 22, 16, 22, 16, 22}, 10, 16, 22},
	{"tests/machines/sockets-8.xml", 8, 4, 2, 188ull << 30, {32 << 10, 64, 8},
		{32 << 10, 64, 8}, {1 << 20, 64, 16}, 3800000000, {10, 21, 31, 21, 21, 31, 31, 31},
		10, 21, 31},
};

static void check_cache(const struct machine_cache *a, const struct machine_cache *b)
{
	ck_assert_uint_eq(a->size_bytes, b->size_bytes);
	ck_assert_uint_eq(a->line_bytes, b->line_bytes);
	ck_assert_uint_eq(a->ways, b->ways);
}

START_TEST(hosts_of_many_sockets)
{
	const struct host *h = &hosts[_i];
	unsigned cpus = h->cores * h->threads;
	struct machine *m;

	setenv("HWLOC_XMLFILE", h->file, 1);
	m = load("host");
	unsetenv("HWLOC_XMLFILE");
	ck_assert(m->host);
	ck_assert_uint_eq(m->n_nodes, h->n_nodes);
	ck_assert_uint_eq(m->n_cpus, h->n_nodes * cpus);
	for (unsigned node = 0; node < m->n_nodes; node++) {
		ck_assert_uint_eq(m->node_os[node], node);
		ck_assert_uint_eq(m->node[node].n_cpus, cpus);
		/* All first threads are numbered before any second one. */
		for (unsigned i = 0; i < cpus; i++) {
			unsigned cpu = m->node[node].first_cpu + i, thread = i / h->cores;

			ck_assert_uint_eq(m->cpu_node[cpu], node);
			ck_assert_uint_eq(m->cpu_os[cpu],
				(thread * h->n_nodes + node) * h->cores + i % h->cores);
		}
	}
	ck_assert_uint_eq(m->node[m->n_nodes - 1].mem_bytes, h->last_bytes);
	check_cache(&m->l1i, &h->l1i);
	check_cache(&m->l1d, &h->l1d);
	check_cache(&m->l2, &h->l2);
	if (h->clock_hz)
		ck_assert_uint_eq(m->clock_hz, h->clock_hz);
	for (unsigned to = 0; to < m->n_nodes; to++)
		ck_assert_uint_eq(m->latency_ns[0][to], 90 * h->distance[to] / 10);
	for (unsigned from = 0; from < m->n_nodes; from++)
		for (unsigned to = 0; to < m->n_nodes; to++) {
			unsigned distance = m->latency_ns[from][to] * 10 / 90;

			ck_assert_uint_eq(m->latency_ns[from][to], m->latency_ns[to][from]);
			ck_assert(from == to ? distance == h->near
					     : distance == h->next || distance == h->far);
		}
	check_sane(m);
	machine_free(m);
}
END_TEST

/* Node numbers with holes, and a node of 4 GiB that has no CPUs and is near to all. */
START_TEST(a_host_with_memory_that_has_no_cpus)
{
	struct machine *m;
	unsigned far = 0, near = 0;

	setenv("HWLOC_XMLFILE", "tests/machines/far-memory.xml", 1);
	m = load("host");
	unsetenv("HWLOC_XMLFILE");
	ck_assert_uint_eq(m->n_nodes, 3);
	ck_assert_uint_eq(m->n_cpus, 4);
	for (unsigned i = 0; i < 3; i++) {
		if (m->node_os[i] == 2) {
			ck_assert_uint_eq(m->node[i].n_cpus, 0);
			ck_assert_uint_eq(m->node[i].mem_bytes, 4ull << 30);
			far++;
		} else {
			ck_assert(m->node_os[i] == 0 || m->node_os[i] == 3);
			ck_assert_uint_eq(m->node[i].n_cpus, 2);
			ck_assert_uint_eq(m->cpu_os[m->node[i].first_cpu], m->node_os[i] ? 2 : 0);
			near++;
		}
	}
	ck_assert_uint_eq(far, 1);
	ck_assert_uint_eq(near, 2);
	check_sane(m);
	machine_free(m);
}
END_TEST

START_TEST(printing_fits_a_terminal)
{
	static const char *const name[] = {"flash8", "big64", "origin2000-32", "server2"};
	static char text[1 << 16];

	for (unsigned i = 0; i < ARRAY_SIZE(name); i++) {
		struct machine *m = load(name[i]);
		FILE *out = fmemopen(text, sizeof(text), "w");
		unsigned lines = 0;

		machine_print(m, out);
		fclose(out);
		for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1, lines++)
			ck_assert_msg(
				end - line <= 104, "%s: %.*s", name[i], (int)(end - line), line);
		ck_assert_uint_ge(lines, 25 + m->n_nodes);
		ck_assert_uint_le(lines, 37 + m->n_nodes);
		ck_assert_ptr_nonnull(strstr(text, m->description));
		machine_free(m);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("machine");
	TCase *tc = tcase_create("machine");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, every_preset_loads_and_is_listed);
	tcase_add_test(tc, uniform_variants_differ_in_distance_alone);
	tcase_add_test(tc, flash8_is_the_machine_of_the_paper);
	tcase_add_test(tc, two_lines_are_a_machine_and_the_rest_is_flash8);
	tcase_add_test(tc, uneven_nodes_and_matrices_load);
	tcase_add_test(tc, hops_follow_the_hypercube);
	tcase_add_loop_test(tc, a_bad_file_is_one_clear_line, 0, ARRAY_SIZE(bad));
	tcase_add_test(tc, what_is_no_file_is_one_clear_line);
	tcase_add_test(tc, damaged_files_do_no_harm);
	tcase_add_test(tc, the_host_is_read_through_hwloc);
	tcase_add_loop_test(tc, hosts_of_many_sockets, 0, ARRAY_SIZE(hosts));
	tcase_add_test(tc, a_host_with_memory_that_has_no_cpus);
	tcase_add_test(tc, printing_fits_a_terminal);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
