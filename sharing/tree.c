// SPDX-License-Identifier: MIT
/*
 * Exported directories: see tree.h. The walk is breadth first, so a directory's children stand side
 * by side in the table of nodes, sorted, and are found by bisection; no other structure is needed.
 *
 * All files of a tree are one image, in which each begins at a block. With an image for each file,
 * each would need an owner and an open descriptor. With one image, open descriptors are a small
 * cache: closing one loses nothing, and a tree of a hundred thousand files needs no more of them.
 * Paths are walked from the root's descriptor, name by name, without following links: even if the
 * directory changes meanwhile, no file outside it is opened.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sharing/tree.h"

enum { OPEN_FILES = 64 };

struct tree {
	char *path;
	int root;
	dev_t dev;
	struct image *image;
	struct tree_node *node; /* node[id]; [0] is unused */
	uint32_t n_nodes, room; /* [0] counted */
	uint32_t *file;         /* ids of files that are not empty, by first_block */
	uint32_t n_files;
	uint64_t n_blocks;
	uint32_t n_errors; /* nodes with an error other than having vanished */
	char *first_error; /* the message about the first of them */
	struct {
		uint32_t id; /* 0: none */
		int fd;
	} open[OPEN_FILES]; /* by id modulo their number */
};

/* ---- the host's files -------------------------------------------------------------------- */

/* Open node `id` as O_RDONLY | flags. A descriptor or a negative errno. */
static int node_open(const struct tree *t, uint32_t id, int flags)
{
	uint32_t way[TREE_MAX_DEPTH];
	unsigned depth = 0;
	int fd = t->root, next;

	flags |= O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	if (id == TREE_ROOT) {
		next = openat(fd, ".", flags);
		return next < 0 ? -errno : next;
	}
	for (; id != TREE_ROOT; id = t->node[id].parent)
		way[depth++] = id;
	while (depth--) {
		next = openat(fd, t->node[way[depth]].name,
			depth ? O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC : flags);
		if (next < 0)
			next = -errno;
		if (fd != t->root)
			close(fd);
		if (next < 0)
			return next;
		fd = next;
	}
	return fd;
}

static bool unchanged(const struct tree_node *n, int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_dev == n->dev &&
	       st.st_ino == n->ino && (uint64_t)st.st_size == n->bytes &&
	       st.st_mtim.tv_sec == n->mtime_s && st.st_mtim.tv_nsec == (long)n->mtime_ns;
}

/* A descriptor of file `id`; the tree keeps it and closes it. */
static int file_descriptor(struct tree *t, uint32_t id)
{
	unsigned i = id % OPEN_FILES;
	int fd;

	if (t->open[i].id == id)
		return t->open[i].fd;
	fd = node_open(t, id, 0);
	if (fd < 0) /* the name was there, and was no link */
		return fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP ? -ESTALE : fd;
	if (t->open[i].id)
		close(t->open[i].fd);
	t->open[i].id = id;
	t->open[i].fd = fd;
	return fd;
}

static void forget_descriptor(struct tree *t, uint32_t id)
{
	unsigned i = id % OPEN_FILES;

	if (t->open[i].id == id) {
		close(t->open[i].fd);
		t->open[i].id = 0;
	}
}

int tree_read(struct tree *t, uint32_t id, uint32_t index, void *to)
{
	const struct tree_node *n = &t->node[id];
	uint64_t at = (uint64_t)index << PAGE_SHIFT;
	size_t bytes = (size_t)MIN(n->bytes - at, (uint64_t)PAGE_SIZE), done = 0;
	int fd;

	if (n->error)
		return -n->error;
	fd = file_descriptor(t, id);
	if (fd < 0)
		return fd;
	while (done < bytes) {
		ssize_t got = pread(fd, (char *)to + done, bytes - done, (off_t)(at + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -EIO;
		if (!got)
			break;
		done += (size_t)got;
	}
	/* Check after the read, to see a change during it, too. */
	if (done < bytes || !unchanged(n, fd)) {
		forget_descriptor(t, id); /* another file may have taken the name */
		return -ESTALE;
	}
	memset((char *)to + bytes, 0, PAGE_SIZE - bytes);
	return 0;
}

/* The file that a block of the image belongs to: the last one that begins at or before it. */
static int read_block(void *arg, uint32_t block, void *to)
{
	struct tree *t = arg;
	uint32_t low = 0, high = t->n_files;

	while (high - low > 1) {
		uint32_t mid = (low + high) / 2;

		if (t->node[t->file[mid]].first_block <= block)
			low = mid;
		else
			high = mid;
	}
	return tree_read(t, t->file[low], block - t->node[t->file[low]].first_block, to);
}

/* ---- the snapshot ------------------------------------------------------------------------ */

static char *node_path(const struct tree *t, uint32_t id)
{
	char *path = xstrdup(""), *longer;

	for (; id != TREE_ROOT; id = t->node[id].parent) {
		longer = xasprintf("/%s%s", t->node[id].name, path);
		free(path);
		path = longer;
	}
	longer = xasprintf("%s%s", t->path, path);
	free(path);
	return longer;
}

/* Guests get `err` for node `id` alone. why: the message; NULL: strerror(). */
static void set_error(struct tree *t, uint32_t id, int err, const char *why)
{
	char *path;

	t->node[id].error = err;
	if (t->n_errors++)
		return;
	path = node_path(t, id);
	t->first_error = xasprintf("%s: %s", path, why ? why : strerror(err));
	free(path);
}

static bool is_gone(int err)
{
	return err == ENOENT || err == ENOTDIR || err == ELOOP || err == ESTALE;
}

/* Errors of the process, not of one file or directory: the whole snapshot must fail. */
static bool is_ours(int err)
{
	return err == EMFILE || err == ENFILE || err == ENOMEM;
}

static void set_attributes(struct tree_node *n, const struct stat *st)
{
	n->mode = st->st_mode;
	n->mtime_s = st->st_mtim.tv_sec;
	n->mtime_ns = (uint32_t)st->st_mtim.tv_nsec;
	n->dev = st->st_dev;
	n->ino = st->st_ino;
}

static uint32_t add_node(struct tree *t, uint32_t parent, const char *name)
{
	if (t->n_nodes == t->room) {
		t->room *= 2;
		t->node = xrealloc(t->node, t->room * sizeof(*t->node));
	}
	t->node[t->n_nodes] = (struct tree_node){.name = xstrdup(name), .parent = parent};
	return t->n_nodes++;
}

static void add_file(struct tree *t, uint32_t id, const struct stat *st)
{
	struct tree_node *n = &t->node[id];
	uint64_t pages;

	n->bytes = (uint64_t)st->st_size;
	n->blocks = (uint64_t)st->st_blocks;
	n->first_block = (uint32_t)t->n_blocks;
	pages = n->bytes / PAGE_SIZE + (n->bytes % PAGE_SIZE != 0);
	if (t->n_blocks + pages < MPN_NONE)
		t->n_blocks += pages;
	else
		set_error(t, id, EFBIG, "with it, more than 16 TiB");
}

/* Add the entry `name` of the directory open as `fd`; adds nothing if it has vanished. */
static void add_child(struct tree *t, uint32_t dir, int fd, const char *name)
{
	char target[PATH_MAX];
	ssize_t length = 0;
	struct stat st;
	uint32_t id;
	int err = 0;

	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW))
		err = errno;
	else if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode) && !S_ISLNK(st.st_mode))
		return;
	if (!err && S_ISLNK(st.st_mode)) {
		length = readlinkat(fd, name, target, sizeof(target) - 1);
		if (length < 0)
			err = errno == EINVAL ? ENOENT : errno; /* a link no longer */
	}
	if (is_gone(err))
		return;
	id = add_node(t, dir, name);
	t->node[dir].n_children++;
	if (err) {
		set_error(t, id, err, NULL);
		return;
	}
	set_attributes(&t->node[id], &st);
	t->node[dir].n_dirs += S_ISDIR(st.st_mode);
	if (S_ISLNK(st.st_mode)) {
		target[length] = '\0';
		t->node[id].target = xstrdup(target);
		t->node[id].bytes = (uint64_t)length;
	} else if (S_ISREG(st.st_mode)) {
		add_file(t, id, &st);
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in a directory, sorted, at most `room`. 0 or an errno. */
static int read_names(DIR *d, uint32_t room, char ***names, uint32_t *n_names)
{
	struct dirent *entry;
	char **name = NULL;
	uint32_t n = 0;
	int err;

	while (errno = 0, (entry = readdir(d))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") ||
			strlen(entry->d_name) > TREE_MAX_NAME)
			continue;
		if (n == room) {
			errno = EFBIG;
			break;
		}
		if (!(n & (n - 1)))
			name = xrealloc(name, (n ? 2 * (size_t)n : 1) * sizeof(*name));
		name[n++] = xstrdup(entry->d_name);
	}
	err = errno;
	if (n)
		qsort(name, n, sizeof(*name), by_name);
	*names = name;
	*n_names = n;
	return err;
}

/* Takes over the descriptor. 0 or an errno: then the directory has no children. */
static int read_directory(struct tree *t, uint32_t dir, int fd)
{
	uint32_t room = TREE_MAX_NODES - tree_nodes(t), n;
	DIR *d = fdopendir(fd);
	char **name;
	int err;

	if (!d)
		die("fdopendir: %s", strerror(errno));
	err = read_names(d, room, &name, &n);
	for (uint32_t i = 0; i < n; i++) {
		if (!err)
			add_child(t, dir, fd, name[i]);
		free(name[i]);
	}
	free(name);
	closedir(d);
	return err;
}

static unsigned depth_of(const struct tree *t, uint32_t id)
{
	unsigned depth = 0;

	for (; id != TREE_ROOT; id = t->node[id].parent)
		depth++;
	return depth;
}

/* 0 or an errno. */
static int walk_directory(struct tree *t, uint32_t id)
{
	struct stat st;
	int fd;

	t->node[id].first_child = t->n_nodes;
	if (t->node[id].dev != t->dev)
		return 0;
	if (depth_of(t, id) == TREE_MAX_DEPTH)
		return ENAMETOOLONG;
	fd = node_open(t, id, O_DIRECTORY);
	if (fd < 0)
		return -fd;
	if (fstat(fd, &st))
		die("fstat: %s", strerror(errno));
	set_attributes(&t->node[id], &st); /* another may have taken the name meanwhile */
	if (st.st_dev == t->dev)
		return read_directory(t, id, fd);
	close(fd);
	return 0;
}

/* The message for an error of walk_directory() that is a limit of ours; else NULL. */
static const char *limit_of(int err)
{
	return err == EFBIG ? "its tree has more files and directories than can be exported"
	       : err == ENAMETOOLONG ? "too deep"
				     : NULL;
}

static int walk(struct tree *t)
{
	for (uint32_t id = TREE_ROOT; id < t->n_nodes; id++) {
		struct tree_node *n = &t->node[id];
		int err = S_ISDIR(n->mode) ? walk_directory(t, id) : 0;

		n = &t->node[id];
		if (!err)
			continue;
		if (id == TREE_ROOT || is_ours(err))
			return complain(err, "%s: %s", t->path, strerror(err));
		if (is_gone(err)) {
			t->node[n->parent].n_dirs--;
			n->mode = 0;
			n->error = ENOENT;
		} else {
			set_error(t, id, err, limit_of(err));
		}
	}
	if (t->n_errors > 1)
		complain(EIO, "%s; guests get an error there and at %u other%s", t->first_error,
			t->n_errors - 1, t->n_errors > 2 ? "s" : "");
	else if (t->n_errors)
		complain(EIO, "%s; guests get an error there", t->first_error);
	return 0;
}

static void list_files(struct tree *t)
{
	t->file = xcalloc(t->n_nodes, sizeof(*t->file));
	for (uint32_t id = TREE_ROOT; id < t->n_nodes; id++)
		if (S_ISREG(t->node[id].mode) && t->node[id].bytes && !t->node[id].error)
			t->file[t->n_files++] = id;
}

int tree_open(struct image_cache *c, const char *path, struct tree **out)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;
	struct stat st;
	struct tree *t;

	if (fd < 0)
		return complain(errno, "%s: %s", path, strerror(errno));
	if (fstat(fd, &st))
		die("%s: %s", path, strerror(errno));
	t = xcalloc(1, sizeof(*t));
	t->path = xstrdup(path);
	t->root = fd;
	t->dev = st.st_dev;
	t->room = 64;
	t->node = xcalloc(t->room, sizeof(*t->node));
	t->n_nodes = TREE_ROOT;
	set_attributes(&t->node[add_node(t, TREE_ROOT, "")], &st);
	err = walk(t);
	if (!err) {
		list_files(t);
		t->image = image_from_source(
			c, path, t->n_blocks << PAGE_SHIFT, FRAME_CACHE, read_block, t);
		*out = t;
	} else {
		tree_close(t);
	}
	return err;
}

void tree_close(struct tree *t)
{
	if (!t)
		return;
	image_close(t->image);
	for (unsigned i = 0; i < OPEN_FILES; i++)
		if (t->open[i].id)
			close(t->open[i].fd);
	for (uint32_t id = TREE_ROOT; id < t->n_nodes; id++) {
		free(t->node[id].name);
		free(t->node[id].target);
	}
	free(t->node);
	free(t->file);
	free(t->first_error);
	close(t->root);
	free(t->path);
	free(t);
}

/* ---- names and contents ------------------------------------------------------------------ */

struct image *tree_image(const struct tree *t)
{
	return t->image;
}

uint32_t tree_nodes(const struct tree *t)
{
	return t->n_nodes - TREE_ROOT;
}

const struct tree_node *tree_node(const struct tree *t, uint64_t id)
{
	return id >= TREE_ROOT && id < t->n_nodes ? &t->node[id] : NULL;
}

uint32_t tree_lookup(const struct tree *t, uint32_t dir, const char *name)
{
	uint32_t low = t->node[dir].first_child, high = low + t->node[dir].n_children;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		int order = strcmp(name, t->node[mid].name);

		if (!order)
			return t->node[mid].error == ENOENT ? 0 : mid;
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return 0;
}

int tree_block(
	struct tree *t, uint32_t id, uint32_t index, unsigned node, uint32_t *mpn, bool *was_cached)
{
	if (t->node[id].error)
		return -t->node[id].error;
	return image_block(t->image, t->node[id].first_block + index, node, mpn, was_cached);
}
