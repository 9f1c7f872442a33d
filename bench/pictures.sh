#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Makes the documents' pictures anew: of sharing, from bench/server.conf, and of page placement, from bench/numa-*.conf. Runs are left
# under build/pictures, pictures in bench/pictures. The runs are the same on every host. Letters depend on gnuplot and the host's fonts.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
B=${B:-build}
runs=$B/pictures
mkdir -p "$runs"

"$B/disco" compare --vary share all all,-net all,-content all,-zero all,-free all,-disk all,-boot none \
	--config "$here/server.conf" -o "$runs/share"
cp "$runs/share/compare.png" "$here/pictures/share.png"
"$B/disco" plot "$runs/share/1-all.json" --kind sharing -o "$here/pictures/sharing.png"

"$B/disco" compare round-robin first-touch disco --config "$here/numa-1vm-read-shared.conf" -o "$runs/read-shared"
"$B/disco" run --config "$here/numa-2vm-partitioned.conf" --policy disco --quiet --stats "$runs/partitioned.json"
cp "$runs/read-shared/compare.png" "$here/pictures/policies.png"
"$B/disco" plot "$runs/read-shared/1-round-robin.json" --kind misses -o "$here/pictures/misses-round-robin.png"
"$B/disco" plot "$runs/read-shared/3-disco.json" --kind misses -o "$here/pictures/misses-disco.png"
"$B/disco" plot "$runs/partitioned.json" --kind stall -o "$here/pictures/stall.png"
"$B/disco" plot "$runs/partitioned.json" --kind pages -o "$here/pictures/pages.png"
