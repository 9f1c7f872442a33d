#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `disco reproduce` on a paper of three small runs: figures and report, that a second call runs nothing and leaves the same bytes,
# that jobs run elsewhere are collected, and that a mistake in the data is one line and no run.
. "$(dirname "$0")/lib.sh"
need gnuplot jq
bare count
bare spin
mkdir "$work/tiny"
cd "$work/tiny" || exit 1

cat >paper.json <<END
{"title": "A tiny paper", "citation": "Nobody, <nowhere> & never", "experiments": ["one", "two"], "reading": ["It is small."]}
END
cat >numbers.json <<END
{"one": {"source": "a test", "bars": {"small": {"work": 1, "rest": 2}, "old": {"work": 3, "rest": 1, "total": 5}}}}
END
cat >one.json <<END
{
	"title": "Cycles", "about": ["What takes how long."], "unit": "cycles", "paired": true,
	"parts": [{"name": "work", "title": "work", "colour": "#4c72b0"}, {"name": "rest", "title": "rest", "colour": "#c44e52"}],
	"others": [{"name": "vms", "title": "machines", "unit": "VMs"}],
	"options": {"engine": "sim", "machine": "flash8", "memory": "4M", "bios": "@bios@", "vms": "@vms@"},
	"quick": {"vms": 1, "bios": "$work/count.elf"}, "full": {"vms": 3, "bios": "$work/count.elf"},
	"runs": {
		"small": {"title": "one VM"},
		"large": {"title": "two VMs", "set": {"vms": 2}, "full": {"vms": 4}},
		"huge": {"title": "eight VMs", "set": {"vms": 8}, "only": "full"}
	},
	"values": {"all": {"work": "sum(vms[*].vcpus[*].ran_cycles)", "rest": "cycles / count(vms[*].stopped_cycles)",
		"vms": "count(vms[*].stopped_cycles)"}},
	"bars": [
		{"name": "old", "title": "old"},
		{"name": "small", "title": "small", "run": "small", "values": "all", "percent_of": "small"},
		{"name": "large", "title": "large", "run": "large", "values": "all", "percent_of": "small"},
		{"name": "huge", "title": "huge", "run": "huge", "values": "all", "percent_of": "small"}
	]
}
END
cat >two.json <<END
{
	"title": "Numbers", "runs": "one", "others": [{"name": "exit", "title": "exits", "unit": ""}],
	"bars": [{"name": "small", "title": "small", "run": "small", "values": {"exit": "first(vms[0].exit, 0) + 2.25"}}]
}
END
cat >claims.json <<END
[
	{"experiment": "one", "claim": "a whole is 100", "where": "p. 1", "holds": "abs(ours.small.total - 100) < 1e-9",
	 "shows": [{"what": "the whole", "paper": "paper.old.total", "ours": "ours.small.total"}], "reading": "As it must be."},
	{"experiment": "one", "claim": "two are fewer than one", "where": "p. 2", "holds": "ours.large.vms < ours.small.vms",
	 "in_part": "paper.small.total == 3", "reading": "Not so."},
	{"experiment": "one", "claim": "pigs fly", "where": "p. 3", "holds": "0", "reading": "They do not."},
	{"experiment": "two", "claim": "exits are 2.25", "where": "p. 4", "holds": "ours.small.exit == 2.25", "reading": "Counted."}
]
END

# reproduce STATUS ARGUMENT...: in $work, output in $work/out and $work/err
reproduce() {
	local want=$1
	shift
	(cd "$work" && limited 120 "$disco" reproduce ./tiny "$@" </dev/null >"$work/out" 2>"$work/err")
	local status=$?
	[ $status -eq "$want" ] || fail "reproduce $* ends with $status: $(tail -n 5 "$work/err")"
}
says() { grep -q -e "$1" "$work/$2" || fail "no '$1' in $2: $(head -c 2000 "$work/$2")"; }
sums() { (cd "$work/$1" && find . -type f ! -name '*.log' | sort | xargs md5sum) >"$work/$1.sums.$2"; }

reproduce 0 -o first --jobs 2
says '2 runs, 0 of them there already' err
says '^one *holds  *a whole' out
says '^one *holds in part *two are' out
says '^one *does not hold *pigs' out
says '^two *holds  *exits' out
for file in one.png one.svg report.md report.html runs/one-small.quick.json runs/one-large.quick.json; do
	[ -s "$work/first/$file" ] || fail "$file is not there"
done
[ ! -e "$work/first/two.png" ] || fail "a figure of an experiment without parts"
[ ! -e "$work/first/runs/one-huge.quick.json" ] || fail "a run of the other scale"
says '| total, cycles | 5.00 / - | 3.00 / 100 |' first/report.md
says '| exits | 2.25 |' first/report.md
grep -q huge "$work/first/report.md" && fail "a bar of the other scale"
says '&lt;nowhere&gt; &amp; never' first/report.html
says 'data:image/svg+xml;base64,' first/report.html
grep -q 'one.png' "$work/first/report.html" && fail "report.html needs another file"

# Again: nothing runs, and not a byte changes.
sums first a
reproduce 0 -o first
says '2 runs, 2 of them there already' err
grep -q starts "$work/err" && fail "something ran again"
sums first b
cmp -s "$work/first.sums.a" "$work/first.sums.b" || fail "a second call leaves other bytes: $(diff "$work"/first.sums.?)"

# Without gnuplot that is said before the runs, and the report is made all the same.
(cd "$work" && env PATH=/nowhere "$disco" reproduce ./tiny -o plain </dev/null >out 2>err)
[ $? -eq 1 ] || fail "without gnuplot, reproduce does not fail"
[ "$(grep -n -m 1 'gnuplot is missing' "$work/err" | cut -d : -f 1)" = 1 ] || fail "gnuplot's absence is not said first: $(cat "$work/err")"
says '^No picture' plain/report.md
says '^one *holds  *a whole' out
diff <(grep -v '^!\[Cycles' "$work/first/report.md") <(grep -v '^No picture' "$work/plain/report.md") >/dev/null ||
	fail "without gnuplot the report differs in more than the picture"

# Results of other inputs, and files that are no statistics, are made anew.
cp "$work/first/runs/one-large.quick.json" "$work/first/runs/one-small.quick.json"
reproduce 0 -o first
says '2 runs, 1 of them there already' err
echo '{}' >"$work/first/runs/one-large.quick.json"
reproduce 0 -o first one
says '2 runs, 1 of them there already' err

# ... and those of another model, machine file or guest, each told by its hash.
data=$work/data
mkdir -p "$data/guests/pair" "$data/numa/machine" "$work/made"
cp -R "$root/numa/machine/machines" "$data/numa/machine/"
{ # what passes for a kernel
	head -c 8 /dev/zero
	printf '\0\0\040\0\0\0\0\0\0\020\0\0\0\0\0\0'
	head -c 24 /dev/zero
	printf 'RISCV\0\0\0RSC\005'
	head -c 4032 /dev/zero
} >"$work/made/kernel"
echo 0123456789abcdef >"$work/made/hash"
echo 'dash 0.5 riscv64 00' >"$work/made/packages.lock"
printf '#!/bin/sh\necho %s\n' "$work/made" >"$data/guests/pair/fetch"
chmod 755 "$data/guests/pair/fetch"
export DISCO_DATA=$data
sed -i 's/"machine": "flash8", "memory": "4M"/"machine": "flash8", "guest": "pair", "memory": "8M"/' one.json
there() { # COUNT WHAT
	reproduce 0 -o guest one
	says "2 runs, $1 of them there already" err || echo "after $2"
}
there 0 "nothing"
cmp "$work/made/packages.lock" "$work/guest/packages-riscv64.lock" || fail "the list of packages is not kept"
there 2 "no change"
echo 0123456789abcdff >"$work/made/hash"
there 0 "another guest"
rm "$work/made/hash"
reproduce 2 -o guest one
says 'made/hash: missing' err
echo 0123456789abcdef >"$work/made/hash"
there 0 "the guest of before"
echo '# changed' >>"$data/numa/machine/machines/flash8.conf"
there 0 "another machine file"
model=$(jq -r .model "$work/guest/runs/one-small.quick.json")
sed -i "s/$model/0123456789abcdef/" "$work/guest/runs/one-small.quick.json"
there 1 "another model"
sed -i 's/^\(.*"disco": "\)[^"]*/\1another/' "$work/guest/runs/one-small.quick.json"
grep -q '"disco": "another' "$work/guest/runs/one-small.quick.json" || fail "no version to change"
there 2 "another version"
sed -i 's/"guest": "pair", "memory": "8M"/"memory": "4M"/' one.json
unset DISCO_DATA

# Elsewhere: jobs as lines, then collected.
reproduce 1 --collect -o second
says '2 results are missing, the first is one-small' err
says '^## Cycles' second/report.md
# Experiments that were not asked for and are not there are named in the report, and no more.
reproduce 1 --collect -o second two
says '^## Numbers' second/report.md
says '^Not asked for, and not made: one' second/report.md
grep -q -e '^## Cycles' -e 'pigs fly' "$work/second/report.md" && fail "a report of an experiment that was not asked for"
reproduce 0 --print-jobs -o elsewhere two
[ "$(wc -l <"$work/out")" -eq 2 ] || fail "two runs are not two lines: $(cat "$work/out")"
if command -v parallel >/dev/null; then
	(cd "$work" && limited 120 parallel --will-cite -j 2 <out) || fail "GNU parallel cannot run the printed jobs"
else
	(cd "$work" && limited 120 xargs -d '\n' -n 1 -P 2 sh -c <out) || fail "the printed jobs fail"
fi
# And by a shell that reads a line at a time.
reproduce 0 --print-jobs -o lines
(cd "$work" && while read -r job; do eval "$job" || exit 1; done <out) || fail "a shell cannot run the printed jobs"
reproduce 0 --print-jobs -o lines
[ ! -s "$work/out" ] || fail "of the printed jobs a shell did not run all: $(cat "$work/out")"
reproduce 0 --print-jobs -o elsewhere
[ ! -s "$work/out" ] || fail "jobs that are done are printed"
# As an element of a Slurm array does: one line by its number, in a shell of its own.
reproduce 0 --print-jobs -o array
for task in 1 2; do
	(cd "$work" && limited 120 sh -c "$(sed -n ${task}p out)") || fail "line $task of the printed jobs fails"
done
reproduce 0 --collect -o array
cmp -s "$work/first/report.md" "$work/array/report.md" || fail "what an array ran makes another report"
reproduce 0 --collect=elsewhere -o second
for file in report.md report.html one.svg one.png; do
	cmp -s "$work/first/$file" "$work/second/$file" || fail "what others ran makes another $file"
done

# A run that fails is said to have, and the others are reported.
sed -i "s|\"title\": \"two VMs\", \"set\": {|&\"bios\": \"$work/count.o\", |" one.json
reproduce 1 -o third
says 'one-large failed; see third/runs/one-large.quick.log' err
says 'Nothing of ours: the run one-large is not there' third/report.md
sed -i "s|\"bios\": \"$work/count.o\", ||" one.json

# Interrupted, it ends its runs, keeps finished ones, and leaves no half of a result; the next call goes on there.
sed -i "s|\"title\": \"two VMs\", \"set\": {|&\"bios\": \"$work/spin.elf\", |" one.json
(cd "$work" && exec timeout -k 5 120 "$disco" reproduce ./tiny -o fifth </dev/null >"$work/out" 2>"$work/err") &
for _ in $(seq 600); do
	grep -q 'one-large starts' "$work/err" && [ -e "$work/fifth/runs/one-large.quick.log" ] && break
	sleep 0.1
done
pkill -INT -P $! -x disco
wait $!
status=$?
[ $status -eq 130 ] || fail "interrupted, it ends with $status: $(tail -n 5 "$work/err")"
[ -s "$work/fifth/runs/one-small.quick.json" ] || fail "what was done before the interruption is lost"
[ ! -e "$work/fifth/report.md" ] || fail "a report of half the runs"
sed -i "s|\"bios\": \"$work/spin.elf\", ||" one.json
reproduce 0 -o fifth
says '2 runs, 1 of them there already' err
cmp -s "$work/first/report.md" "$work/fifth/report.md" || fail "after an interruption there is another report"
[ -z "$(find "$work/fifth" -name '*.tmp*')" ] || fail "left over: $(find "$work/fifth" -name '*.tmp*')"

# The papers that come with it are well-formed, in both scales.
for paper in "$root"/papers/*/paper.json; do
	for scale in quick full; do
		"$disco" reproduce "$(dirname "$paper")" --$scale --collect -o "$work/empty" >/dev/null 2>"$work/err"
		says 'results are missing' err
	done
done

# refuses PATTERN FILE FROM TO [ARGUMENT...]: with FROM replaced in FILE
refuses() {
	local pattern=$1 file=$2 from=$3 to=$4
	shift 4
	cp "$file" "$work/saved"
	if [ -n "$from" ]; then
		sed -i "s|$from|$to|" "$file"
		cmp -s "$file" "$work/saved" && fail "nothing to replace: $from"
	fi
	reproduce 2 -o fourth "$@"
	[ "$(wc -l <"$work/err")" -eq 1 ] || fail "$pattern: $(wc -l <"$work/err") lines: $(cat "$work/err")"
	says "$pattern" err
	[ ! -e "$work/fourth/report.md" ] || fail "$pattern: a report all the same"
	cp "$work/saved" "$file"
}
refuses "no experiment 'three'" one.json '' '' three
refuses 'tiny/one.json:2: ' one.json '"Cycles"' '"Cycles'
refuses 'three.json: ' paper.json '"two"' '"three"'
refuses "one.json: experiment: a text 'title'" one.json '"title": "Cycles", ' ''
refuses "one.json: bars: large: there is no such run" one.json '"run": "large"' '"run": "larger"'
refuses "one.json: bars: small: which values" one.json '"run": "small", "values": "all"' '"run": "small", "values": "none"'
refuses "one.json: rest: 'cycles /': a value is expected" one.json 'cycles / count(vms\[\*\].stopped_cycles)' 'cycles /'
refuses "one.json: runs.small: '@bios@' is not set" one.json '"quick": {"vms": 1, "bios"' '"quick": {"vms": 1, "boot"'
refuses 'is out of range' one.json '"set": {"vms": 2}' '"set": {"vms": 0}'
refuses "two.json: runs: 'no' is no experiment before" two.json '"runs": "one"' '"runs": "no"'
refuses "claims.json: there is no experiment 'six'" claims.json '"experiment": "two"' '"experiment": "six"'
refuses "claims.json: one: a text 'reading'" claims.json ', "reading": "They do not."' ''
refuses "claims.json: one: '0 0': '0' is too much" claims.json '"holds": "0"' '"holds": "0 0"'
refuses 'is not a number from 1' one.json '' '' --jobs 0
finish
