// SPDX-License-Identifier: MIT
/*
 * Text that a guest chose, on its way to a terminal. It must not drive that: set its title, read its
 * clipboard, move its cursor, hide what stands there. Any thread.
 */
#ifndef MONITOR_BASE_GUEST_TEXT_H
#define MONITOR_BASE_GUEST_TEXT_H

#include <stddef.h>
#include <stdio.h>

/*
 * Write n bytes to `out`. If that is a `terminal`, only printable characters, tabs and line feeds:
 * controls of ASCII and of Unicode (U+0080 to U+009F) and what is no UTF-8 are left out. Elsewhere
 * bytes stay as they are.
 */
void guest_text_write(FILE *out, int terminal, const char *text, size_t n);

#endif
