// SPDX-License-Identifier: MIT
/*
 * Options of `disco run`: defaults, the command line, run files and which of them wins. (That bad
 * values are refused with one line is test-cli.sh's business; here, that they are refused at all.)
 */
#include <check.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "monitor/run/options.h"

static int parse(struct run_options *o, const char *const *words)
{
	char *argv[32] = {(char[]){"run"}};
	int argc = 1;

	while (*words)
		argv[argc++] = (char *)*words++;
	return options_parse(argc, argv, o);
}

#define PARSE(o, ...) parse(o, (const char *const[]){__VA_ARGS__, NULL})

static char *config_file(const char *text)
{
	static char path[] = "/tmp/test-options-XXXXXX";
	FILE *f;

	snprintf(path, sizeof(path), "/tmp/test-options-XXXXXX");
	f = fdopen(mkstemp(path), "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
	return path;
}

START_TEST(defaults_are_one_debian_vm_on_flash8)
{
	struct run_options o;

	ck_assert_int_eq(parse(&o, (const char *const[]){NULL}), 0);
	ck_assert_str_eq(o.machine, "flash8");
	ck_assert_str_eq(o.guest, "debian");
	ck_assert_uint_eq(o.vms, 1);
	ck_assert_uint_eq(o.vcpus, 1);
	ck_assert_uint_eq(o.memory, 128 << 20);
	ck_assert_uint_eq(o.seed, 1);
	ck_assert_uint_eq(o.n_disks, 0);
	ck_assert(o.timeout == 0 && !o.exec);
	options_free(&o);
}
END_TEST

START_TEST(ways_of_sharing_add_up)
{
	static const struct {
		const char *text;
		unsigned share;
	} cases[] = {
		{"all", SHARE_ALL},
		{"none", 0},
		{"disk", SHARE_DISK},
		{"disk,net", SHARE_DISK | SHARE_NET},
		{"all,-disk", SHARE_ALL & ~SHARE_DISK},
		{"-disk,-zero", SHARE_ALL & ~(SHARE_DISK | SHARE_ZERO)},
		{"disk,-disk", 0},
	};
	struct run_options o;

	ck_assert_int_eq(parse(&o, (const char *const[]){NULL}), 0);
	ck_assert_uint_eq(o.share, SHARE_ALL);
	options_free(&o);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_int_eq(PARSE(&o, "--share", cases[i].text), 0);
		ck_assert_msg(o.share == cases[i].share, "%s: %#x", cases[i].text, o.share);
		options_free(&o);
	}
	ck_assert_int_ne(PARSE(&o, "--share", "dis"), 0);
	options_free(&o);
	ck_assert_int_ne(PARSE(&o, "--share", "all,,disk"), 0);
	options_free(&o);
}
END_TEST

START_TEST(choices_are_words_of_their_enum)
{
	static const char *const bad[] = {"--mode", "--fidelity", "--nat", "--engine"};
	struct run_options o;
	json_t *json;

	for (unsigned i = 0; i < MODES; i++) {
		ck_assert_int_eq(PARSE(&o, "--mode", mode_name[i]), 0);
		ck_assert_uint_eq(o.mode, i);
		options_free(&o);
	}
	ck_assert_int_eq(PARSE(&o, "--fidelity", "numa", "--nat", "host"), 0);
	ck_assert_int_eq(o.fidelity, FIDELITY_NUMA);
	ck_assert_int_eq(o.nat, NAT_HOST);
	json = options_json(&o, false);
	ck_assert_str_eq(json_string_value(json_object_get(json, "fidelity")), "numa");
	ck_assert_str_eq(json_string_value(json_object_get(json, "nat")), "host");
	ck_assert_str_eq(json_string_value(json_object_get(json, "mode")), "plain");
	ck_assert_str_eq(json_string_value(json_object_get(json, "engine")), "sim");
	json_decref(json);
	options_free(&o);
	/* What was not chosen is no word, and not recorded. */
	ck_assert_int_eq(PARSE(&o, "--vms", "1"), 0);
	json = options_json(&o, false);
	ck_assert_ptr_null(json_object_get(json, "fidelity"));
	ck_assert_ptr_null(json_object_get(json, "nat"));
	json_decref(json);
	options_free(&o);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ck_assert_int_eq(PARSE(&o, bad[i], ""), -EINVAL);
		options_free(&o);
		ck_assert_int_eq(PARSE(&o, bad[i], "hybrid"), -EINVAL);
		options_free(&o);
	}
}
END_TEST

START_TEST(magic_instructions_are_allowed_to_all_none_or_some)
{
	static const char *const bad[] = {"", "vm4", "vm", "1", "vm1,", ",vm1", "vm1,,vm2",
		"vm1,vm1", "vm1,none", "vm01", "All"};
	struct run_options o;

	ck_assert_int_eq(PARSE(&o, "--vms", "4"), 0);
	ck_assert(options_magic(&o, 0) && options_magic(&o, 3));
	options_free(&o);
	ck_assert_int_eq(PARSE(&o, "--vms", "4", "--markers", "none"), 0);
	ck_assert(!options_magic(&o, 0) && !options_magic(&o, 3));
	options_free(&o);
	ck_assert_int_eq(PARSE(&o, "--vms", "14", "--markers", "vm1,vm13"), 0);
	for (unsigned vm = 0; vm < 14; vm++)
		ck_assert_int_eq(options_magic(&o, vm), vm == 1 || vm == 13);
	options_free(&o);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(
			PARSE(&o, "--vms", "4", "--markers", bad[i]) == -EINVAL, "%s", bad[i]);
		options_free(&o);
	}
}
END_TEST

START_TEST(directories_have_tags)
{
	static const char *const bad[] = {
		"", "=", "a=", "=d", "d", "a b=d", "a/b=d", "../a=d",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=d", /* 37 */
	};
	struct run_options o;

	ck_assert_int_eq(PARSE(&o, "--fs", "a=/x", "--fs=B-1_=y=z",
				 "--fs=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=d"),
		0);
	ck_assert_uint_eq(o.n_fs, 3);
	ck_assert_str_eq(o.fs[0].tag, "a");
	ck_assert_str_eq(o.fs[0].path, "/x");
	ck_assert_str_eq(o.fs[1].tag, "B-1_");
	ck_assert_str_eq(o.fs[1].path, "y=z");
	options_free(&o);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_ne(PARSE(&o, "--fs", bad[i]), 0);
		options_free(&o);
	}
	ck_assert_int_ne(PARSE(&o, "--fs=a=x", "--fs=a=y"), 0);
	options_free(&o);
	ck_assert_int_ne(PARSE(&o, "--fs=a=x", "--fs=b=x", "--fs=c=x", "--fs=d=x"), 0);
	options_free(&o);
}
END_TEST

START_TEST(a_kernel_or_firmware_replaces_the_guest)
{
	struct run_options o;

	ck_assert_int_eq(PARSE(&o, "--kernel", "k"), 0);
	ck_assert_ptr_null(o.guest);
	options_free(&o);
	ck_assert_int_eq(PARSE(&o, "--bios=b"), 0);
	ck_assert_ptr_null(o.guest);
	options_free(&o);
	ck_assert_int_eq(PARSE(&o, "--kernel=k", "--guest=debian"), 0);
	ck_assert_str_eq(o.guest, "debian");
	options_free(&o);
}
END_TEST

START_TEST(values_have_units_and_the_last_one_wins)
{
	struct run_options o;

	ck_assert_int_eq(PARSE(&o, "--memory", "64M", "--memory=2G", "--vms", "0x10", "--timeout",
				 "1.5", "--seed=18446744073709551615"),
		0);
	ck_assert_uint_eq(o.memory, 2ull << 30);
	ck_assert_uint_eq(o.vms, 16);
	ck_assert(o.timeout == 1.5);
	ck_assert_uint_eq(o.seed, UINT64_MAX);
	options_free(&o);
}
END_TEST

START_TEST(checks_have_an_interval_and_need_none)
{
	struct run_options o;
	char *path = config_file("check-invariants = true;\n");

	ck_assert_int_eq(PARSE(&o, "--vms", "2"), 0);
	ck_assert(o.check_invariants == 0);
	options_free(&o);
	ck_assert_int_eq(PARSE(&o, "--check-invariants", "--vms", "2"), 0);
	ck_assert(o.check_invariants == 0.01);
	ck_assert_uint_eq(o.vms, 2);
	options_free(&o);
	ck_assert_int_eq(PARSE(&o, "--check-invariants=1e-4"), 0);
	ck_assert(o.check_invariants == 1e-4);
	options_free(&o);
	ck_assert_int_eq(PARSE(&o, "--check-invariants=never"), -EINVAL);
	options_free(&o);
	ck_assert_int_eq(PARSE(&o, "--config", path), 0);
	ck_assert(o.check_invariants == 0.01);
	options_free(&o);
	unlink(path);
}
END_TEST

START_TEST(disks_have_modes)
{
	struct run_options o;

	ck_assert_int_eq(PARSE(&o, "--disk", "a", "--disk", "b,c,private", "--disk", "d,ro"), 0);
	ck_assert_uint_eq(o.n_disks, 3);
	ck_assert_str_eq(o.disk[0].path, "a");
	ck_assert_int_eq(o.disk[0].mode, DISK_SHARED);
	ck_assert_str_eq(o.disk[1].path, "b,c");
	ck_assert_int_eq(o.disk[1].mode, DISK_PRIVATE);
	ck_assert_int_eq(o.disk[2].mode, DISK_RO);
	options_free(&o);
	ck_assert_int_eq(PARSE(&o, "--vms", "2", "--disk", "64M,scratch"), 0);
	ck_assert_int_eq(o.disk[0].mode, DISK_SCRATCH);
	ck_assert_uint_eq(o.disk[0].bytes, 64 << 20);
	options_free(&o);
	ck_assert_int_eq(PARSE(&o, "--disk", "none"), 0);
	ck_assert(o.no_disk);
	options_free(&o);
}
END_TEST

static const char run_file[] = "# eight VMs\n"
			       "vms = 8;\nmemory = \"256M\";\nseed = 7L;\nquiet = true;\n"
			       "virtual-timeout = 2.5;\ndisk = [ \"one\", \"two,ro\" ];\n"
			       "exec = \"true\";\n";

START_TEST(a_run_file_sets_what_the_command_line_sets)
{
	char *path = config_file(run_file);
	struct run_options o;

	ck_assert_int_eq(PARSE(&o, "--config", path), 0);
	ck_assert_uint_eq(o.vms, 8);
	ck_assert_uint_eq(o.memory, 256 << 20);
	ck_assert_uint_eq(o.seed, 7);
	ck_assert(o.quiet && o.virtual_timeout == 2.5);
	ck_assert_uint_eq(o.n_disks, 2);
	ck_assert_int_eq(o.disk[1].mode, DISK_RO);
	ck_assert_str_eq(o.exec, "true");
	options_free(&o);
	unlink(path);
}
END_TEST

START_TEST(the_command_line_overrides_the_run_file)
{
	char *path = config_file(run_file);
	struct run_options o;

	/* before and after --config alike; a disk replaces all of the file's */
	ck_assert_int_eq(
		PARSE(&o, "--vms", "2", "--config", path, "--memory=1G", "--disk", "three"), 0);
	ck_assert_uint_eq(o.vms, 2);
	ck_assert_uint_eq(o.memory, 1 << 30);
	ck_assert_uint_eq(o.seed, 7);
	ck_assert_uint_eq(o.n_disks, 1);
	ck_assert_str_eq(o.disk[0].path, "three");
	options_free(&o);
	unlink(path);
}
END_TEST

static const char *const bad_files[] = {
	"vms = \"many\";\n",
	"vms = 0;\n",
	"vms = -1;\n",
	"vms = 1.5;\n",
	"vms = { a = 1; };\n",
	"memory = 1.5;\n",
	"quiet = 1;\n",
	"quiet = \"yes\";\n",
	"disk = [ 1 ;\n",
	"unknown = 1;\n",
	"config = \"other\";\n",
	"disk = ( \"a,nonsense\" );\n",
	"exec = \"\";\n",
	"timeout = 0;\n",
	"machine = ( \"a\" );\n",
};

START_TEST(bad_run_files_are_refused)
{
	char *path = config_file(bad_files[_i]);
	struct run_options o;

	ck_assert_msg(PARSE(&o, "--config", path) < 0, "accepted: %s", bad_files[_i]);
	options_free(&o);
	unlink(path);
}
END_TEST

START_TEST(inputs_and_host_options_are_told_apart)
{
	struct run_options o;
	json_t *inputs, *host;

	ck_assert_int_eq(PARSE(&o, "--threads", "2", "--vms", "3", "--disk", "d"), 0);
	inputs = options_json(&o, false);
	host = options_json(&o, true);
	ck_assert_int_eq(json_integer_value(json_object_get(inputs, "vms")), 3);
	ck_assert_uint_eq(json_array_size(json_object_get(inputs, "disk")), 1);
	ck_assert_ptr_null(json_object_get(inputs, "threads"));
	ck_assert_int_eq(json_integer_value(json_object_get(host, "threads")), 2);
	json_decref(inputs);
	json_decref(host);
	options_free(&o);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("options");
	TCase *t = tcase_create("options");
	SRunner *r;
	int failed;

	tcase_add_test(t, defaults_are_one_debian_vm_on_flash8);
	tcase_add_test(t, ways_of_sharing_add_up);
	tcase_add_test(t, directories_have_tags);
	tcase_add_test(t, choices_are_words_of_their_enum);
	tcase_add_test(t, magic_instructions_are_allowed_to_all_none_or_some);
	tcase_add_test(t, a_kernel_or_firmware_replaces_the_guest);
	tcase_add_test(t, values_have_units_and_the_last_one_wins);
	tcase_add_test(t, checks_have_an_interval_and_need_none);
	tcase_add_test(t, disks_have_modes);
	tcase_add_test(t, a_run_file_sets_what_the_command_line_sets);
	tcase_add_test(t, the_command_line_overrides_the_run_file);
	tcase_add_loop_test(
		t, bad_run_files_are_refused, 0, (int)(sizeof(bad_files) / sizeof(bad_files[0])));
	tcase_add_test(t, inputs_and_host_options_are_told_apart);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
