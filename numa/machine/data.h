// SPDX-License-Identifier: MIT
/*
 * Where the program's data is: guests/, papers/ and numa/machine/machines/. Nothing of it is
 * compiled in, so a tree that is copied, moved or packaged works as it is.
 */
#ifndef NUMA_MACHINE_DATA_H
#define NUMA_MACHINE_DATA_H

#include <sys/types.h>

/*
 * The first of these that has numa/machine/machines: $DISCO_DATA alone if it is set; the program's
 * folder; the one above; ../share/disco from the program's folder; up to three more folders above,
 * for the programs deep in a build directory. Folders above are taken only from the program's owner,
 * the user or root, for programs in them are run. The caller frees it. NULL: there is none, after one
 * line on stderr.
 */
char *data_dir(void);

/* The same for a program of this absolute path and owner, and $DISCO_DATA's value (NULL or empty: not
 * set). Says nothing. */
char *data_dir_of(const char *program, uid_t owner, const char *set);

/* DIR/what for the DIR of data_dir(), or NULL as there. The caller frees it. */
char *data_path(const char *what);

#endif
