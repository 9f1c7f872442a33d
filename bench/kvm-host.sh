# SPDX-License-Identifier: MIT
#
# kvm-host.sh: disco's VMs beside QEMU's microvm, under the same KVM, in turn. Runs where KVM is: on this host, or on the lab's
# (bench/kvm.sh), hence for busybox's shell. Prints lines of the form `figure NAME disco VALUE qemu VALUE UNIT`.
#   GUEST=DIR   the amd64 guest    EXITS=FILE   the program exits, static    PAIRS=N    WORK=DIR   to work in
set -u
guest=${GUEST:-/lab/guest} exits=${EXITS:-/lab/programs/exits} pairs=${PAIRS:-3} work=${WORK:-/tmp/kvm}
mkdir -p "$work"
export TMPDIR=$work TERM=dumb

# Hundredths of a second.
now() {
	read -r up _ </proc/uptime
	echo "${up%.*}${up#*.}"
}
median() {
	sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}
free_kb() {
	awk '/^MemFree/ { print $2 }' /proc/meminfo
}
fail() {
	echo "FAIL: $*"
	exit 1
}
wait_for() { # N TEXT FILE...
	waited=0
	n=$1 text=$2
	shift 2
	until [ "$(cat "$@" 2>/dev/null | grep -c "$text")" -ge "$n" ]; do
		sleep 1
		[ $((waited += 1)) -lt 600 ] || fail "'$text' does not come $n times: $(tail -n 5 "$@")"
	done
}

# The guest's init with a command to run, for QEMU; disco makes this itself.
command_for_qemu() { # COMMAND
	rm -rf "$work/tree"
	mkdir -p "$work/tree/disco"
	echo "$1" >"$work/tree/disco/exec"
	cat "$guest/initrd" >"$work/initrd"
	(cd "$work/tree" && find . | cpio -o -H newc 2>/dev/null) >>"$work/initrd"
}
qemu() { # LOG [ARGUMENT...]
	log=$1
	shift
	qemu-system-x86_64 -M microvm,rtc=on -accel kvm -cpu host -m 128 -smp 1 -nodefaults -no-user-config -display none -no-reboot \
		-serial "file:$log" -kernel "$guest/kernel" -initrd "$work/initrd" -append 'console=ttyS0 quiet panic=-1 cryptomgr.notests' \
		-drive "if=none,id=root,format=raw,snapshot=on,file=$guest/root.img" -device virtio-blk-device,drive=root "$@" </dev/null
}
disco_run() { # ARGUMENT...
	disco run --engine kvm --guest debian --memory 128M --no-net "$@" </dev/null >"$work/disco.out" 2>"$work/disco.err"
}

# From the start of the process to its end: boot, `true`, power-off.
boot() {
	command_for_qemu 'echo it is up'
	: >"$work/d" && : >"$work/q"
	for pair in $(seq "$pairs"); do
		t=$(now)
		disco_run --exec 'echo it is up' && grep -q 'it is up' "$work/disco.out" || fail "disco: $(tail -n 5 "$work/disco.err")"
		echo $(($(now) - t)) >>"$work/d"
		t=$(now)
		qemu "$work/log" && grep -q 'it is up' "$work/log" || fail "qemu: $(tail -n 5 "$work/log")"
		echo $(($(now) - t)) >>"$work/q"
	done
	echo "figure boot disco $(median <"$work/d") qemu $(median <"$work/q") 1/100 s"
}

exit_cost() {
	dd if="$exits" of="$work/exits.img" bs=1M conv=sync 2>/dev/null
	run='dd if=/dev/vdb of=/tmp/exits bs=1M 2>/dev/null; chmod 755 /tmp/exits; /tmp/exits 5000'
	command_for_qemu "$run"
	: >"$work/d" && : >"$work/q"
	for pair in $(seq "$pairs"); do
		disco_run --disk "$guest/root.img" --disk "$work/exits.img,ro" --exec "$run" || fail "disco: $(tail -n 5 "$work/disco.err")"
		sed -n 's/.*exit \([0-9]*\) ns.*/\1/p' "$work/disco.out" >>"$work/d"
		qemu "$work/log" -drive "if=none,id=two,format=raw,readonly=on,file=$work/exits.img" -device virtio-blk-device,drive=two ||
			fail "qemu: $(tail -n 5 "$work/log")"
		sed -n 's/.*exit \([0-9]*\) ns.*/\1/p' "$work/log" >>"$work/q"
	done
	echo "figure exit disco $(median <"$work/d") qemu $(median <"$work/q") ns"
}

# Four VMs read the same 48 MB of their disk, which the first has to fetch; then what memory it all takes, with the page cache and when
# that has given up what it need not keep.
disk() {
	run='read a b </proc/uptime; dd if=/dev/vda of=/dev/null bs=1M count=48 skip=8 2>/dev/null; read c b </proc/uptime
		echo "read in $(echo "$a $c" | awk "{ print int((\$2 - \$1) * 100) }") cs"; sleep 1000'
	command_for_qemu "$run"
	for side in disco qemu; do
		sync
		echo 3 >/proc/sys/vm/drop_caches
		before=$(free_kb)
		rm -f "$work"/log[0-3] "$work/disco.out"
		if [ $side = disco ]; then
			disco_run --vms 4 --exec "$run" &
			wait_for 4 'read in' "$work/disco.out"
			pids=$(pidof disco)
			cat "$work/disco.out" >"$work/all"
		else
			for vm in 0 1 2 3; do
				qemu "$work/log$vm" &
			done
			wait_for 4 'read in' "$work/log0" "$work/log1" "$work/log2" "$work/log3"
			pids=$(pidof qemu-system-x86_64)
			cat "$work"/log[0-3] >"$work/all"
		fi
		sleep 2
		eval "with_$side=$(((before - $(free_kb)) / 1024))"
		echo 1 >/proc/sys/vm/drop_caches
		sleep 1
		eval "kept_$side=$(((before - $(free_kb)) / 1024))"
		eval "time_$side=$(sed -n 's/.*read in \([0-9]*\) cs.*/\1/p' "$work/all" | median)"
		for pid in $pids; do
			anon=$(awk '/^RssAnon/ { print int($2 / 1024) }' "/proc/$pid/status" 2>/dev/null)
		done
		eval "anon_$side=${anon:-0}"
		kill $pids
		wait
	done
	echo "figure disk-read disco $time_disco qemu $time_qemu 1/100 s"
	echo "figure memory-with-page-cache disco $with_disco qemu $with_qemu MB"
	echo "figure memory disco $kept_disco qemu $kept_qemu MB"
	echo "figure anonymous-of-a-process disco $anon_disco qemu $anon_qemu MB"
}

for what in ${WHAT:-boot exit_cost disk}; do
	$what
done
