// SPDX-License-Identifier: MIT
/*
 * Requests of bare-metal programs through `tohost`: what is served, and that anything else ends the
 * VM with a line that names it instead of leaving the program waiting.
 */
#include <errno.h>

#include "monitor/boot/htif.h"
#include "monitor/vm/console.h"
#include "tests/small-machine.h"
#include "tests/fake-vm.h"

#define TOHOST   (VM_RAM_BASE + 0x1000)
#define FROMHOST (VM_RAM_BASE + 0x1008)
#define MAGIC    (VM_RAM_BASE + 0x2000)
#define TEXT     (VM_RAM_BASE + 0x3000)

static struct vm *vm;

static void setup(void)
{
	vm = fake_vm_create(true, 16 << 20);
	vm->console = stream_create();
}

static void teardown(void)
{
	stream_destroy(vm->console);
	fake_vm_destroy();
}

static uint64_t word(uint64_t pa)
{
	uint64_t v = 0;

	ck_assert_int_eq(gm_read64(vm, pa, &v), 0);
	return v;
}

static void ask(uint64_t request)
{
	gm_write64(vm, TOHOST, request);
	htif_poll(vm, TOHOST, FROMHOST);
}

static void call(uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2)
{
	const uint64_t args[] = {number, a0, a1, a2};

	gm_write(vm, MAGIC, args, sizeof(args));
	ask(MAGIC);
}

static void expect_output(const char *text)
{
	char got[64];
	size_t n = stream_drain(vm->console, got, sizeof(got));

	ck_assert_uint_eq(n, strlen(text));
	ck_assert_mem_eq(got, text, n);
}

START_TEST(an_odd_word_ends_the_program)
{
	ask(0);
	ck_assert_int_eq(vm->state, VM_RUNNING);
	ask(3 << 1 | 1);
	ck_assert_int_eq(vm->state, VM_OFF);
	ck_assert_int_eq(vm->exit_code, 3);
}
END_TEST

START_TEST(a_character_is_written)
{
	ask(0x0101000000000000 | 'x');
	ck_assert_uint_eq(word(TOHOST), 0);
	expect_output("x");
	htif_poll(vm, TOHOST, FROMHOST); /* once */
	expect_output("");
	ck_assert_int_eq(vm->state, VM_RUNNING);
}
END_TEST

START_TEST(a_character_is_read_when_there_is_one)
{
	ask(0x0100000000000000);
	ck_assert_uint_eq(word(TOHOST), 0);
	ck_assert_uint_eq(word(FROMHOST), 0);
	stream_input(vm->console, "ab", 2);
	htif_poll(vm, TOHOST, FROMHOST);
	ck_assert_uint_eq(word(FROMHOST), 0x0100000000000000 | 'a');
	gm_write64(vm, FROMHOST, 0);
	htif_poll(vm, TOHOST, FROMHOST); /* the other was not asked for */
	ck_assert_uint_eq(word(FROMHOST), 0);
}
END_TEST

START_TEST(write_is_served)
{
	gm_write(vm, TEXT, "hello", 5);
	call(64, 1, TEXT, 5);
	ck_assert_uint_eq(word(TOHOST), 0);
	ck_assert_uint_eq(word(FROMHOST), 1);
	ck_assert_uint_eq(word(MAGIC), 5);
	expect_output("hello");
	call(64, 7, TEXT, 5);
	ck_assert_int_eq((int)word(MAGIC), -EBADF);
	call(64, 1, VM_RAM_BASE + FAKE_RAM_BYTES - 2, 5);
	ck_assert_int_eq((int)word(MAGIC), -EFAULT);
	call(64, 2, TEXT, 0);
	ck_assert_uint_eq(word(MAGIC), 0);
	expect_output("");
	/* A long one in parts. */
	call(64, 2, VM_RAM_BASE, FAKE_RAM_BYTES);
	ck_assert_uint_eq(word(MAGIC), 64 << 10);
	ck_assert_uint_eq(stream_output_bytes(vm->console), 5 + (64 << 10));
	ck_assert_int_eq(vm->state, VM_RUNNING);
}
END_TEST

START_TEST(exit_ends_the_program)
{
	call(93, 7, 0, 0);
	ck_assert_int_eq(vm->state, VM_OFF);
	ck_assert_int_eq(vm->exit_code, 7);
}
END_TEST

START_TEST(other_requests_fail_the_vm_by_name)
{
	static const struct {
		uint64_t request;
		const char *reason;
	} bad[] = {
		{0x0203000000000004, "device 2, command 3"},
		{0x0102000000000000, "device 1, command 2"},
		{0x1000, "outside the VM's memory"},
		{MAGIC + 4, "outside the VM's memory"},
		{MAGIC, "system call 1024"},
	};

	gm_write64(vm, MAGIC, 1024);
	ask(bad[_i].request);
	ck_assert_int_eq(vm->state, VM_FAILED);
	ck_assert_msg(strstr(vm->reason, bad[_i].reason), "reason: %s", vm->reason);
}
END_TEST

START_TEST(a_program_without_the_words_is_left_alone)
{
	gm_write64(vm, VM_RAM_BASE, 1);
	htif_poll(vm, 0, 0);
	ck_assert_int_eq(vm->state, VM_RUNNING);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("htif");
	TCase *t = tcase_create("htif");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, an_odd_word_ends_the_program);
	tcase_add_test(t, a_character_is_written);
	tcase_add_test(t, a_character_is_read_when_there_is_one);
	tcase_add_test(t, write_is_served);
	tcase_add_test(t, exit_ends_the_program);
	tcase_add_loop_test(t, other_requests_fail_the_vm_by_name, 0, 5);
	tcase_add_test(t, a_program_without_the_words_is_left_alone);
	suite_add_tcase(s, t);
	return run_suite(s);
}
