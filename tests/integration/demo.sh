#!/bin/sh
# The demo is a test as well: every step does as it should, and a second run works as the first.
srcdir=${srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
builddir=${builddir:-$srcdir/build}
bad=0
for run in first second; do
    out=$("$srcdir/tests/demo/demo" "$builddir" 2>&1)
    if [ $? -eq 0 ]; then
        echo "ok - the $run run of the demo"
    else
        echo "not ok - the $run run of the demo"
        printf '%s\n' "$out"
        bad=1
    fi
done
exit "$bad"
