// SPDX-License-Identifier: MIT
/*
 * A byte stream from one VM to another, to see what the subnet makes of it:
 *   stream serve PORT sendfile|write FILE TIMES   send FILE TIMES times to the first who connects
 *   stream fetch HOST PORT                        read it all; print bytes, seconds and a sum
 * sendfile(2) sends pages of the page cache as they are; write(2) has the kernel copy them first.
 * The sum is FNV-1a over 64-bit words at the receiver when SUM is set in its environment.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 1 << 18 };
static char buf[CHUNK] __attribute__((aligned(4096)));

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void send_all(int to, const char *p, size_t n)
{
	for (ssize_t done; n; p += done, n -= (size_t)done)
		if ((done = write(to, p, n)) <= 0)
			fail("write");
}

static void send_file(int to, int file, off_t bytes, int copy)
{
	off_t at = 0;
	ssize_t n;

	while (at < bytes) {
		if (copy) {
			n = pread(file, buf, CHUNK, at);
			if (n > 0)
				send_all(to, buf, (size_t)n), at += n;
		} else {
			n = sendfile(to, file, &at, (size_t)(bytes - at));
		}
		if (n <= 0)
			fail("send");
	}
}

static int serve(const char *port, const char *how, const char *path, long times)
{
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	int s = socket(AF_INET, SOCK_STREAM, 0), file = open(path, O_RDONLY), on = 1, to;
	struct stat st;

	if (file < 0 || fstat(file, &st))
		fail(path);
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(s, (struct sockaddr *)&here, sizeof(here)) || listen(s, 1))
		fail("listen");
	to = accept(s, NULL, NULL);
	if (to < 0)
		fail("accept");
	while (times-- > 0)
		send_file(to, file, st.st_size, !strcmp(how, "write"));
	shutdown(to, SHUT_WR);
	return read(to, buf, 1) < 0; /* until the other end has read it all */
}

static int dial(const char *host, const char *port)
{
	struct addrinfo hint = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *a;
	int s, tries = 0;

	if (getaddrinfo(host, port, &hint, &a))
		fail(host);
	for (;; tries++) {
		s = socket(AF_INET, SOCK_STREAM, 0);
		if (!connect(s, a->ai_addr, a->ai_addrlen))
			return s;
		if (tries == 600)
			fail("connect");
		close(s);
		usleep(100000);
	}
}

static int fetch(const char *host, const char *port)
{
	uint64_t sum = 0xcbf29ce484222325u, total = 0;
	int s = dial(host, port), want_sum = !!getenv("SUM");
	struct timespec a, b;
	size_t have = 0;
	double seconds;

	clock_gettime(CLOCK_MONOTONIC, &a);
	for (;;) {
		ssize_t n = read(s, buf + have, CHUNK - have);

		if (n < 0)
			fail("read");
		if (n == 0)
			break;
		total += (uint64_t)n;
		have += (size_t)n;
		for (size_t i = 0; want_sum && i + 8 <= have; i += 8)
			sum = (sum ^ *(uint64_t *)(buf + i)) * 0x100000001b3u;
		if (want_sum) { /* what is left of a word */
			memmove(buf, buf + (have & ~(size_t)7), have & 7);
			have &= 7;
		} else {
			have = 0;
		}
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	seconds = (double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec);
	printf("%llu bytes %.6f s %.1f MB/s", (unsigned long long)total, seconds,
		(double)total / 1e6 / seconds);
	if (want_sum)
		printf(" sum %016llx", (unsigned long long)sum);
	printf("\n");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 6 && !strcmp(argv[1], "serve"))
		return serve(argv[2], argv[3], argv[4], atol(argv[5]));
	if (argc == 4 && !strcmp(argv[1], "fetch"))
		return fetch(argv[2], argv[3]);
	fprintf(stderr,
		"usage: stream serve PORT sendfile|write FILE TIMES | stream fetch HOST PORT\n");
	return 2;
}
