// SPDX-License-Identifier: MIT
/*
 * Files that are no raw disks are known by what real tools make; raw disks, with and without
 * partitions, are not mistaken for one.
 */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sharing/format.h"
#include "tests/small-machine.h"

static char dir[] = "/tmp/disco-test-format-XXXXXX";

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
	ck_assert_int_eq(system("truncate -s 1M disk && printf abc >text"), 0);
}

static void teardown(void)
{
	char *remove = xasprintf("rm -rf %s", dir);

	ck_assert_int_eq(system(remove), 0);
	free(remove);
}

static const struct disk_format *format_of(const char *file)
{
	char head[FORMAT_HEAD_BYTES];
	int fd = open(file, O_RDONLY);
	ssize_t n = read(fd, head, sizeof(head));

	ck_assert_int_ge(n, 0);
	close(fd);
	return disk_format(head, (size_t)n);
}

/* The name that says what a tool's output is. A tool that is not here is passed over. */
START_TEST(what_tools_make_is_known)
{
	static const struct {
		const char *tool, *name;
		bool packed;
	} made[] = {
		{"gzip -c disk", "a gzip file", true},
		{"xz -c disk", "an xz file", true},
		{"zstd -q -c disk", "a zstd file", true},
		{"bzip2 -c disk", "a bzip2 file", true},
		{"tar -cf - text", "a tar archive", true},
		{"echo text | cpio --quiet -o -H newc", "a cpio archive", true},
		{"qemu-img convert -O qcow2 disk out && cat out", "a qcow2 image", false},
		{"qemu-img convert -O vmdk disk out && cat out", "a VMDK image", false},
		{"qemu-img convert -O vdi disk out && cat out", "a VDI image", false},
		{"qemu-img convert -O vhdx disk out && cat out", "a VHDX image", false},
		{"qemu-img convert -O vpc disk out && cat out", "a VHD image", false},
	};
	unsigned known = 0;

	for (size_t i = 0; i < ARRAY_SIZE(made); i++) {
		char *command = xasprintf("(%s) >made 2>/dev/null", made[i].tool);
		const struct disk_format *f;

		if (!system(command)) {
			f = format_of("made");
			ck_assert_msg(f, "%s is not known", made[i].tool);
			ck_assert_str_eq(f->name, made[i].name);
			ck_assert_int_eq(f->packed, made[i].packed);
			ck_assert_ptr_nonnull(strstr(f->remedy, "FILE"));
			known++;
		}
		free(command);
	}
	ck_assert_uint_ge(known, 4); /* of Debian's essential packages and those of the tests */
}
END_TEST

START_TEST(raw_disks_are_raw)
{
	ck_assert_ptr_null(format_of("disk"));
	ck_assert_int_eq(system("PATH=$PATH:/sbin:/usr/sbin mke2fs -q -F -t ext4 disk"), 0);
	ck_assert_ptr_null(format_of("disk"));
	ck_assert_int_eq(
		system("printf '\\125\\252' | dd of=disk bs=1 seek=510 conv=notrunc status=none"),
		0);
	ck_assert_ptr_null(format_of("disk"));
	ck_assert_ptr_null(format_of("text"));
	ck_assert_ptr_null(disk_format("", 0));
	ck_assert_ptr_null(disk_format("QFI", 3));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("disk-format");
	TCase *t = tcase_create("disk-format");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, what_tools_make_is_known);
	tcase_add_test(t, raw_disks_are_raw);
	suite_add_tcase(s, t);
	return run_suite(s);
}
