// SPDX-License-Identifier: MIT
/*
 * The names of the ways of sharing, for options and statistics.
 */
#include "sharing/share.h"

const char *const share_name[SHARE_MECHANISMS] = {
	"boot", "disk", "zero", "content", "net", "files", "free"};
