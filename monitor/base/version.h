// SPDX-License-Identifier: MIT
/*
 * The version of this program, as --version and the statistics tell it.
 */
#ifndef MONITOR_BASE_VERSION_H
#define MONITOR_BASE_VERSION_H

#define DISCO_VERSION "0.1.0"

#endif
