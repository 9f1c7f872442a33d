#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Takes 60 s.
# clang compiles all there is without a warning. The build is the one that test-sanitized.sh and test-fuzz.sh use.
. "$(dirname "$0")/lib.sh"
[ -z "${SAN:-}" ] || skip "not for a sanitizer build"
sanitized_build
finish
