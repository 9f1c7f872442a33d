#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A user's mistake is answered by one line on stderr, a non-zero status, and no file left behind.
# And help for every subcommand; every option of run is in the manual page. No guest is booted.
set -u
disco=${DISCO:?}
manual=$(cd "$(dirname "$0")/.." && pwd)/monitor/cli/disco.1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export XDG_RUNTIME_DIR=$work/run
mkdir -m 700 "$work/run"
cd "$work" || exit 1
failures=0
fail() { echo "FAIL: $*"; failures=$((failures + 1)); }

# refuses PATTERN ARGUMENT...: fails with one line that matches
refuses() {
	local pattern=$1
	shift
	timeout 300 "$disco" "$@" </dev/null >out 2>err
	local status=$?
	[ $status -ne 0 ] || fail "'$*' succeeds"
	[ $status -lt 70 ] || fail "'$*' ends with status $status"
	[ "$(wc -l <err)" -eq 1 ] || fail "'$*' says $(wc -l <err) lines: $(cat err)"
	grep -q -e "$pattern" err || fail "'$*' says: $(cat err)"
	[ ! -s out ] || fail "'$*' writes to stdout"
	rm -f out err
	ls -- *.json *.png *.tmp 2>/dev/null && fail "'$*' leaves files behind"
	rm -f -- *.json *.png *.tmp
}

for command in run console topology plot compare fidelity policies stats reproduce completion; do
	"$disco" $command --help >help 2>err || fail "$command --help fails"
	grep -q "Usage: disco $command" help || fail "$command --help has no usage line"
	[ ! -s err ] || fail "$command --help writes to stderr"
	"$disco" --help | grep -q "^  $command " || fail "disco --help does not know $command"
	refuses 'unknown option' $command --no-such-option
done
for option in machine vms vcpus memory guest kernel initrd append bios disk exec stats threads seed \
	timeout config share nfs net no-net nat fidelity mode policy console-log name virtual-timeout quiet; do
	"$disco" run --help | grep -q -- "--$option" || fail "run --help does not know --$option"
done
for option in $("$disco" run --help | grep -o '^ *\(-., \)\?--[a-z-]*' | grep -o -e '--.*'); do
	sed 's/\\-/-/g' "$manual" | grep -q -e "fB$option[ \\\\]" || fail "the manual page does not know $option"
done
"$disco" --version | grep -q '^disco [v0-9a-f]' || fail "no version"
"$disco" topology --machine flash8 | grep -q 900 || fail "topology shows no remote latency"
# What bash would offer for the words so far; the last is what is being typed.
offers() { # WORD...
	COMP_WORDS=("$disco" "$@") COMP_CWORD=$#
	_disco "$disco" "${!#}" "${COMP_WORDS[$# - 1]}"
	echo "${COMPREPLY[*]}"
}
"$disco" completion bash >completion && . ./completion || fail "no completion"
[ "$(offers co)" = "console compare completion" ] || fail "of commands, bash offers $(offers co)"
[ "$(offers run --ov)" = --overcommit ] || fail "of options, bash offers $(offers run --ov)"
[ "$(offers run --engine k)" = kvm ] || fail "of values, bash offers $(offers run --engine k)"
[ -z "$(offers run --disk f)" ] || fail "of files, bash offers $(offers run --disk f)"
refuses 'which shell' completion
refuses "'zsh'" completion zsh
refuses 'which command'
refuses 'unknown command' dance

# A kernel that passes for one, and a machine to boot it on.
kernel() { # BYTES IMAGE-SIZE (octal escapes, little-endian)
	{
		head -c 8 /dev/zero
		printf '\0\0\040\0\0\0\0\0'
		printf "$2"
		head -c 24 /dev/zero
		printf 'RISCV\0\0\0RSC\005'
		head -c "$1" /dev/zero
	} >"$3"
}
kernel 100000 '\0\0\2\0\0\0\0\0' good-kernel
kernel 4 '\0\0\0\0\377\0\0\0' vast-kernel
head -c 40 good-kernel >cut-kernel
head -c 8192 /dev/urandom >garbage
: >empty
mkdir directory

refuses 'not a number' run --vms x
refuses 'not a number' run --vms -1
refuses 'out of range' run --vms 0
refuses 'out of range' run --vms 1000000
refuses 'out of range' run --vms 99999999999999999999999
refuses 'out of range' run --vcpus 129
refuses 'out of range' run --threads 0
refuses 'not a size' run --memory lots
refuses 'out of range' run --memory 1K
refuses 'out of range' run --memory 1000000G
refuses 'multiple of 4096' run --memory 1048577
refuses 'too little' run --kernel good-kernel --memory 1M
refuses 'not a time' run --timeout never
refuses 'not a time' run --timeout nan
refuses 'needs a value' run --exec
refuses 'unexpected argument' run debian
refuses 'No such file' run --kernel missing
refuses 'not a RISC-V kernel' run --kernel garbage
refuses 'too short' run --kernel cut-kernel
refuses 'too little' run --kernel vast-kernel
refuses 'empty' run --kernel empty
refuses 'directory\|regular' run --kernel directory
refuses 'No such file' run --kernel good-kernel --initrd missing
refuses 'empty' run --kernel good-kernel --initrd empty
refuses 'No such file' run --kernel good-kernel --disk missing
refuses 'disk mode' run --kernel good-kernel --disk garbage,often
refuses 'private disk has one user' run --kernel good-kernel --vms 2 --warm --disk 'garbage%d,private'
refuses 'scratch disk has one user' run --kernel good-kernel --vms 2 --warm --disk 1M,scratch
refuses "'garbage' is not a size" run --kernel good-kernel --disk garbage,scratch
refuses 'not a multiple of 4096' run --kernel good-kernel --disk 1048577,scratch
refuses 'out of range' run --kernel good-kernel --disk 1K,scratch
refuses 'cannot be private' run --kernel good-kernel --vms 2 --disk garbage,private
refuses 'more than 8 disks' run --kernel good-kernel $(printf -- '--disk garbage %.0s' 1 2 3 4 5 6 7 8 9)
refuses 'no mechanism of sharing' run --kernel good-kernel --share disk,dance
refuses 'empty' run --kernel good-kernel --share ''
refuses 'No such file' run --bios missing
refuses 'needs a kernel' run --bios garbage --append quiet
refuses 'no machine' run --kernel good-kernel --machine nowhere
printf 'nodes = ;\n' >broken-machine.conf
refuses 'broken-machine.conf:1' run --kernel good-kernel --machine ./broken-machine.conf
refuses 'no guest' run --guest plan9
refuses 'not the name' run --guest ../../bin
refuses '--exec needs' run --kernel good-kernel --exec true
refuses 'No such file' run --kernel good-kernel --stats nowhere/stats.json
refuses "has a '/'" run --kernel good-kernel --name a/b

refuses 'No such file' run --config missing
printf 'vms = 2;\nkernle = "x";\n' >typo.conf
refuses "typo.conf:2: unknown key 'kernle'" run --config typo.conf
printf 'vms = 2;\nmemory = ;\n' >broken.conf
refuses 'broken.conf:2' run --config broken.conf
printf '\n\nvms = 4096;\n' >many.conf
refuses 'many.conf:3: vms: 4096 is out of range' run --config many.conf
printf 'vms = (1, 2);\n' >list.conf
refuses 'list.conf:1: vms' run --config list.conf

refuses 'which statistics' plot
refuses 'which paper' reproduce
refuses 'No such file' reproduce no-such-paper
refuses 'missing.js' plot missing.js
refuses 'garbage:1' plot garbage
echo '{"schema": 1}' >schema.js
refuses 'not statistics' plot schema.js
refuses 'ends in .png or .svg' plot schema.js -o picture.gif
refuses 'none of memory' plot schema.js --kind colours
refuses 'had no caches' plot schema.js --kind misses
echo '{"schema": 1, "numa": {"modelled": true, "vms": [{"pages": "0*x"}]}}' >schema.js
for kind in misses stall pages sharing; do
	refuses 'not statistics' plot schema.js --kind $kind
done

refuses 'none of plain, native, nested, trap' run --kernel good-kernel --mode hybrid
refuses 'one VM' run --kernel good-kernel --mode native --vms 2
refuses 'no monitor to share' run --kernel good-kernel --mode native --share disk
refuses 'has 8 CPUs' run --kernel good-kernel --mode native --vcpus 9
refuses 'no monitor to move' run --kernel good-kernel --mode native --policy disco
refuses 'which statistics' stats
refuses 'missing.js' stats missing.js
refuses 'no statistics' stats schema.js
refuses 'neither functional nor numa' run --kernel good-kernel --fidelity fine
refuses 'neither outside nor host' run --kernel good-kernel --nat everywhere
refuses 'exclude each other' run --kernel good-kernel --nat outside --no-net
refuses 'policy' run --kernel good-kernel --policy anywhere
refuses 'policy' run --kernel good-kernel --policy disco,sharing=often
refuses 'which values of --policy' compare --exec true
refuses 'twice' compare disco disco --exec true
refuses 'what is the job' compare disco
refuses 'chosen for each run' compare disco --exec true --stats here
refuses 'policy' compare first-touch anywhere --exec true
refuses 'chosen for each run' compare --vary share all --share none --exec true
refuses 'unknown option' compare --vary dance all --exec true
refuses 'no mechanism of sharing' compare --vary share all nothing --exec true
refuses 'not a number' compare disco --jobs 0 --exec true
refuses 'No such file' compare disco --exec true -o nowhere/at/all
[ ! -e compare ] || fail "a comparison that could not start leaves a directory"

refuses 'which fidelity' fidelity
refuses 'neither functional nor numa' fidelity fine
refuses 'no run' fidelity numa
refuses 'no run named' fidelity numa --name nobody
refuses 'no run' console
refuses 'no run named' console --name nobody
refuses 'not the number' console first

# Pictures of a page map and of a series, from statistics made here. No VM is called by a shell.
cat >small.js <<'END'
{"schema": 1,
 "inputs": {"machine": {"name": "'; touch pwned; '", "clock_hz": 1000000, "nodes": [1, 1]}},
 "vms": [1],
 "snapshots": [{"event": "`touch pwned`", "cycles": 5, "sharers": [{"own": 1048576, "disk": 0, "first_disk": 4096,
   "first_other": 0, "others": 0, "text": 4096, "zero": 0}]}],
 "numa": {"policy": "disco", "modelled": true, "moves": {},
  "vms": [{"name": "`touch pwned`", "cpu_cycles": 100, "pages": "0*200 1+*20 - 1*10",
   "marks": [{"value": 3, "cycles": 50}],
   "stall": {"l2": 1, "local": 2, "remote": 3, "upgrade": 4, "tlb": 5, "queue": 6}}],
  "series": {"cycles": [0, 100, 200], "local": [0, 5, 9], "remote": [0, 1, 2],
   "migrations": [0, 1, 1], "replications": [0, 0, 0], "collapses": [0, 0, 0]}}}
END
if command -v gnuplot >/dev/null; then
	for kind in misses stall pages sharing; do
		for end in png svg; do
			"$disco" plot small.js --kind $kind -o $kind.$end >out 2>err ||
				fail "plot --kind $kind: $(cat err)"
			[ -s $kind.$end ] || fail "plot --kind $kind draws no $end"
			[ ! -s err ] || fail "plot --kind $kind says: $(cat err)"
		done
	done
	[ ! -e pwned ] || fail "names in statistics are executed"
fi

# A firmware that never ends, switched from outside while it runs.
printf '\157\0\0\0' >loop.bin
"$disco" run --bios loop.bin --name switched --virtual-timeout 1000 --timeout 60 --quiet \
	--stats switched.json </dev/null >/dev/null 2>&1 &
run=$!
for i in $(seq 100); do
	"$disco" fidelity numa --name switched 2>err && break
	sleep 0.1
done
[ ! -s err ] || fail "fidelity numa: $(cat err)"
sleep 0.3
"$disco" fidelity functional --name switched || fail "fidelity functional"
kill -INT $run
wait $run
grep -q '"modelled": true' switched.json || fail "disco fidelity does not switch"
[ $failures -eq 0 ] || exit 1
echo "all refused as they should be"
