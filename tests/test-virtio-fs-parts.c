// SPDX-License-Identifier: MIT
/*
 * Parts of a directory that the virtio-fs device cannot serve are errors of their own, and the rest is
 * served.
 */
#include "tests/fs-driver.h"

static void spoil(uint32_t id, int err, bool known)
{
	struct tree_node *n = (struct tree_node *)tree_node(tree, id);

	n->error = err;
	n->mode = known ? n->mode : 0;
	n->n_children = S_ISDIR(n->mode) ? 0 : n->n_children;
}

/* The names that a list has, and whether it comes with their attributes. */
static unsigned listed(uint32_t opcode, uint64_t dir, const char *name, uint64_t *nodeid)
{
	struct fuse_read_in in = {.size = sizeof(body)};
	unsigned n = 0;

	ck_assert_int_eq(ask(opcode, dir, &in, sizeof(in)), 0);
	for (uint32_t pos = 0; pos < used - OUT;) {
		const struct fuse_direntplus *p = (void *)(body + pos);
		const struct fuse_dirent *e = opcode == FUSE_READDIR ? (void *)p : &p->dirent;

		if (e->namelen == strlen(name) && !memcmp(e->name, name, e->namelen)) {
			*nodeid = opcode == FUSE_READDIR ? e->ino : p->entry_out.nodeid;
			n++;
		}
		pos += opcode == FUSE_READDIR ? FUSE_DIRENT_SIZE(e) : FUSE_DIRENTPLUS_SIZE(p);
	}
	return n;
}

START_TEST(a_directory_that_may_not_be_read)
{
	struct fuse_read_in in = {.size = 4096};
	struct fuse_open_in how = {0};

	spoil(SUB, EACCES, true);
	ck_assert_uint_eq(lookup(ROOT, "sub"), SUB);
	ck_assert_int_eq(ask(FUSE_GETATTR, SUB, NULL, 0), 0);
	ck_assert_int_eq(ask(FUSE_LOOKUP, SUB, "small", 6), -EACCES);
	ck_assert_int_eq(ask(FUSE_OPENDIR, SUB, &how, sizeof(how)), -EACCES);
	ck_assert_int_eq(ask(FUSE_READDIR, SUB, &in, sizeof(in)), -EACCES);
	ck_assert_int_eq(ask(FUSE_READDIRPLUS, SUB, &in, sizeof(in)), -EACCES);
	list(ROOT, FUSE_READDIRPLUS, 4096);
	ck_assert_uint_eq(lookup(ROOT, "big"), BIG);
}
END_TEST

START_TEST(a_name_of_which_nothing_else_is_known)
{
	uint64_t id;

	spoil(BIG, EIO, false);
	ck_assert_int_eq(ask(FUSE_LOOKUP, ROOT, "big", 4), -EIO);
	ck_assert_uint_eq(listed(FUSE_READDIR, ROOT, "big", &id), 1);
	ck_assert_uint_eq(listed(FUSE_READDIRPLUS, ROOT, "big", &id), 1);
	ck_assert_uint_eq(id, 0); /* the driver is to ask, and gets the error */
	ck_assert_int_eq(ask(FUSE_GETATTR, BIG, NULL, 0), -ESTALE);
	ck_assert_int_eq(ask(FUSE_READ, BIG, &(struct fuse_read_in){.size = 9}, 40), -ESTALE);
}
END_TEST

START_TEST(a_directory_that_vanished)
{
	uint64_t id;

	spoil(SUB, ENOENT, false);
	ck_assert_uint_eq(lookup(ROOT, "sub"), 0);
	ck_assert_uint_eq(listed(FUSE_READDIR, ROOT, "sub", &id), 0);
	ck_assert_uint_eq(listed(FUSE_READDIRPLUS, ROOT, "sub", &id), 0);
	ck_assert_uint_eq(listed(FUSE_READDIRPLUS, ROOT, "link", &id), 1);
	ck_assert_uint_eq(id, LINK);
	ck_assert_int_eq(ask(FUSE_GETATTR, SUB, NULL, 0), -ESTALE);
}
END_TEST

START_TEST(a_file_too_large_to_be_served)
{
	struct fuse_read_in in = {.size = PAGE_SIZE};
	struct fuse_open_in how = {0};

	spoil(BIG, EFBIG, true);
	ck_assert_uint_eq(lookup(ROOT, "big"), BIG);
	ck_assert_int_eq(ask(FUSE_READ, BIG, &in, sizeof(in)), -EFBIG);
	ck_assert_int_eq(ask(FUSE_OPEN, BIG, &how, sizeof(how)), -EFBIG);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("virtio-fs-parts");
	TCase *t = tcase_create("virtio-fs-parts");

	tcase_add_checked_fixture(t, setup_up, teardown);
	tcase_add_test(t, a_directory_that_may_not_be_read);
	tcase_add_test(t, a_name_of_which_nothing_else_is_known);
	tcase_add_test(t, a_directory_that_vanished);
	tcase_add_test(t, a_file_too_large_to_be_served);
	suite_add_tcase(s, t);
	return run_suite(s);
}
