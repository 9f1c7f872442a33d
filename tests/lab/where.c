// SPDX-License-Identifier: MIT
/*
 * where [-v] PID [TEXT|@FILE]: on which nodes the machine memory of a running disco is, said by the
 * kernel.
 *
 * The monitor's memory files are opened by its descriptors, mapped here, and each page of them that
 * exists is looked for by move_pages(2). Nothing of the monitor's own bookkeeping comes in, but
 * that a file's name says which node it is for; a page found elsewhere is an error. Prints a line
 * for each node: `node N PAGES`. With TEXT only pages count that begin so: the pages which a
 * program in a guest marked, wherever they have come; frames that pages left keep their bytes until
 * they are used again, and count. With @FILE only those that are its first page. With -v only what
 * is in VMs' memslot mappings counts, once for each VM that sees it, as the kernel's list of the
 * monitor's mappings has it: but for the mapping of a whole file, which is the monitor's own.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PAGE = 4096, NODES = 64 };

static unsigned long count[NODES];
static int wrong;
static char *base_of[NODES]; /* the files, mapped here */
static size_t bytes_of[NODES];
static const char *text; /* how pages begin that count; NULL: all do */
static size_t n_text;

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "where: %s: %m\n", what);
	exit(1);
}

static void look(void *page, int expected)
{
	int status = -1;

	/* Mapped here only when touched; not holes, so nothing is allocated. */
	*(volatile char *)page;
	if (syscall(SYS_move_pages, 0, 1ul, &page, NULL, &status, 0))
		die("move_pages");
	if (status < 0 || status >= NODES) {
		errno = -status;
		die("a page is nowhere");
	}
	count[status]++;
	if (status != expected && !wrong++)
		fprintf(stderr, "where: a page of disco-node%d is on node %d\n", expected, status);
}

/* Looks at the pages of a file, unless only memslot mappings count. */
static void file(const char *path, int node, bool mapped_only)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *base;
	off_t at = 0;

	if (fd < 0 || fstat(fd, &st))
		die(path);
	base = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		die("mmap");
	base_of[node] = base;
	bytes_of[node] = (size_t)st.st_size;
	while (!mapped_only && (at = lseek(fd, at, SEEK_DATA)) >= 0) {
		off_t end = lseek(fd, at, SEEK_HOLE);

		for (; at < end; at += PAGE)
			if (!text || !memcmp(base + at, text, n_text))
				look(base + at, node);
	}
	close(fd);
}

static void memslots(const char *pid)
{
	char path[64], line[400];
	unsigned long begin, end, at;
	int node;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", atoi(pid));
	f = fopen(path, "r");
	if (!f)
		die(path);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx %*s %lx %*s %*s /memfd:disco-node%d", &begin, &end, &at,
			    &node) != 4 ||
			node < 0 || node >= NODES || (!at && end - begin == bytes_of[node]))
			continue;
		for (; begin < end; begin += PAGE, at += PAGE)
			if (!text || !memcmp(base_of[node] + at, text, n_text))
				look(base_of[node] + at, node);
	}
	fclose(f);
}

static void want(const char *what)
{
	static char page[PAGE];

	text = what;
	n_text = strlen(what);
	if (*what == '@') {
		int fd = open(what + 1, O_RDONLY | O_CLOEXEC);

		if (fd < 0 || read(fd, page, PAGE) != PAGE)
			die(what + 1);
		close(fd);
		text = page;
		n_text = PAGE;
	}
}

int main(int argc, char **argv)
{
	bool mapped_only = argc > 1 && !strcmp(argv[1], "-v");
	char dir[64], path[400], name[200];
	struct dirent *entry;
	int node, nodes = 0;
	DIR *fds;

	argc -= mapped_only;
	argv += mapped_only;
	if (argc < 2 || argc > 3 || (argc == 3 && strlen(argv[2]) > PAGE)) {
		fprintf(stderr, "usage: where [-v] PID [TEXT|@FILE]\n");
		return 2;
	}
	if (argc == 3)
		want(argv[2]);
	snprintf(dir, sizeof(dir), "/proc/%d/fd", atoi(argv[1]));
	fds = opendir(dir);
	if (!fds)
		die(dir);
	while ((entry = readdir(fds))) {
		ssize_t n;

		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		n = readlink(path, name, sizeof(name) - 1);
		if (n < 0)
			continue;
		name[n] = '\0';
		if (sscanf(name, "/memfd:disco-node%d", &node) != 1 || node < 0 || node >= NODES)
			continue;
		file(path, node, mapped_only);
		nodes = node >= nodes ? node + 1 : nodes;
	}
	closedir(fds);
	if (mapped_only)
		memslots(argv[1]);
	for (node = 0; node < nodes; node++)
		printf("node %d %lu\n", node, count[node]);
	if (!nodes)
		fprintf(stderr, "where: process %s has no machine memory\n", argv[1]);
	return !nodes || wrong;
}
