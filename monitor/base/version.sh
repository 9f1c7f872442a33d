#!/bin/sh
# SPDX-License-Identifier: MIT
#
# version.sh [TREE]
#
# Prints, as C, what monitor/base/version.h declares: the version of the tree, and the hash of the model. The version is what git
# says, or without git the top version of CHANGELOG.md. The model is all sources that decide what a run's statistics are, not how
# they are asked for, told or drawn: results are kept as long as it is the same. It depends on no compiler and no option.
set -eu
export LC_ALL=C GIT_OPTIONAL_LOCKS=0
cd "${1:-$(dirname "$0")/../..}"

version=
[ ! -e .git ] || version=$(git describe --always --dirty 2>/dev/null) || version=
[ -n "$version" ] || version=$(sed -n 's/^## \([0-9][^ ]*\).*/\1/p' CHANGELOG.md | head -n 1)
model=$(
	cd monitor
	find ../numa ../sharing base vm boot dev engine run drive -type f -name '*.[ch]' -o -name '*.def' | sort | xargs sha256sum |
		sha256sum | cut -c 1-16
)
echo "#define DISCO_VERSION \"$version\""
echo "#define DISCO_MODEL \"$model\""
