// SPDX-License-Identifier: MIT
/*
 * The cost of an exit: reads a port that the monitor has to answer for, N times, and prints ns for
 * each. An x86-64 Linux program, for root.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/io.h>
#include <time.h>

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 10000;
	struct timespec a, b;
	unsigned sum = 0;

	if (iopl(3)) {
		perror("iopl");
		return 1;
	}
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (long i = 0; i < n; i++)
		sum += inb(0x601);
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("exit %.0f ns, %u\n",
		((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / (double)n,
		sum);
	return 0;
}
