// SPDX-License-Identifier: MIT
/*
 * Which program this is; see version.h.
 */
#include "monitor/base/version.h"
#include "version-made.h"

const char disco_version[] = DISCO_VERSION;
const char disco_model[] = DISCO_MODEL;
