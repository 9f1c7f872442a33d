# SPDX-License-Identifier: MIT
#
# A monitor that is killed leaves nothing behind: no process, no memory on any node, no VM in KVM.
. /lab/lib.sh
free() {
	cat /sys/devices/system/node/node*/meminfo | awk '/MemFree/ { n += $4 } END { print n }'
}
mount -t debugfs debugfs /sys/kernel/debug
vms() {
	find /sys/kernel/debug/kvm -mindepth 1 -maxdepth 1 -type d | wc -l
}
before=$(free)
start --share boot,disk --vms 2 --memory 128M --exec 'echo up; sleep 10000'
await 300 2 '| up$'
during=$(free)
[ $((before - during)) -gt 100000 ] || fail "two VMs take $((before - during)) kB"
[ "$(vms)" -ge 2 ] || fail "KVM has $(vms) VMs"
kill -9 $pid
wait $pid
n=0
until [ "$(vms)" -eq 0 ] && [ $(($(free) - during)) -gt $(((before - during) * 8 / 10)) ]; do
	sleep 1
	[ $((n += 1)) -lt 30 ] || { fail "half a minute after kill -9 there are $(vms) VMs, and of $before kB $(free) kB free"; break; }
done
pgrep disco && fail "a process is left"
finish
