#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Takes 200 s.
# The C unit tests under clang's address and undefined-behaviour sanitizers. `make SAN=1 check` has the scripts under gcc's, too.
. "$(dirname "$0")/lib.sh"
[ -z "${SAN:-}" ] || skip "not for a sanitizer build"
sanitized_build
(cd "$root" && SET=programs JOBS=1 tests/run build/fuzz) >"$work/out" 2>&1 || fail "$(grep -v '^ok ' "$work/out")"
tail -n 1 "$work/out"
finish
