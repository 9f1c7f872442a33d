// SPDX-License-Identifier: MIT
/*
 * Clients of a run's socket, by real connections: one that never says what it wants loses its place
 * after a while, one that has said it keeps it, and one that finds no place is told so.
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "monitor/drive/inputs.h"
#include "monitor/drive/rundir.h"
#include "monitor/vm/console.h"
#include "tests/sim-vm.h"

enum { PLACES = 16 };

static char runtime[] = "/tmp/test-inputs-XXXXXX", dir[64];
static struct run r;
static struct guest guest;
static struct run_options options;

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(runtime));
	setenv("XDG_RUNTIME_DIR", runtime, 1);
	ck_assert_int_eq(rundir_open(dir, sizeof(dir)), 0);
	sim_create(1);
	memset(&r, 0, sizeof(r));
	memset(&guest, 0, sizeof(guest));
	options = (struct run_options){.vms = 1, .name = (char *)"inputs", .quiet = true};
	guest.vm = sim_vm(1, false);
	guest_init(&guest);
	guest.uart = stream_create();
	r.options = &options;
	r.machine = &sim_machine;
	r.cluster = sim;
	r.guest = &guest;
	ck_assert_int_eq(inputs_open(&r), 0);
}

static void teardown(void)
{
	inputs_close(&r);
	guest_free(&guest);
	sim_destroy();
	rmdir(dir);
	rmdir(runtime);
}

/* Boundaries of a run whose guest is busy, a few milliseconds of the host's apart. */
static void boundaries(unsigned n)
{
	while (n--) {
		nanosleep(&(struct timespec){0, 4000000}, NULL);
		inputs_poll(&r, 0);
	}
}

static int client(const char *hello)
{
	char name[64];
	int fd = rundir_connect(dir, "inputs", name, sizeof(name));

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(send(fd, hello, strlen(hello), MSG_NOSIGNAL), (ssize_t)strlen(hello));
	boundaries(3);
	return fd;
}

/* What the run has sent. False: it has hung up since. */
static bool told(int fd, char *text, size_t bytes)
{
	size_t n = 0;
	ssize_t got;

	while ((got = recv(fd, text + n, bytes - 1 - n, MSG_DONTWAIT)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	return got < 0 && errno == EAGAIN;
}

START_TEST(idle_clients_give_up_their_places)
{
	char text[1000];
	int fd[PLACES], late;

	fd[0] = client("0\n");
	for (unsigned i = 1; i < PLACES; i++)
		fd[i] = client(i == 1 ? "0" : ""); /* a line that does not end is none */
	late = client("0\n");
	ck_assert(!told(late, text, sizeof(text)));
	ck_assert_str_eq(
		text, "this run has as many clients as it takes: detach another first\r\n");
	close(late);
	for (unsigned i = 1; i < PLACES; i++) {
		while (told(fd[i], text, sizeof(text)))
			boundaries(10);
		ck_assert_str_eq(
			text, "the first line, which says what a client wants, did not come\r\n");
		close(fd[i]);
	}
	/* Its place is another's now; who watches a console may be silent for long. */
	late = client("0\n");
	ck_assert(told(late, text, sizeof(text)));
	ck_assert(told(fd[0], text, sizeof(text)));
	ck_assert_str_eq(text, "");
	inputs_show(&r, &guest, "hello", 5);
	ck_assert(told(fd[0], text, sizeof(text)));
	ck_assert_str_eq(text, "hello");
	close(fd[0]);
	close(late);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("inputs");
	TCase *t = tcase_create("inputs");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, idle_clients_give_up_their_places);
	suite_add_tcase(s, t);
	return run_suite(s);
}
