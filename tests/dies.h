// SPDX-License-Identifier: MIT
/*
 * How a function ends the program. It runs in a child process, because it must not return, and the
 * test checks the exit status and at what was said on stderr.
 */
#ifndef TESTS_DIES_H
#define TESTS_DIES_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What dies may lose memory, of which a sanitizer would tell. */
static inline void leave_at_once(int status, void *unused)
{
	(void)unused;
	_exit(status);
}

/* f(arg) must end the program with exit status 70 and one line that has `needle`; or, with a NULL
 * needle, return and say nothing. */
static inline void dies(const char *name, void (*f)(void *), void *arg, const char *needle)
{
	int fd[2], status;
	char said[1000];
	size_t n = 0;
	ssize_t got;
	pid_t child;

	ck_assert_int_eq(pipe(fd), 0);
	child = fork();
	if (!child) {
		dup2(fd[1], STDERR_FILENO);
		on_exit(leave_at_once, NULL);
		f(arg);
		_exit(0);
	}
	close(fd[1]);
	while (n < sizeof(said) - 1 && (got = read(fd[0], said + n, sizeof(said) - 1 - n)) > 0)
		n += (size_t)got;
	said[n] = '\0';
	close(fd[0]);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == (needle ? 70 : 0),
		"%s: status %#x, said: %s", name, status, said);
	ck_assert_msg(needle ? strstr(said, needle) != NULL : !*said, "%s said: %s", name, said);
	ck_assert_msg(
		!needle || strchr(said, '\n') == said + n - 1, "%s: one line, not: %s", name, said);
}

#endif
