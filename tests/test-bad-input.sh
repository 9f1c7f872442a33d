#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Files that are missing, empty, cut off or rubbish, and numbers that make no sense, given to disco run: one clear line on stderr,
# a non-zero status, no signal, and no statistics left behind. And machine memory that runs out while VMs run: a report, and the
# others finish. test-cli.sh has the other options; here are the files a machine is made of.
. "$(dirname "$0")/lib.sh"
bare spin
bare hog
cd "$work" || exit 1
: >empty
head -c 100000 /dev/urandom >garbage
mkdir directory
mkfifo pipe
elf=spin.elf

# refuses PATTERN ARGUMENT...
refuses() {
	local pattern=$1
	shift
	run 20 --stats s.json "$@"
	[ $status -ne 0 ] && [ $status -lt 128 ] || fail "'$*' ends with status $status"
	[ "$(grep -c '' err)" -ge 1 ] && [ "$(grep -c '^disco: ' err)" -eq 1 ] && [ "$(grep -c '' err)" -le 2 ] ||
		fail "'$*' says $(cat err)"
	grep -q -e "$pattern" err || fail "'$*' says: $(cat err)"
	[ ! -s out ] || fail "'$*' writes to stdout: $(head -n 2 out)"
	[ ! -e s.json ] && ! ls -- *.tmp s.json* >/dev/null 2>&1 || fail "'$*' leaves statistics behind"
	rm -f s.json*
}

# --- files ---
for option in bios kernel initrd config machine; do
	case $option in
	kernel | machine | config) with= ;;
	initrd) with="--bios $elf --kernel garbage --virtual-timeout 0.01" ;;
	*) with= ;;
	esac
	[ $option = config ] || [ $option = machine ] && with="--bios $elf --virtual-timeout 0.01"
	for file in ./missing.conf directory/; do
		refuses '\(missing\|directory\|nowhere\)' $with --$option $file
	done
	[ $option = config ] || refuses 'empty\|nodes\|no machine' $with --$option ./empty
	[ $option = bios ] || [ $option = initrd ] || refuses 'garbage' $with --$option ./garbage
done
cp empty empty.conf
cp garbage garbage.conf
refuses 'empty.conf' --bios $elf --virtual-timeout 0.01 --machine ./empty.conf
refuses 'garbage.conf' --bios $elf --machine ./garbage.conf
refuses 'garbage.conf' --bios $elf --config garbage.conf
for mode in shared private ro; do
	for file in missing empty directory pipe; do
		refuses "$file" --bios $elf --disk $file,$mode
	done
done
refuses 'pipe' --bios pipe
refuses 'too little' --bios garbage --kernel garbage --initrd garbage --memory 1M

# --- ELF files (of two program headers, the second of which is loaded) cut off and mutilated ---
size=$(stat -c %s $elf)
cp $elf cut.elf
for n in 4 16 20 52 63 64 100 119; do
	head -c $n $elf >cut.elf
	refuses 'cut.elf' --bios cut.elf
done
head -c $((size / 2)) $elf >cut.elf
run 60 --bios cut.elf --virtual-timeout 0.001 # sections may be missing, segments not
[ $status -lt 70 ] || fail "an ELF file without its end gives status $status"
patch() { # OFFSET BYTES: octal
	cp $elf bent.elf
	printf "$2" | dd of=bent.elf bs=1 seek="$1" conv=notrunc 2>/dev/null
}
patch 4 '\001'
refuses 'bent.elf' --virtual-timeout 0.01 --bios bent.elf # 32 bits
patch 5 '\002'
refuses 'bent.elf' --virtual-timeout 0.01 --bios bent.elf # big-endian
patch 18 '\076\000'
refuses 'bent.elf' --virtual-timeout 0.01 --bios bent.elf # another computer's
patch 32 '\377\377\377\377\377\377\377\177'
refuses 'bent.elf' --virtual-timeout 0.01 --bios bent.elf # program headers nowhere
patch 56 '\377\377'
refuses 'bent.elf' --virtual-timeout 0.01 --bios bent.elf # 65535 of them
patch 128 '\377\377\377\377\377\377\377\377'
refuses 'bent.elf' --virtual-timeout 0.01 --bios bent.elf # a segment's bytes nowhere
patch 152 '\377\377\377\377\377\377\377\377'
refuses 'bent.elf' --virtual-timeout 0.01 --bios bent.elf # a segment of all memory
patch 144 '\000\000\000\000\000\000\000\000'
refuses 'bent.elf' --virtual-timeout 0.01 --bios bent.elf # a segment where there is no memory

# --- numbers ---
for n in 0 -1 1e30 18446744073709551616 18446744073709551615 '' ' ' 1x 0x 1.5; do
	for option in vms vcpus memory threads; do
		refuses "--$option" --bios $elf --$option "$n"
	done
done
for n in -1 nan inf 1e400 1s ''; do
	refuses '--timeout' --bios $elf --timeout "$n"
	refuses '--virtual-timeout' --bios $elf --virtual-timeout "$n"
done
refuses '--seed' --bios $elf --seed 18446744073709551616
refuses 'memory' --bios $elf --memory 1000000G

# --- machines ---
bad_machine() { # PATTERN TEXT
	printf '%s\n' "$2" >bad.conf
	refuses "$1" --bios $elf --machine ./bad.conf
}
bad_machine 'bad.conf' 'nodes = 0; cpus = 1; memory = "16M";'
bad_machine 'bad.conf' 'nodes = 65; cpus = 1; memory = "16M";'
bad_machine 'bad.conf' 'nodes = 64; cpus = 64; memory = "16M";'
bad_machine 'bad.conf' 'nodes = -1; cpus = 1; memory = "16M";'
bad_machine 'bad.conf' 'nodes = 1; cpus = 1; memory = "0";'
bad_machine 'bad.conf' 'nodes = 1; cpus = 1; memory = "99999999T";'
bad_machine 'bad.conf' 'nodes = 1; cpus = 1; memory = "16M"; clock_hz = 0;'
bad_machine 'bad.conf' 'nodes = 1; cpus = 1; memory = "16M"; unheard_of = 1;'
bad_machine 'bad.conf:1' 'nodes = 1; cpus = [;'

# --- more than the machine has ---
printf 'nodes = 2; cpus = 1; memory = "16M";\n' >small.conf
head -c 24M /dev/zero | tr '\0' x >large
cp large large-too
refuses 'memory is exhausted' --machine ./small.conf --vms 2 --memory 64M --bios $elf --kernel large --initrd large-too --virtual-timeout 0.01
# Four VMs whose memory has no room together: VM 0 and 2 want little and finish, 1 and 3 all they can get.
run 60 --machine ./small.conf --vms 4 --memory 32M --bios hog.elf --virtual-timeout 2 --stats s.json
[ $status -ne 0 ] && [ $status -lt 70 ] || fail "running out of memory gives status $status"
for vm in vm1 vm3; do
	grep -q "^disco: $vm: machine memory is exhausted" err || fail "$vm is not reported: $(cat err)"
done
[ "$(grep -c '"state": "done"' s.json)" -eq 2 ] || fail "the others did not finish: $(cat err)"
finish
