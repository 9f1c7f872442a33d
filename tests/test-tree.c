// SPDX-License-Identifier: MIT
/*
 * Snapshots of host directories: what they show, what they leave out, and what happens when the
 * host changes the files behind them.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "sharing/tree.h"
#include "tests/fs-files.h"
#include "tests/small-machine.h"

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

START_TEST(what_cannot_be_exported_is_refused)
{
	struct tree *t = NULL;
	char *path = xasprintf("%s/big", files_dir);

	ck_assert_int_eq(tree_open(cache, "/nonexistent", &t), -ENOENT);
	ck_assert_int_eq(tree_open(cache, path, &t), -ENOTDIR);
	free(path);
	files_shell("d=.; for i in $(seq 63); do d=$d/x; done; mkdir -p $d");
	t = opened();
	tree_close(t);
	files_shell("d=.; for i in $(seq 64); do d=$d/x; done; mkdir -p $d");
	ck_assert_int_eq(tree_open(cache, files_dir, &t), -ELOOP);
	if (geteuid()) {
		files_shell("rm -r x; chmod 0 sub");
		ck_assert_int_eq(tree_open(cache, files_dir, &t), -EACCES);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tree");
	TCase *c = tcase_create("tree");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 60);
	suite_add_tcase(s, c);
	tcase_add_test(c, nodes_are_numbered_by_level_and_name);
	tcase_add_test(c, contents_are_in_memory_once);
	tcase_add_loop_test(c, a_changed_file_is_stale, 0, ARRAY_SIZE(change));
	tcase_add_loop_test(
		c, a_file_in_use_is_stale_only_if_changed_itself, 0, ARRAY_SIZE(change));
	tcase_add_test(c, links_are_never_followed);
	tcase_add_test(c, more_files_than_descriptors);
	tcase_add_test(c, what_cannot_be_exported_is_refused);
	return run_suite(s);
}
