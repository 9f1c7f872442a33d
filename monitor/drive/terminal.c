// SPDX-License-Identifier: MIT
/*
 * Raw mode and the escape key; see terminal.h.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "monitor/drive/terminal.h"

enum { CTRL_A = 1 };

const char terminal_help[] = "\r\nCtrl-A then\r\n"
			     "  x       quit\r\n"
			     "  c       console of the next VM\r\n"
			     "  a       send Ctrl-A to the guest\r\n"
			     "  h       this help\r\n";

static struct termios saved;
static bool raw, lost;

void terminal_restore(void)
{
	if (raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &saved);
	raw = false;
}

void terminal_raw(void)
{
	struct termios t;

	if (raw || tcgetattr(STDIN_FILENO, &saved))
		return;
	t = saved;
	cfmakeraw(&t);
	atexit(terminal_restore);
	raw = !tcsetattr(STDIN_FILENO, TCSANOW, &t);
}

size_t terminal_filter(
	struct terminal_filter *f, char *bytes, size_t n, size_t *used, enum terminal_key *key)
{
	size_t out = 0, i = 0;

	*key = TERMINAL_NONE;
	while (i < n && *key == TERMINAL_NONE) {
		char c = bytes[i++];

		if (!f->escaped && c == CTRL_A) {
			f->escaped = true;
			continue;
		}
		if (!f->escaped || c == 'a' || c == CTRL_A)
			bytes[out++] = f->escaped ? CTRL_A : c;
		else if (c == 'x')
			*key = TERMINAL_QUIT;
		else if (c == 'c')
			*key = TERMINAL_NEXT;
		else
			*key = TERMINAL_HELP;
		f->escaped = false;
	}
	*used = i;
	return out;
}

bool terminal_lost(void)
{
	return lost;
}

void terminal_write(const char *bytes, size_t n)
{
	while (n && !lost) {
		ssize_t done = write(STDOUT_FILENO, bytes, n);

		if (done < 0 && errno == EAGAIN) {
			struct pollfd p = {STDOUT_FILENO, POLLOUT, 0};

			poll(&p, 1, 1000);
		} else if (done < 0 && errno != EINTR) {
			lost = true;
		} else if (done > 0) {
			bytes += done;
			n -= (size_t)done;
		}
	}
}
