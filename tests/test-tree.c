// SPDX-License-Identifier: MIT
/*
 * Snapshots of host directories: what they show, what they leave out, what happens when the host
 * changes the files behind them, and that a part that cannot be served spoils no other. For the last
 * the host's calls are replaced by ones that fail, or that something happens just before.
 */
#include <check.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "sharing/tree.h"
#include "tests/fs-files.h"
#include "tests/small-machine.h"

/* ---- the host's calls ----------------------------------------------------------------------- */

/* At the next call of that name for the file `name`: do act(), then fail with err if it is not 0. */
static struct {
	const char *call, *name;
	void (*act)(void);
	int err;
	int64_t bytes; /* fstatat: the size it tells, if not 0 */
} fault;

static bool fails(const char *call, const char *name)
{
	if (!fault.call || strcmp(fault.call, call) || strcmp(fault.name, name))
		return false;
	fault.call = NULL;
	if (fault.act)
		fault.act();
	errno = fault.err;
	return fault.err;
}

#define REAL(name) ((typeof(&(name)))dlsym(RTLD_NEXT, #name))

int fstatat(int fd, const char *restrict name, struct stat *restrict st, int flags)
{
	bool grown = fault.bytes && !strcmp(name, fault.name);

	if (fails("fstatat", name))
		return -1;
	if (REAL(fstatat)(fd, name, st, flags))
		return -1;
	if (grown)
		st->st_size = fault.bytes;
	return 0;
}

int openat(int fd, const char *name, int flags, ...)
{
	return fails("openat", name) ? -1 : REAL(openat)(fd, name, flags);
}

ssize_t readlinkat(int fd, const char *restrict name, char *restrict to, size_t bytes)
{
	return fails("readlinkat", name) ? -1 : REAL(readlinkat)(fd, name, to, bytes);
}

ssize_t pread(int fd, void *to, size_t bytes, off_t at)
{
	return fails("pread", "") ? -1 : REAL(pread)(fd, to, bytes, at);
}

static unsigned made_up; /* entries that the next directory has before its own */
static unsigned made_up_length;

struct dirent *readdir(DIR *d)
{
	static struct {
		struct dirent entry;
		char more[1000];
	} e;

	if (fails("readdir", ""))
		return NULL;
	if (!made_up)
		return REAL(readdir)(d);
	snprintf((char *)&e + offsetof(struct dirent, d_name), 1000, "%0*u", (int)made_up_length,
		made_up--);
	return &e.entry;
}

/* From here on this process, but none that it starts, may read no more than others. */
static void be_ordinary(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	ck_assert(!syscall(SYS_capset, &header, data));
}

/* ---- a directory ---------------------------------------------------------------------------- */

static struct memory *mem;
static struct image_cache *cache;

static void setup(void)
{
	mem = SMALL_MEMORY(256);
	mem->boundary = true;
	cache = image_cache_create(mem);
	make_files();
}

static void teardown(void)
{
	remove_files();
	image_cache_destroy(cache);
	memory_check(mem);
	memory_destroy(mem);
}

static struct tree *opened(void)
{
	struct tree *t = NULL;

	ck_assert_int_eq(tree_open(cache, files_dir, &t), 0);
	return t;
}

static void expect_page(struct tree *t, uint32_t id, uint32_t index, bool cached)
{
	uint8_t page[PAGE_SIZE];
	const uint8_t *frame;
	uint32_t mpn;
	bool was_cached;

	ck_assert_int_eq(tree_block(t, id, index, 0, &mpn, &was_cached), 0);
	ck_assert_int_eq(was_cached, cached);
	frame = frame_data(mem, mpn);
	ck_assert_int_eq(tree_read(t, id, index, page), 0);
	ck_assert_mem_eq(frame, page, PAGE_SIZE);
	for (uint64_t i = 0, at = (uint64_t)index * PAGE_SIZE; i < PAGE_SIZE; i++, at++)
		ck_assert_uint_eq(page[i], at < tree_node(t, id)->bytes ? file_byte(at) : 0);
}

START_TEST(nodes_are_numbered_by_level_and_name)
{
	static const char *const names[] = {
		"", "", "abs", "b", "big", "empty", "link", "sub", "b", "deep", "small"};
	struct tree *t = opened();

	ck_assert_uint_eq(tree_nodes(t), ARRAY_SIZE(names) - 1);
	for (uint32_t id = 1; id < ARRAY_SIZE(names); id++)
		ck_assert_str_eq(tree_node(t, id)->name, names[id]);
	ck_assert_ptr_null(tree_node(t, 0));
	ck_assert_ptr_null(tree_node(t, ARRAY_SIZE(names)));
	ck_assert_ptr_null(tree_node(t, UINT64_MAX));
	ck_assert_uint_eq(tree_node(t, TREE_ROOT)->n_children, 6);
	ck_assert_uint_eq(tree_node(t, TREE_ROOT)->n_dirs, 2);
	ck_assert_uint_eq(tree_node(t, TREE_ROOT)->parent, TREE_ROOT);
	for (uint32_t id = 2; id < ARRAY_SIZE(names); id++)
		ck_assert_uint_eq(tree_lookup(t, tree_node(t, id)->parent, names[id]), id);
	ck_assert_uint_eq(tree_lookup(t, TREE_ROOT, "fifo"), 0); /* was left out */
	ck_assert_uint_eq(tree_lookup(t, TREE_ROOT, ""), 0);
	ck_assert_uint_eq(tree_lookup(t, TREE_ROOT, "z"), 0);
	ck_assert_uint_eq(tree_lookup(t, EMPTY_DIR, "a"), 0);
	ck_assert(S_ISLNK(tree_node(t, LINK)->mode));
	ck_assert_str_eq(tree_node(t, LINK)->target, "sub/small");
	ck_assert_uint_eq(tree_node(t, LINK)->bytes, 9);
	ck_assert_str_eq(tree_node(t, ABS)->target, "/etc/passwd");
	ck_assert_uint_eq(tree_node(t, BIG)->bytes, BIG_BYTES);
	ck_assert_uint_eq(tree_node(t, BIG)->mode, S_IFREG | 0640);
	ck_assert_int_eq(tree_node(t, BIG)->mtime_s, 1000000000);
	ck_assert_uint_eq(tree_node(t, BIG)->mtime_ns, 5);
	tree_close(t);
}
END_TEST

START_TEST(contents_are_in_memory_once)
{
	struct tree *t = opened();

	ck_assert_uint_eq(image_bytes(tree_image(t)), (BIG_PAGES + 1 + 1) * PAGE_SIZE);
	for (uint32_t i = BIG_PAGES; i-- > 0;)
		expect_page(t, BIG, i, false);
	expect_page(t, SMALL, 0, false);
	expect_page(t, DEEP_FILE, 0, false);
	for (uint32_t i = 0; i < BIG_PAGES; i++)
		expect_page(t, BIG, i, true);
	ck_assert_uint_eq(image_stats(tree_image(t))->blocks_cached, BIG_PAGES + 2);
	tree_close(t);
}
END_TEST

static void (*const change[])(void) = {
	shrink_big, grow_big, rewrite_big, replace_big, remove_big, big_becomes_link};
enum { IN_PLACE = 3 }; /* of these; the others take the name away from the file */

static void expect_stale(struct tree *t, uint32_t id, uint32_t index)
{
	uint8_t page[PAGE_SIZE];
	uint32_t mpn;

	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(tree_block(t, id, index, 0, &mpn, NULL), -ESTALE);
		ck_assert_int_eq(tree_read(t, id, index, page), -ESTALE);
	}
}

START_TEST(a_changed_file_is_stale)
{
	struct tree *t = opened();

	change[_i]();
	for (uint32_t i = 0; i < BIG_PAGES; i++)
		expect_stale(t, BIG, i);
	expect_page(t, SMALL, 0, false);
	ck_assert_uint_eq(image_stats(tree_image(t))->blocks_cached, 1);
	tree_close(t);
	t = opened(); /* as it is now */
	tree_close(t);
}
END_TEST

/* What is in memory stays. A file that only lost its name is the same file while it is open. */
START_TEST(a_file_in_use_is_stale_only_if_changed_itself)
{
	struct tree *t = opened();
	uint32_t mpn;

	expect_page(t, BIG, 1, false);
	change[_i]();
	if (_i < IN_PLACE)
		expect_stale(t, BIG, 0);
	else
		expect_page(t, BIG, 0, false);
	ck_assert_int_eq(tree_block(t, BIG, 1, 0, &mpn, NULL), 0);
	ck_assert_uint_eq(*(uint8_t *)frame_data(mem, mpn), file_byte(PAGE_SIZE));
	tree_close(t);
}
END_TEST

/* A directory on the way that becomes a link leads nowhere, not even to equal files. */
START_TEST(links_are_never_followed)
{
	struct tree *t = opened();
	uint32_t mpn;

	files_shell("cp -a sub /tmp/outside.$$ && rm -r sub && mv /tmp/outside.$$ elsewhere && "
		    "ln -s elsewhere sub");
	ck_assert_int_eq(tree_block(t, SMALL, 0, 0, &mpn, NULL), -ESTALE);
	tree_close(t);
	t = opened();
	ck_assert(S_ISLNK(tree_node(t, tree_lookup(t, TREE_ROOT, "sub"))->mode));
	tree_close(t);
}
END_TEST

/* Nor frames: what was read first is given back for what is read last. */
START_TEST(more_files_than_descriptors)
{
	struct tree *t;
	uint32_t dir, mpn;

	files_shell("mkdir many && cd many && for i in $(seq 300); do cp ../sub/small f$i; done");
	t = opened();
	dir = tree_lookup(t, TREE_ROOT, "many");
	ck_assert_uint_eq(tree_node(t, dir)->n_children, 300);
	for (uint32_t i = 0; i < 600; i++) {
		uint32_t id = tree_node(t, dir)->first_child + i % 300;

		ck_assert_int_eq(tree_block(t, id, 0, 0, &mpn, NULL), 0);
		ck_assert_uint_eq(((uint8_t *)frame_data(mem, mpn))[99], file_byte(99));
		ck_assert_uint_eq(((uint8_t *)frame_data(mem, mpn))[100], 0);
	}
	ck_assert_uint_gt(image_stats(tree_image(t))->blocks_read, 300);
	tree_close(t);
}
END_TEST

/* ---- parts that cannot be served ------------------------------------------------------------- */

/* All but node `id` and what is below it is as ever. */
static void expect_others(struct tree *t, uint32_t spoilt)
{
	static const struct {
		const char *name;
		bool dir;
	} child[] = {{"abs", 0}, {"b", 1}, {"big", 0}, {"empty", 0}, {"link", 0}, {"sub", 1}};

	for (unsigned i = 0; i < ARRAY_SIZE(child); i++) {
		uint32_t id = tree_lookup(t, TREE_ROOT, child[i].name);

		if (i + ABS == spoilt)
			continue;
		ck_assert_uint_ne(id, 0);
		ck_assert_int_eq(tree_node(t, id)->error, 0);
		ck_assert_uint_eq(S_ISDIR(tree_node(t, id)->mode), child[i].dir);
	}
	if (spoilt != BIG)
		expect_page(t, tree_lookup(t, TREE_ROOT, "big"), 4, false);
	if (spoilt != SUB)
		expect_page(t, tree_lookup(t, tree_lookup(t, TREE_ROOT, "sub"), "small"), 0, false);
}

START_TEST(what_may_not_be_read_spoils_nothing_else)
{
	struct tree *t;
	uint32_t mpn;

	be_ordinary();
	files_shell("chmod 0 sub");
	t = opened();
	expect_others(t, SUB);
	ck_assert_int_eq(tree_node(t, SUB)->error, EACCES);
	ck_assert_uint_eq(tree_node(t, SUB)->mode, S_IFDIR);
	ck_assert_uint_eq(tree_node(t, SUB)->n_children, 0);
	tree_close(t);
	/* Names may be read, and nothing of what they stand for. */
	files_shell("chmod 444 sub");
	t = opened();
	expect_others(t, SUB);
	ck_assert_int_eq(tree_node(t, SUB)->error, 0);
	ck_assert_uint_eq(tree_node(t, SUB)->n_children, 3);
	ck_assert_uint_eq(tree_lookup(t, SUB, "small"), SMALL);
	ck_assert_int_eq(tree_node(t, SMALL)->error, EACCES);
	ck_assert_uint_eq(tree_node(t, SMALL)->mode, 0);
	tree_close(t);
	files_shell("chmod 755 sub; chmod 0 big");
	t = opened();
	expect_others(t, BIG);
	ck_assert_uint_eq(tree_node(t, BIG)->bytes, BIG_BYTES);
	ck_assert_int_eq(tree_block(t, BIG, 0, 0, &mpn, NULL), -EACCES);
	files_shell("chmod 644 big"); /* is not kept from it */
	expect_page(t, BIG, 0, false);
	tree_close(t);
}
END_TEST

static void remove_sub(void)
{
	files_shell("rm -r sub");
}

static void sub_becomes_file(void)
{
	files_shell("rm -r sub; touch sub");
}

static void remove_link(void)
{
	files_shell("rm link");
}

static void link_becomes_file(void)
{
	files_shell("rm link; touch link");
}

static const struct {
	const char *call, *name;
	void (*act)(void);
	uint32_t id;
} vanish[] = {
	{"fstatat", "sub", remove_sub, SUB},
	{"openat", "sub", remove_sub, SUB},
	{"openat", "sub", sub_becomes_file, SUB},
	{"fstatat", "big", remove_big, BIG},
	{"fstatat", "link", remove_link, LINK},
	{"readlinkat", "link", remove_link, LINK},
	{"readlinkat", "link", link_becomes_file, LINK},
};

START_TEST(what_vanishes_while_the_tree_is_read_is_gone)
{
	struct tree *t;
	uint32_t id;

	fault.call = vanish[_i].call;
	fault.name = vanish[_i].name;
	fault.act = vanish[_i].act;
	t = opened();
	ck_assert_ptr_null(fault.call);
	ck_assert_uint_eq(tree_lookup(t, TREE_ROOT, vanish[_i].name), 0);
	ck_assert_uint_eq(tree_node(t, TREE_ROOT)->n_dirs, vanish[_i].id == SUB ? 1 : 2);
	expect_others(t, vanish[_i].id);
	for (id = 1; id <= tree_nodes(t); id++)
		ck_assert(tree_node(t, id)->mode || tree_node(t, id)->error == ENOENT);
	tree_close(t);
}
END_TEST

static void replace_sub(void)
{
	files_shell("mv sub old; mkdir -m 711 sub; cp old/small sub/other");
}

START_TEST(a_directory_replaced_while_the_tree_is_read_is_the_new_one)
{
	struct tree *t;

	fault.call = "openat";
	fault.name = "sub";
	fault.act = replace_sub;
	t = opened();
	ck_assert_uint_eq(tree_node(t, SUB)->mode, S_IFDIR | 0711);
	ck_assert_uint_eq(tree_node(t, SUB)->n_children, 1);
	expect_page(t, tree_lookup(t, SUB, "other"), 0, false);
	tree_close(t);
}
END_TEST

static const struct {
	const char *call, *name;
	uint32_t id;
	bool known; /* the node's attributes */
} broken[] = {
	{"fstatat", "big", BIG, false},
	{"fstatat", "sub", SUB, false},
	{"readlinkat", "link", LINK, false},
	{"openat", "sub", SUB, true},
};

START_TEST(an_error_of_the_disk_is_of_one_name)
{
	struct tree *t;

	fault.call = broken[_i].call;
	fault.name = broken[_i].name;
	fault.err = EIO;
	t = opened();
	ck_assert_uint_eq(tree_lookup(t, TREE_ROOT, broken[_i].name), broken[_i].id);
	ck_assert_int_eq(tree_node(t, broken[_i].id)->error, EIO);
	ck_assert_uint_eq(!!tree_node(t, broken[_i].id)->mode, broken[_i].known);
	ck_assert_uint_eq(tree_node(t, broken[_i].id)->n_children, 0);
	expect_others(t, broken[_i].id);
	tree_close(t);
}
END_TEST

static void break_list(void)
{
	fault.call = "readdir";
	fault.name = "";
	fault.act = NULL;
	fault.err = EIO;
}

START_TEST(a_list_or_page_that_reads_with_an_error)
{
	struct tree *t;
	uint32_t mpn;

	fault.call = "openat";
	fault.name = "sub";
	fault.act = break_list;
	fault.err = 0;
	t = opened();
	ck_assert_int_eq(tree_node(t, SUB)->error, EIO);
	ck_assert_uint_eq(tree_node(t, SUB)->n_children, 0);
	fault.call = "pread";
	ck_assert_int_eq(tree_block(t, BIG, 4, 0, &mpn, NULL), -EIO);
	expect_others(t, SUB);
	tree_close(t);
}
END_TEST

/* The host has no descriptors left: that is true of no directory. */
START_TEST(what_we_lack_is_no_error_of_a_directory)
{
	struct tree *t = NULL;

	fault.call = "openat";
	fault.name = "sub";
	fault.err = EMFILE;
	ck_assert_int_eq(tree_open(cache, files_dir, &t), -EMFILE);
	ck_assert_ptr_null(t);
}
END_TEST

/* ---- limits ---------------------------------------------------------------------------------- */

START_TEST(a_directory_below_too_many_others)
{
	struct tree *t;
	uint32_t id;

	files_shell("d=.; for i in $(seq 70); do d=$d/x; done; mkdir -p $d");
	t = opened();
	id = tree_lookup(t, TREE_ROOT, "x");
	for (unsigned depth = 1; depth < TREE_MAX_DEPTH; depth++) {
		ck_assert_int_eq(tree_node(t, id)->error, 0);
		id = tree_lookup(t, id, "x");
		ck_assert_uint_ne(id, 0);
	}
	ck_assert_int_eq(tree_node(t, id)->error, ENAMETOOLONG);
	ck_assert_uint_eq(tree_node(t, id)->n_children, 0);
	expect_others(t, 0);
	tree_close(t);
}
END_TEST

static void make_up_many(void)
{
	made_up = TREE_MAX_NODES;
	made_up_length = 8;
}

static void make_up_long(void)
{
	made_up = 3;
	made_up_length = TREE_MAX_NAME + 1;
}

START_TEST(a_directory_with_too_many_entries)
{
	struct tree *t;

	fault.call = "openat";
	fault.name = "b";
	fault.act = make_up_many;
	t = opened();
	ck_assert_int_eq(tree_node(t, EMPTY_DIR)->error, EFBIG);
	ck_assert_uint_eq(tree_node(t, EMPTY_DIR)->n_children, 0);
	expect_others(t, EMPTY_DIR);
	tree_close(t);
}
END_TEST

/* As some file systems have, in UTF-8. */
START_TEST(longer_names_than_guests_can_take_are_left_out)
{
	struct tree *t;

	fault.call = "openat";
	fault.name = "sub";
	fault.act = make_up_long;
	t = opened();
	ck_assert_int_eq(tree_node(t, SUB)->error, 0);
	ck_assert_uint_eq(tree_node(t, SUB)->n_children, 3);
	expect_others(t, 0);
	tree_close(t);
}
END_TEST

START_TEST(a_file_larger_than_all_may_be)
{
	struct tree *t;
	uint8_t page[PAGE_SIZE];
	uint32_t mpn;

	fault.name = "big";
	fault.bytes = (int64_t)UINT32_MAX << PAGE_SHIFT;
	t = opened();
	ck_assert_int_eq(tree_node(t, BIG)->bytes, fault.bytes);
	ck_assert_int_eq(tree_block(t, BIG, 0, 0, &mpn, NULL), -EFBIG);
	ck_assert_int_eq(tree_read(t, BIG, 0, page), -EFBIG);
	expect_others(t, BIG);
	tree_close(t);
}
END_TEST

START_TEST(a_sparse_file_has_what_is_allocated)
{
	const char *name[] = {"holes", "big", "empty"};
	struct tree *t;

	files_shell(
		"truncate -s 8M holes; printf x | dd of=holes bs=4096 seek=9 conv=notrunc,fsync "
		"status=none; sync big");
	t = opened();
	for (unsigned i = 0; i < ARRAY_SIZE(name); i++) {
		char *path = xasprintf("%s/%s", files_dir, name[i]);
		struct stat st;

		ck_assert(!stat(path, &st));
		ck_assert_int_eq(
			tree_node(t, tree_lookup(t, TREE_ROOT, name[i]))->blocks, st.st_blocks);
		free(path);
	}
	ck_assert_uint_lt(tree_node(t, tree_lookup(t, TREE_ROOT, "holes"))->blocks, 1024);
	tree_close(t);
}
END_TEST

START_TEST(what_is_no_directory_is_refused)
{
	struct tree *t = NULL;
	char *path = xasprintf("%s/big", files_dir);

	ck_assert_int_eq(tree_open(cache, "/nonexistent", &t), -ENOENT);
	ck_assert_int_eq(tree_open(cache, path, &t), -ENOTDIR);
	be_ordinary();
	files_shell("chmod 0 .");
	ck_assert_int_eq(tree_open(cache, files_dir, &t), -EACCES);
	files_shell("chmod 700 .");
	free(path);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tree");
	TCase *c = tcase_create("tree");

	tcase_add_checked_fixture(c, setup, teardown);
	suite_add_tcase(s, c);
	tcase_add_test(c, nodes_are_numbered_by_level_and_name);
	tcase_add_test(c, contents_are_in_memory_once);
	tcase_add_loop_test(c, a_changed_file_is_stale, 0, ARRAY_SIZE(change));
	tcase_add_loop_test(
		c, a_file_in_use_is_stale_only_if_changed_itself, 0, ARRAY_SIZE(change));
	tcase_add_test(c, links_are_never_followed);
	tcase_add_test(c, more_files_than_descriptors);
	tcase_add_test(c, what_may_not_be_read_spoils_nothing_else);
	tcase_add_loop_test(c, what_vanishes_while_the_tree_is_read_is_gone, 0, ARRAY_SIZE(vanish));
	tcase_add_test(c, a_directory_replaced_while_the_tree_is_read_is_the_new_one);
	tcase_add_loop_test(c, an_error_of_the_disk_is_of_one_name, 0, ARRAY_SIZE(broken));
	tcase_add_test(c, a_list_or_page_that_reads_with_an_error);
	tcase_add_test(c, what_we_lack_is_no_error_of_a_directory);
	tcase_add_test(c, a_directory_below_too_many_others);
	tcase_add_test(c, a_directory_with_too_many_entries);
	tcase_add_test(c, longer_names_than_guests_can_take_are_left_out);
	tcase_add_test(c, a_file_larger_than_all_may_be);
	tcase_add_test(c, a_sparse_file_has_what_is_allocated);
	tcase_add_test(c, what_is_no_directory_is_refused);
	return run_suite(s);
}
