// SPDX-License-Identifier: MIT
/*
 * move-pages N: the time move_pages(2) takes to bring a page of shared memory to another node, in ns:
 * N pages, one call a page, there and back between the first two nodes, while another thread stores
 * to all of them. The monitor does the same for a page of a VM.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, MOVE = 2 /* MPOL_MF_MOVE */ };

static char *base;
static long n_pages;
static volatile int over;

static void *store(void *arg)
{
	for (char v = 1; !over; v++)
		for (long i = 0; i < n_pages && !over; i++)
			*(volatile char *)(base + i * PAGE) = v;
	return arg;
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
	int fd = memfd_create("move-pages", MFD_CLOEXEC), status, node;
	long moved = 0, asked = 0;
	pthread_t thread;
	double began, ns;

	n_pages = argc > 1 ? atol(argv[1]) : 1024;
	if (fd < 0 || ftruncate(fd, n_pages * PAGE))
		return 1;
	base = mmap(NULL, (size_t)n_pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		return 1;
	for (long i = 0; i < n_pages; i++)
		base[i * PAGE] = 1;
	if (pthread_create(&thread, NULL, store, NULL))
		return 1;
	began = now_ns();
	for (int round = 0; round < 4; round++)
		for (long i = 0; i < n_pages; i++) {
			void *page = base + i * PAGE;

			node = round % 2;
			status = -1;
			if (syscall(SYS_move_pages, 0, 1ul, &page, &node, &status, MOVE) < 0) {
				perror("move_pages");
				return 1;
			}
			moved += status == node;
			asked++;
		}
	ns = (now_ns() - began) / (double)asked;
	over = 1;
	pthread_join(thread, NULL);
	if (moved < asked / 2)
		return fprintf(stderr, "move-pages: only %ld of %ld moved\n", moved, asked), 1;
	printf("%.0f\n", ns);
	return 0;
}
