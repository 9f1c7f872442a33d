#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs of `disco compare` while they go on: the user sees each begin and end, how many are done and what a run says; on a terminal in
# lines that are redrawn in place. Interrupted, it says so, ends its runs, and neither prints nor draws half of a comparison.
. "$(dirname "$0")/lib.sh"
need script
bare count
bare spin
cd "$work" || exit 1
cat >compare.sh <<END
echo \$\$ >$work/pid
exec $disco compare --vary bios count.elf spin.elf --memory 4M -o \$1
END
remember() {
	"$@" </dev/null
	echo $? >status
}

# interrupted DIR PATTERN FILE COMMAND...: once PATTERN is in FILE, SIGINT to disco, whose status is then $status.
interrupted() {
	local dir=$1 pattern=$2 file=$3
	remember "${@:4}" &
	local runner=$!
	for _ in $(seq 600); do
		[ -e "$dir/2-spin.elf.log" ] && grep -q -a -e "$pattern" "$file" && break
		sleep 0.1
	done
	kill -INT "$(cat pid)"
	wait $runner
	status=$(cat status)
}

interrupted one 'spin.elf starts' err limited 60 sh compare.sh one >out 2>err
[ "$status" -eq 130 ] || fail "interrupted, it ends with $status: $(cat err)"
for line in '^disco: \[0 of 2, .*\] count.elf starts' '^disco: \[1 of 2, .* left\] count.elf is done' '\] spin.elf starts' \
	'\] spin.elf ended; see one/2-spin.elf.log' '^disco: interrupted: 1 of 2 runs are done'; do
	grep -q "$line" err || fail "no '$line' in: $(cat err)"
done
[ ! -s out ] || fail "interrupted, it prints $(cat out)"
[ ! -e one/compare.png ] || fail "interrupted, it draws"
grep -q -e "$(printf '\033')" err && fail "it moves the cursor of what is no terminal"

export TERM=xterm
esc=$(printf '\033')
: >screen
interrupted two "$esc\[2A$esc\[J" screen limited 60 script -q -e -f -c 'stty cols 24; sh compare.sh two' screen >/dev/null
[ "$status" -eq 130 ] || fail "interrupted on a terminal, it ends with $status: $(cat -v screen)"
grep -q 'count.elf is done' screen || fail "on a terminal: $(cat -v screen)"
grep -q '^disco: 1 of 2, ' screen || fail "no count on a terminal: $(cat -v screen)"
grep -q "$esc\[2A$esc\[J" screen || fail "a terminal is not redrawn in place: $(cat -v screen)"
grep -q 'starts' screen && fail "on a terminal, what starts takes a line that stays"
tr -d '\r' <screen | sed "s/$esc\[[0-9]*[A-Z]//g" | grep -e '^disco: [0-9]* of' -e '^  spin' | grep -q '.\{24\}' &&
	fail "a line is longer than the terminal's: $(cat -v screen)"

# A run that fails is told of once, and the others are compared.
"$disco" compare --vary bios count.elf count.o --memory 4M -o three >out 2>err </dev/null
[ $? -eq 1 ] || fail "a failed run is no failure"
[ "$(grep -c 'count.o failed; see three/2-count.o.log' err)" -eq 1 ] || fail "a failed run: $(cat err)"
grep -q '^count.o *failed' out || fail "the table of a failed run: $(cat out)"
finish
