// SPDX-License-Identifier: MIT
/*
 * Arithmetic over a JSON document, so that what is taken from statistics, and what is claimed of
 * it, can be data:
 *
 *   sum(vms[*].exit_cycles - vms[*].ready_cycles) / inputs.machine.clock_hz
 *   ours.disco.total < 0.9 * ours.native.total and ours.disco.local > 50
 *
 * A path is names with dots; [3] takes an element of an array, [*] all of them, [event=done] those
 * whose member is that text. A path with several values gives several; operators go element by
 * element, with a single value beside any number. Operators, from loosest: or; and; not; < <= > >=
 * ==; + -; * /; unary -. Truth is 1 or 0. Functions: sum, min, max, mean, count, abs of any number
 * of values, and first(a, b): b if a names something that is not there or null.
 */
#ifndef MONITOR_BASE_EXPR_H
#define MONITOR_BASE_EXPR_H

#include <jansson.h>

/*
 * 0 and one finite number in *result, or -EINVAL with why in *fault, which the caller frees.
 * -ENOENT, also with *fault, when nothing is wrong but a path leads to nothing.
 */
int expr_eval(const char *text, const json_t *root, double *result, char **fault);

/* Is it an expression at all? 0, or -EINVAL and *fault. */
int expr_check(const char *text, char **fault);

#endif
