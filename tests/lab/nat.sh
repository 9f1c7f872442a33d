# SPDX-License-Identifier: MIT
#
# A Debian VM under KVM reaches a server on the host by the subnet's gateway.
. /lab/lib.sh
ip link set lo up
mkdir -p /tmp/www
echo 'from the host' >/tmp/www/text
busybox httpd -f -p 127.0.0.1:8000 -h /tmp/www &
server=$!
run_ok 200 --vms 1 --memory 128M --nat host --stats /out/s.json --exec 'bash -c "exec 3<>/dev/tcp/10.0.0.1/8000; printf \"GET /text HTTP/1.0\r\n\r\n\" >&3; tail -n 1 <&3"'
kill $server
[ "$(said vm0 | tail -n 1)" = 'from the host' ] || fail "vm0 got: $(said vm0)"
finish
