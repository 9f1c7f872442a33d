#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The order of the rooms (CONTRIBUTING.md, Layout): a file includes headers and uses symbols of its own room and of earlier ones only.
# Then no circle can go through two rooms, because one of its arrows would point to a later room. Includes are read from the sources,
# symbols from the objects of the build.
# Usage: tests/test-house.sh [BUILD-DIR]
set -u
cd "$(dirname "$0")/.."
build=${1:-${BUILD:-build}}
export LC_ALL=C

# From the ground up.
rooms='numa/util numa/machine numa/memory numa/memsys numa/policy sharing monitor/base monitor/vm monitor/boot monitor/dev
	monitor/engine monitor/run monitor/report monitor/drive monitor/plot monitor/paper monitor/cli'

# Lines for the check: "file F" for each source and header, "include F G", "defines S F" and "uses F S" (S: a symbol).
facts() {
	local file object
	while read -r file; do
		echo "file $file"
		sed -n "s|^#[ \t]*include[ \t]*\"\([^\"]*\)\".*|include $file \1|p" "$file"
		[ "${file%.c}" != "$file" ] || continue
		object=$build/${file%.c}.o
		if [ -f "$object" ]; then
			echo "object $object"
			nm -g "$object" | awk -v f="$file" '
				NF == 2 && ($1 == "U" || $1 == "w") { print "uses", f, $2 }
				NF == 3 && $2 ~ /^[A-Z]$/ { print "defines", $3, f }'
		elif [ "$(uname -m)" = x86_64 ] || [ "${file#monitor/engine/kvm/}" = "$file" ]; then
			echo "missing $object"
		fi
	done
}

find numa sharing monitor -name '*.[ch]' | sort | facts | awk -v rooms="$rooms" '
	BEGIN { n_rooms = split(rooms, room) }
	# The number of the room that a file is in; 0: none.
	function floor(file, i) {
		for (i = 1; i <= n_rooms; i++)
			if (index(file, room[i] "/") == 1 || index(file, room[i] ".") == 1)
				return i
		return 0
	}
	function bad(text) { print text; failed = 1 }
	# The arrow from file `from` to file `to`.
	function arrow(from, to, verb) {
		arrows++
		if (floor(to) > floor(from))
			bad(from " " verb " " to ": upward from " room[floor(from)] " to " room[floor(to)])
	}
	$1 == "file" { files++; if (!floor($2)) bad($2 " is in no room") }
	$1 == "object" { objects++ }
	$1 == "missing" { bad($2 " is missing: build first") }
	$1 == "include" && $3 ~ /^(numa|sharing|monitor)\// { arrow($2, $3, "includes"); includes++ }
	$1 == "defines" { owner[$2] = $3 }
	$1 == "uses" { user[++uses] = $2; symbol[uses] = $3 }
	END {
		for (i = 1; i <= uses; i++)
			if (symbol[i] in owner) {
				arrow(user[i], owner[symbol[i]], "uses " symbol[i] " of")
				calls++
			}
		if (!files || !objects || !includes || !calls)
			bad("nothing to check: " files + 0 " files, " objects + 0 " objects, " includes + 0 " includes, " \
				calls + 0 " uses of symbols")
		if (!failed)
			print files " files, " arrows " arrows, none upward"
		exit failed
	}'
