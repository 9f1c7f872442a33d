// SPDX-License-Identifier: MIT
/*
 * Arithmetic over JSON: precedence, paths and selections, values that are not there, and what is no
 * expression.
 */
#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/base/expr.h"

static const char *const document =
	"{'a': 6, 'b': {'c_1': 2.5, 'yes': true, 'none': null, 'text': 'x'}, 'empty': [],"
	" 'list': [{'k': 'one', 'v': 1}, {'k': 'two', 'v': 2}, {'k': 'two', 'v': 5}, {'k': 'no'}]}";

static json_t *root(void)
{
	char *text = strdup(document);
	json_t *r;

	for (char *c = text; *c; c++)
		if (*c == '\'')
			*c = '"';
	r = json_loads(text, 0, NULL);
	free(text);
	ck_assert_ptr_nonnull(r);
	return r;
}

static const struct {
	const char *text;
	double value;
} good[] = {
	{"1 + 2 * 3", 7},
	{"(1 + 2) * 3", 9},
	{"10 - 4 - 3", 3},
	{"8 / 4 / 2", 1},
	{"-a + 1", -5},
	{"--2", 2},
	{"2 * -3", -6},
	{"1.5e1", 15},
	{"a", 6},
	{" b.c_1 ", 2.5},
	{"b.yes", 1},
	{"list[1].v", 2},
	{"list[k=one].v", 1},
	{"sum(list[k=two].v)", 7},
	{"sum(list[*].v)", 8},
	{"sum(list[*].v * 2 + 1)", 19},
	{"max(list[*].v - list[*].v)", 0},
	{"min(list[*].v)", 1},
	{"max(a, list[*].v)", 6},
	{"mean(list[k=two].v)", 3.5},
	{"count(list[*].v)", 3},
	{"sum(abs(0 - list[*].v))", 8},
	{"first(b.none, 4)", 4},
	{"first(nowhere.at.all, first(nor.here, 5))", 5},
	{"first(a, nowhere)", 6},
	{"1 < 2", 1},
	{"2 <= 2 and 3 >= 4", 0},
	{"2 > 3 or not 0", 1},
	{"not 1 or 1", 1},
	{"not not a", 1},
	{"1 or 1 and 0", 1},
	{"a == 6", 1},
	{"1 + 1 == 2 and a < 7", 1},
};

START_TEST(values)
{
	json_t *r = root();
	char *fault = NULL;
	double v = -99;
	int err = expr_eval(good[_i].text, r, &v, &fault);

	ck_assert_msg(!err, "%s: %s", good[_i].text, fault);
	ck_assert_ptr_null(fault);
	ck_assert_msg(v == good[_i].value, "%s is %g", good[_i].text, v);
	ck_assert_int_eq(expr_check(good[_i].text, &fault), 0);
	json_decref(r);
}
END_TEST

static const struct {
	const char *text;
	int err;
	const char *fault; /* part of it */
	bool form;         /* wrong for any document */
} bad[] = {
	{"", EINVAL, "at the end", true},
	{"1 +", EINVAL, "at the end", true},
	{"1 2", EINVAL, "'2' is too much", true},
	{"(1", EINVAL, "')' is expected", true},
	{"a..b", EINVAL, "a name is expected", true},
	{"list[", EINVAL, "is none of", true},
	{"list[k]", EINVAL, "is none of", true},
	{"list[k=]", EINVAL, "is none of", true},
	{"list[-1]", EINVAL, "is none of", true},
	{"* 2", EINVAL, "before '* 2'", true},
	{"1 < 2 < 3", EINVAL, "too much", true},
	{"first(a)", EINVAL, "','", true},
	{"a / 0", EINVAL, "division by zero", false},
	{"b", EINVAL, "not a number", false},
	{"b.text", EINVAL, "not a number", false},
	{"list[*].v", EINVAL, "3 values where one", false},
	{"sum(list[k=two].v + list[*].v)", EINVAL, "2 values meet 3", false},
	{"sum(empty[*])", ENOENT, "no 'empty[*]'", false},
	{"1 + nowhere.x * 2", ENOENT, "no 'nowhere.x'", false},
	{"a < b.none", ENOENT, "no 'b.none'", false},
	{"first(nowhere, nor.here)", ENOENT, "no 'nor.here'", false},
	{"sumx(1)", EINVAL, "too much", true},
};

START_TEST(faults)
{
	json_t *r = root();
	char *fault = NULL;
	double v = -99;

	ck_assert_msg(expr_eval(bad[_i].text, r, &v, &fault) == -bad[_i].err, "%s: %g, %s",
		bad[_i].text, v, fault ? fault : "no fault");
	ck_assert_msg(fault && strstr(fault, bad[_i].fault), "%s: %s", bad[_i].text, fault);
	ck_assert(v == -99);
	free(fault);
	fault = NULL;
	ck_assert_msg((expr_check(bad[_i].text, &fault) != 0) == bad[_i].form, "%s: %s",
		bad[_i].text, fault ? fault : "no fault");
	free(fault);
	json_decref(r);
}
END_TEST

START_TEST(depth_has_an_end)
{
	char text[4001], *fault = NULL;
	double v;

	for (const char *c = "(-n"; *c; c++) {
		memset(text, *c, sizeof(text) - 1);
		if (*c == 'n')
			for (size_t i = 0; i + 4 < sizeof(text); i += 4)
				memcpy(text + i, "not ", 4);
		text[sizeof(text) - 1] = '\0';
		ck_assert_int_eq(expr_eval(text, NULL, &v, &fault), -EINVAL);
		ck_assert_msg(strstr(fault, "deep"), "%s", fault);
		free(fault);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("expr");
	TCase *t = tcase_create("expr");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, values, 0, (int)(sizeof(good) / sizeof(good[0])));
	tcase_add_loop_test(t, faults, 0, (int)(sizeof(bad) / sizeof(bad[0])));
	tcase_add_test(t, depth_has_an_end);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
