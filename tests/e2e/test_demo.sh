#!/bin/sh
# What `make demo` runs ends well, and shows what it promises.
cd "$(dirname "$0")/../.." || exit 2
if [ "$(id -u)" -ne 0 ]; then
	echo "ok 1 - demo # SKIP needs root"
	exit 0
fi
out=$(mktemp)
trap 'rm -f "$out"' EXIT
n=0
check() {
	n=$((n + 1))
	if eval "$2"; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		tail -n 30 "$out" >&2
	fi
}
tools/demo >"$out" 2>&1
status=$?
check "the demo ends well" '[ $status -eq 0 ]'
check "it shows cold starts by their parts" 'grep -q "cold: .*queue .*sandbox .*runtime .*import .*handler" "$out"'
check "it shows a bill for each function" '[ "$(grep -c "^  bill " "$out")" -ge "$(ls -d docs/examples/*/ | wc -l)" ]'
check "it shows report lines" 'grep -q "REPORT RequestId: " "$out"'
check "it proves that nothing is left" 'grep -q "nothing is left" "$out"'
