#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Debian VMs and the outside, which here is a server on this computer's loopback: with --nat host every VM is told its way out, and is
# answered by the server, clones, too; with --nat outside the server is out of reach; and by default there is no way out. Datagrams
# and pings of all sizes are answered, whatever the MTU: between VM and gateway, and between VMs.
. "$(dirname "$0")/lib.sh"
need jq perl
debian

# Answers a line with the same line, by TCP and by UDP.
perl -MIO::Socket::INET -MIO::Select -e '
	my $tcp = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 50) or die "no server: $@";
	my $udp = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Proto => "udp") or die "no server: $@";
	open(my $f, ">", "$ARGV[0].new") or die; print $f $tcp->sockport, " ", $udp->sockport, "\n"; close $f;
	rename("$ARGV[0].new", $ARGV[0]);
	my $both = IO::Select->new($tcp, $udp);
	while (my @ready = $both->can_read) {
		for my $s (@ready) {
			if ($s == $udp) { $udp->recv(my $line, 70000); $udp->send(length $line < 100 ? "datagram to $line" : $line); next; }
			my $c = $tcp->accept or next;
			my $line = <$c> // "";
			print $c "answer to $line";
			close $c;
		}
	}' "$work/port" &
server=$!
trap 'kill $server; rm -rf "$work"' EXIT
for _ in $(seq 600); do [ -s "$work/port" ] || sleep 0.1; done
read -r port udp <"$work/port" || fail "the server does not start"

ask="bash -c 'exec 3<>/dev/tcp/10.0.0.1/$port && hostname >&3 && cat <&3' || echo no answer"
ask_udp="bash -c 'exec 3<>/dev/udp/10.0.0.1/$udp; hostname >&3; timeout 60 head -n 1 <&3'"
run_ok 300 --vms 2 --memory 96M --nat host --stats "$work/host.json" --exec "cat /etc/resolv.conf; ip route show default; $ask; $ask_udp"
for vm in vm0 vm1; do
	said $vm >"$work/said"
	grep -qx "answer to $vm" "$work/said" && grep -qx "datagram to $vm" "$work/said" && grep -q '^default via 10.0.0.1 ' "$work/said" && grep -qx 'nameserver 10.0.0.254' "$work/said" ||
		fail "$vm: $(cat "$work/said")"
done
jq -e '.gateway | .frames_out > 5 and .frames_in > 5 and .sockets >= 1 and .sockets <= 4' "$work/host.json" >/dev/null ||
	fail "statistics: $(jq -c .gateway "$work/host.json")"
jq -e '.inputs.options.nat == "host"' "$work/host.json" >/dev/null || fail "the statistics do not name the way out"

run_ok 300 --vms 3 --memory 96M --warm --nat host --exec "$ask"
for vm in vm0 vm1 vm2; do
	[ "$(said $vm)" = "answer to $vm" ] || fail "warm, $vm: $(said $vm)"
done

run_ok 300 --nat outside --exec "$ask" --memory 96M
said vm0 | grep -q 'no answer' || fail "outside: $(said vm0)"

run_ok 300 --net --exec "ip route show default; cat /etc/resolv.conf; $ask" --memory 96M --stats "$work/none.json"
[ "$(said vm0 | grep -v '^bash:')" = 'no answer' ] || fail "without: $(said vm0)"
jq -e '.gateway == null' "$work/none.json" >/dev/null || fail "a gateway without --nat"
# Sizes around each limit: the MTUs, libslirp's own (1500), the largest datagram. The bytes come back, and are the same.
cat >"$work/sizes.sh" <<'END'
exec 3<>/dev/udp/10.0.0.1/PORT
for n in 1252 1253 1472 1473 3000 8001 61464 61465 65506 65507; do
	head -c $n /dev/urandom >/tmp/sent
	for try in 1 2 3 4 5; do # the host may have no time for the server
		dd if=/tmp/sent bs=70000 count=1 >&3 2>/dev/null
		timeout 5 dd bs=70000 count=1 <&3 2>/dev/null | cmp -s - /tmp/sent && echo "datagram of $n" && break
	done
	for to in 10.0.0.1 10.0.0.2 10.0.0.3; do
		ping -c 1 -W 5 -s $n $to | grep -q " 0% packet loss" && echo "ping of $n to $to"
	done
done
sleep 2
END
sed -i "s/PORT/$udp/" "$work/sizes.sh"
for mtu in 1500 61492; do
	run_ok 300 --vms 2 --memory 96M --nat host --net-mtu $mtu --fs "t=$work" --exec 'bash /mnt/t/sizes.sh'
	for vm in vm0 vm1; do
		[ "$(said $vm | grep -c '^datagram of')" = 10 ] && [ "$(said $vm | grep -c '^ping of')" = 30 ] ||
			fail "MTU $mtu, $vm: only these are answered: $(said $vm)"
	done
done

# Names come from the host's server of names, wherever that is, and of it nothing else is to be had. In a network of our own, if we may.
cat >"$work/names.pl" <<'END'
use IO::Socket::INET;
my $udp = IO::Socket::INET->new(LocalAddr => "127.0.0.53:53", Proto => "udp") or die "no server of names: $@";
while ($udp->recv(my $asked, 1500)) { # 10.9.8.7 for every name
	my $end = index($asked, "\0", 12) + 5;
	my $ipv4 = unpack("n", substr($asked, $end - 4)) == 1;
	$udp->send(substr($asked, 0, 2) . pack("n5", 0x8180, 1, $ipv4, 0, 0) . substr($asked, 12, $end - 12) .
		($ipv4 ? pack("n3Nn", 0xc00c, 1, 1, 60, 4) . "\x0a\x09\x08\x07" : ""));
}
END
cat >"$work/names.sh" <<'END'
ip link set lo up && echo nameserver 127.0.0.53 >"$1/resolv" && mount --bind "$1/resolv" /etc/resolv.conf || exit 1
perl "$1/names.pl" &
trap "kill $!" EXIT
"${@:2}"
END
if [ "$(id -u)" = 0 ] && unshare -n -m true 2>/dev/null; then
	limited 300 unshare -n -m bash "$work/names.sh" "$work" "$disco" run --threads 2 --memory 96M --nat outside --exec '
		for i in 1 2 3 4 5; do ping -c 1 -W 1 disco.test 2>/dev/null | head -n 1 | grep . && break; done
		bash -c "exec 3<>/dev/tcp/10.0.0.254/22" || echo no answer' </dev/null >"$work/out" 2>"$work/err" || fail "names: $(tail -n 5 "$work/err")"
	said vm0 | grep -q '(10.9.8.7)' && said vm0 | grep -q 'no answer' || fail "names: $(said vm0)"
fi
finish
