#!/bin/sh
# gather.sh FILE: write the input of this example, over a megabyte of real text that every Debian has: the
# common licences, each once, then copyright files of installed packages.
set -e
out=$1
{
	find /usr/share/common-licenses -type f | LC_ALL=C sort | xargs cat
	# head stops reading when it has enough: cat and xargs would complain
	{ find /usr/share/doc -name copyright -type f | LC_ALL=C sort | xargs cat; } 2>/dev/null
} | head -c 1200000 >"$out.new"
[ "$(wc -c <"$out.new")" -ge 1048576 ] || echo "gather.sh: this machine has less than a megabyte of licences" >&2
mv "$out.new" "$out"
