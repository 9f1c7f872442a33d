#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Whether what a command writes has arrived is in its exit status: standard output on a full device or closed, standard descriptors
# that are closed, pictures, console logs and private disks on a full disk or over the limit of a file's size. And gnuplot's absence.
. "$(dirname "$0")/lib.sh"
need jq
bare count
bare chatter
cd "$work" || exit 1
cat >run.json <<'EOF'
{"schema": 1, "inputs": {"machine": {"name": "m", "clock_hz": 1000000, "nodes": [1, 1]}, "options": {"vms": 1, "memory": 4194304}},
 "snapshots": [{"event": "end", "cycles": 5, "monitor_bytes": 0,
   "virtual_bytes": {"private": 1048576, "text": 0, "cache": 0, "disk": 0, "same": 0, "zero": 0, "cloned": 0, "monitor": 0},
   "machine_bytes": {"private": 1048576, "text": 0, "cache": 0, "disk": 0, "same": 0, "zero": 0, "cloned": 0, "monitor": 0}}]}
EOF

# fails PATTERN COMMAND...: a status below 126 that is not 0, and one line on standard error
fails() {
	local pattern=$1
	shift
	"$@" </dev/null 2>err >out
	local status=$?
	[ $status -ne 0 ] || fail "'$*' succeeds"
	[ $status -lt 126 ] || fail "'$*' ends with status $status"
	[ "$(wc -l <err)" -eq 1 ] || fail "'$*' says $(wc -l <err) lines: $(cat err)"
	grep -q -e "$pattern" err || fail "'$*' says: $(cat err)"
}
full() { "$@" >/dev/full; }
closed() { "$@" >&-; }
small_files() { (ulimit -f 4 && "$@") >/dev/null; }

"$disco" run --bios count.elf --memory 4M --quiet --stats stats.json </dev/null || fail "the run of this test"
for how in full closed; do
	for command in 'topology' 'topology --list' 'policies' 'stats stats.json' '--help' '--version' 'plot --help' \
		'run --bios chatter.elf --memory 4M'; do
		fails '^disco: standard output: ' $how "$disco" $command
	done
done

# Descriptors 0 to 2 are never a file of ours.
for closing in '0<&-' '1>&-' '2>&-' '0<&- 1>&- 2>&-'; do
	rm -f stats.json
	(eval "exec $closing" && exec "$disco" run --bios count.elf --memory 4M --quiet --stats stats.json)
	jq -e .schema stats.json >/dev/null 2>&1 || fail "with $closing the statistics are: $(head -c 200 stats.json)"
done
truncate -s 1M disk.img
(exec 0<&- 1>&- 2>&- && exec "$disco" run --bios chatter.elf --memory 4M --disk disk.img,private)
cmp -s -n 1048576 disk.img /dev/zero && [ "$(stat -c %s disk.img)" -eq 1048576 ] ||
	fail "in a private disk there is: $(tr -d '\0' <disk.img | head -c 200)"

# A small stack is enough.
(ulimit -s 64 && "$disco" run --bios count.elf --memory 4M --vms 2 --fidelity numa --quiet </dev/null) || fail "ulimit -s 64: status $?"

# A console log that cannot be kept.
mkdir logs
ln -s /dev/full logs/vm0.log
fails '--console-log: logs/vm0.log: not all' "$disco" run --bios chatter.elf --memory 4M --quiet --console-log logs
fails '--console-log: more/vm0.log: not all' small_files "$disco" run --bios chatter.elf --memory 4M --quiet --console-log more

# What a command of a guest printed; and a private disk over the limit is an error of the guest's disk.
debian
fails '^disco: standard output: ' full "$disco" run --quiet --exec 'echo hello'
truncate -s 64M disk.img
(ulimit -f 32768 && "$disco" run --quiet --no-net --disk "$guest/root.img" \
	--disk disk.img,private --exec \
	'dd if=/dev/zero of=/dev/vdb bs=1M seek=40 count=1 oflag=direct 2>&1; echo dd $?') </dev/null >out 2>err
status=$?
[ $status -eq 0 ] || fail "a private disk over the limit ends the run with $status: $(cat err)"
grep -q 'Input/output error' out && grep -q 'dd 1' out || fail "a private disk over the limit: the guest says $(cat out)"

need gnuplot
# Pictures: whole or not at all, and the earlier one stays.
fails '/no/dir/x.png: cannot be written: No such file' "$disco" plot run.json -o /no/dir/x.png
"$disco" plot run.json -o run.png >out || fail "plot"
cp run.png earlier.png
fails 'run.png: cannot be written: ' small_files "$disco" plot run.json -o run.png
cmp -s run.png earlier.png || fail "a picture that cannot be written replaces the earlier one"
[ -z "$(find . -name '*.tmp*')" ] || fail "left over: $(find . -name '*.tmp*')"
mkdir bin
fails 'gnuplot is missing: install' env PATH=bin "$disco" plot run.json -o other.png
finish
