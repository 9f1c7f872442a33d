// SPDX-License-Identifier: MIT
/*
 * A host directory as virtual machines may see it: a snapshot, taken when it is opened, of names,
 * modes, sizes and times, and the contents of files as blocks of the global buffer cache, read from
 * the host when first wanted. So a file that eight VMs read is in memory once.
 *
 * What guests see is a function of the directory's contents alone, and of how much the host has
 * allocated to each file: nodes are numbered from 1, the root, breadth first and in order of name,
 * and neither the host's inode numbers, owners and access times nor the order in which it lists a
 * directory appear. Symbolic links are shown as such and never followed on the host; devices,
 * sockets, FIFOs and names of more than TREE_MAX_NAME bytes are left out; what is mounted below is
 * shown as an empty directory. A file that has changed since the snapshot answers -ESTALE where it
 * is not in memory yet; its old and new contents are never mixed.
 *
 * A part that cannot be served spoils no other: its node has the error that guests get for it.
 *
 * | on the host | what guests get |
 * |---|---|
 * | a directory that may not be read, or reads with an error | that error, for its list and names |
 * | a directory below TREE_MAX_DEPTH others | ENAMETOOLONG, likewise |
 * | a directory with more entries than are left of TREE_MAX_NODES | EFBIG, likewise |
 * | a name whose attributes may not be read | the name in the list; that error for the rest |
 * | a file that may not be read | its attributes; EACCES for its contents |
 * | a file with which all would have more than 16 TiB | its attributes; EFBIG for its contents |
 * | what vanishes while the snapshot is taken | nothing, as if it had never been |
 *
 * Knows nothing of FUSE or virtio. Everything here is for the boundary (see numa/memory/frame.h).
 */
#ifndef SHARING_TREE_H
#define SHARING_TREE_H

#include <sys/types.h>

#include "sharing/image.h"

enum {
	TREE_ROOT = 1,
	TREE_MAX_NODES = 1 << 20,
	TREE_MAX_DEPTH = 64,
	TREE_MAX_NAME = 255, /* bytes, without the zero */
};

struct tree;

struct tree_node {
	char *name;      /* "" for the root */
	char *target;    /* symbolic links: what they say */
	uint32_t parent; /* the root is its own */
	uint32_t mode;   /* type and permissions as in stat(2); 0: only name and error are known */
	int error;       /* of the node alone: the table above; 0, or a positive errno. With mode 0
			    ENOENT is a directory that vanished: do not show it. */
	uint64_t bytes;  /* files: size; links: length of the target; directories: 0 */
	uint64_t blocks; /* files: what the host has allocated, in units of 512 bytes; others: 0 */
	int64_t mtime_s;
	uint32_t mtime_ns;
	uint32_t n_children,
		first_child;  /* directories: nodes first_child and following, by name */
	uint32_t n_dirs;      /* of the children, directories */
	uint32_t first_block; /* files: in the tree's image */
	dev_t dev;            /* the host's, to tell whether a file is still the same */
	ino_t ino;
};

/*
 * Take the snapshot of the directory `path`. 0; if there are nodes with an error, after one line on
 * stderr. Or a negative errno after a line that says why: `path` itself is no directory or may not
 * be read, or the process has no descriptor or memory left.
 */
int tree_open(struct image_cache *c, const char *path, struct tree **out);
void tree_close(struct tree *t);

/* The image of all files' contents, for statistics. */
struct image *tree_image(const struct tree *t);
uint32_t tree_nodes(const struct tree *t);
/* Node `id`; NULL if there is none. */
const struct tree_node *tree_node(const struct tree *t, uint64_t id);
/* The child of directory `dir` called name; 0 if there is none, or it vanished. */
uint32_t tree_lookup(const struct tree *t, uint32_t dir, const char *name);

/*
 * The frame that holds page `index` of the file `id` (which must be a file and have that page); the
 * last is zero-padded. New frames are of `node`. As image_block(): 0, -ENOMEM, -EIO; and -ESTALE
 * (the file has changed), the node's error, -EACCES, -EMFILE and others that opening it may give.
 */
int tree_block(struct tree *t, uint32_t id, uint32_t index, unsigned node, uint32_t *mpn,
	bool *was_cached);
/* The same page, copied to the PAGE_SIZE bytes at `to` without putting it into the cache. */
int tree_read(struct tree *t, uint32_t id, uint32_t index, void *to);

#endif
