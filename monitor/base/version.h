// SPDX-License-Identifier: MIT
/*
 * Which program this is. version.sh makes both of the tree at each build; only version.c includes
 * what it made, so a commit does not compile anything else anew.
 */
#ifndef MONITOR_BASE_VERSION_H
#define MONITOR_BASE_VERSION_H

/* As `git describe --always --dirty` has it; without git the top version of CHANGELOG.md. */
extern const char disco_version[];
/* A hash of the sources that decide what statistics a run has. Results of another are stale. */
extern const char disco_model[];

#endif
