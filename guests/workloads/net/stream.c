// SPDX-License-Identifier: MIT
/*
 * A byte stream from one VM to another, to see what the subnet makes of it:
 *   stream serve PORT sendfile|write FILE TIMES   send FILE TIMES times to the first who connects
 *   stream fetch HOST PORT [FILE]                 read it all, into FILE; print bytes and seconds
 * sendfile(2) sends pages of the page cache as they are; write(2) has the kernel copy them first.
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

static int fetch(const char *host, const char *port, const char *path)
{
	int from = dial(host, port), file = -1;
	struct timespec a, b;
	uint64_t total = 0;
	double seconds;
	ssize_t n;

	if (path && (file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666)) < 0)
		fail(path);
	clock_gettime(CLOCK_MONOTONIC, &a);
	while ((n = read(from, buf, CHUNK)) > 0) {
		total += (uint64_t)n;
		if (path)
			send_all(file, buf, (size_t)n);
	}
	if (n < 0)
		fail("read");
	clock_gettime(CLOCK_MONOTONIC, &b);
	seconds = (double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec);
	printf("%llu bytes %.6f s %.1f MB/s\n", (unsigned long long)total, seconds,
		(double)total / 1e6 / seconds);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 6 && !strcmp(argv[1], "serve"))
		return serve(argv[2], argv[3], argv[4], atol(argv[5]));
	if (argc >= 4 && argc <= 5 && !strcmp(argv[1], "fetch"))
		return fetch(argv[2], argv[3], argv[4]);
	fprintf(stderr, "usage: stream serve PORT sendfile|write FILE TIMES\n"
			"       stream fetch HOST PORT [FILE]\n");
	return 2;
}
