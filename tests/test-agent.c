// SPDX-License-Identifier: MIT
/*
 * What guests say on their consoles: output is printed by whole lines however it is cut, the agent's
 * words move a guest from booting to done in that order alone, and nothing else a guest says does.
 */
#include <check.h>
#include <string.h>
#include <unistd.h>

#include "monitor/drive/agent.h"
#include "monitor/report/report.h"
#include "monitor/report/snapshot.h"
#include "monitor/vm/console.h"
#include "tests/sim-vm.h"

static struct run r;
static struct guest guest;
static struct run_options options;
static int screen; /* the file that standard output is */

static void setup(void)
{
	char name[] = "/tmp/disco-test-XXXXXX";

	screen = mkstemp(name);
	ck_assert_int_ge(screen, 0);
	unlink(name);
	fflush(stdout);
	ck_assert_int_eq(dup2(screen, STDOUT_FILENO), STDOUT_FILENO);
	sim_create(1);
	memset(&r, 0, sizeof(r));
	memset(&guest, 0, sizeof(guest));
	options = (struct run_options){.vms = 1, .vcpus = 1, .exec = (char *)"true", .quiet = true};
	guest.vm = sim_vm(1, false);
	strcpy(guest.vm->name, "vm0");
	guest_init(&guest);
	guest.uart = stream_create();
	guest.out = stream_create();
	guest.agent = stream_create();
	r.options = &options;
	r.machine = &sim_machine;
	r.cluster = sim;
	r.guest = &guest;
	report_open(&r);
}

static void teardown(void)
{
	report_close(&r);
	guest_free(&guest);
	sim_destroy();
	close(screen);
}

static void say(struct stream *s, const char *text)
{
	stream_output(s, text, strlen(text));
	agent_poll(&r);
}

/* All that was printed so far. */
static const char *printed(void)
{
	static char text[64 << 10];
	ssize_t n;

	fflush(stdout);
	n = pread(screen, text, sizeof(text) - 1, 0);
	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	return text;
}

START_TEST(output_is_printed_by_lines)
{
	say(guest.out, "one\r\ntw");
	ck_assert_str_eq(printed(), "vm0| one\n");
	say(guest.out, "o");
	ck_assert_str_eq(printed(), "vm0| one\n");
	say(guest.out, "\n\nthree\n");
	ck_assert_str_eq(printed(), "vm0| one\nvm0| two\nvm0| \nvm0| three\n");
}
END_TEST

START_TEST(a_line_without_end_is_cut)
{
	char text[LINE_MAX_BYTES + 11];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	say(guest.out, text);
	ck_assert_uint_eq(strlen(printed()), strlen("vm0| \n") + LINE_MAX_BYTES - 1);
	say(guest.out, "\n");
	ck_assert_uint_eq(strlen(printed()), 2 * strlen("vm0| \n") + sizeof(text) - 1);
}
END_TEST

START_TEST(what_has_no_newline_is_printed_in_the_end)
{
	say(guest.agent, "ready\n");
	say(guest.out, "last");
	ck_assert_str_eq(printed(), "");
	say(guest.agent, "exit 0\n");
	agent_poll(&r);
	ck_assert_str_eq(printed(), "vm0| last\n");
}
END_TEST

START_TEST(the_agents_words_come_in_order)
{
	say(guest.agent, "exit 0\n");
	ck_assert_int_eq(guest.phase, GUEST_BOOTING);
	r.cluster.now = 100;
	say(guest.agent, "rea");
	say(guest.agent, "dy\r\n");
	ck_assert_int_eq(guest.phase, GUEST_READY);
	ck_assert_uint_eq(guest.ready_at, 100);
	ck_assert_uint_eq(r.n_up, 1);
	r.cluster.now = 200;
	say(guest.agent, "ready\nready \nwarm\n");
	ck_assert_uint_eq(r.n_up, 1);
	ck_assert(!r.template.reached);
	say(guest.agent, "exit 7\nexit 8\n");
	ck_assert_int_eq(guest.phase, GUEST_EXITED);
	ck_assert_int_eq(guest.exit_status, 7);
	ck_assert_uint_eq(guest.exit_at, 200);
	vm_power_off(guest.vm, 0);
	agent_poll(&r);
	ck_assert_int_eq(guest.phase, GUEST_FAILED);
	ck_assert_str_eq(guest.failure, "the command ended with status 7");
}
END_TEST

START_TEST(a_status_is_a_number_below_256)
{
	static const char *const bad[] = {
		"exit \n", "exit -1\n", "exit 256\n", "exit 1x\n", "exit 99999999999999999999\n"};

	say(guest.agent, "ready\n");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		say(guest.agent, bad[i]);
		ck_assert_msg(guest.phase == GUEST_READY, "%s", bad[i]);
	}
	say(guest.agent, "exit 255\n");
	ck_assert_int_eq(guest.exit_status, 255);
}
END_TEST

START_TEST(guests_are_judged_when_they_stop)
{
	vm_power_off(guest.vm, _i == 1 ? 3 : 0);
	if (_i == 2)
		r.interactive = true;
	agent_finish(&r);
	ck_assert_int_eq(guest.phase, _i == 2 ? GUEST_DONE : GUEST_FAILED);
	ck_assert_str_eq(guest.failure, _i == 0   ? "powered off before the command ended"
					: _i == 1 ? "powered off with exit code 3"
						  : "");
	ck_assert_str_eq(r.snapshots->list[r.snapshots->n - 1].event, "end");
}
END_TEST

/* Machine time that passes without a word of the guest, once it was heard. */
static void be_silent(uint64_t seconds)
{
	r.cluster.now += seconds * sim_machine.clock_hz;
	agent_poll(&r);
}

START_TEST(a_boot_that_stays_silent_fails)
{
	say(guest.uart, "Linux\n");
	be_silent(59);
	say(guest.uart, "version\n");
	be_silent(59);
	ck_assert_int_eq(guest.vm->state, VM_RUNNING);
	be_silent(2);
	ck_assert_int_eq(guest.vm->state, VM_FAILED);
}
END_TEST

/* A host that is slow is no fault of the guest's. */
START_TEST(by_the_hosts_clock_a_boot_may_take_long)
{
	struct engine slow = *sim.engine;

	slow.host_time = true;
	r.cluster.engine = &slow;
	say(guest.uart, "Linux\n");
	be_silent(300);
	ck_assert_int_eq(guest.vm->state, VM_RUNNING);
	be_silent(301);
	ck_assert_int_eq(guest.vm->state, VM_FAILED);
	r.cluster.engine = sim.engine;
}
END_TEST

START_TEST(the_consoles_end_is_kept)
{
	char *tail;

	say(guest.uart, "one\ntwo\nthree");
	tail = guest_console_tail(&guest, 2);
	ck_assert_str_eq(tail, "two\nthree");
	free(tail);
	tail = guest_console_tail(&guest, 100);
	ck_assert_str_eq(tail, "one\ntwo\nthree");
	free(tail);
	for (unsigned i = 0; i < CONSOLE_TAIL_BYTES; i++)
		say(guest.uart, "abc");
	tail = guest_console_tail(&guest, 2);
	ck_assert_uint_eq(strlen(tail), CONSOLE_TAIL_BYTES);
	ck_assert_str_eq(tail + CONSOLE_TAIL_BYTES - 3, "abc");
	free(tail);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("agent");
	TCase *t = tcase_create("agent");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, output_is_printed_by_lines);
	tcase_add_test(t, a_line_without_end_is_cut);
	tcase_add_test(t, what_has_no_newline_is_printed_in_the_end);
	tcase_add_test(t, the_agents_words_come_in_order);
	tcase_add_test(t, a_status_is_a_number_below_256);
	tcase_add_loop_test(t, guests_are_judged_when_they_stop, 0, 3);
	tcase_add_test(t, a_boot_that_stays_silent_fails);
	tcase_add_test(t, by_the_hosts_clock_a_boot_may_take_long);
	tcase_add_test(t, the_consoles_end_is_kept);
	suite_add_tcase(s, t);
	return run_suite(s);
}
