#!/bin/sh
# What calls-load cannot show, since it plays the spawner: with the real one a disposable is gone
# within 2 s of its opener's death though no byte flows, a second click during a domain's start waits
# for it, and a spawner with nothing to do sleeps. LOAD_IDLE: for how many seconds that is watched.
set -u
srcdir=${srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
builddir=$(cd "${builddir:-$srcdir/build}" && pwd)
demo_dir=$srcdir/tests/demo
. "$demo_dir/instance.sh"
bad=0
check() { if [ "$1" -eq 0 ]; then echo "ok - $2"; else echo "not ok - $2"; bad=1; fi; }
now() { date +%s%3N; }
no_disposable() { ! qvm-ls --raw-list 2>/dev/null | grep -q '^disp[0-9]'; }
# Only this instance's: other tests run beside this one.
ours() { while read -r p; do grep -q "$QREXEC_ROOT" "/proc/$p/mountinfo" 2>/dev/null && echo "$p"; done; }
switches() { sed -n 's/^voluntary_ctxt_switches:[[:space:]]*//p' "/proc/$1/status"; }

trap 'instance_stop >/dev/null 2>&1' EXIT
instance_start "$builddir" && qvm-create -l yellow -t local --property template_for_dispvms=True dvm &&
    qvm-create -l yellow -t local --property default_dispvm=dvm email && qvm-create -l red -t local late &&
    qvm-start email || exit 99
policy qubes.VMShell '@anyvm @anyvm allow'

in_domain email 'exec qvm-run @dispvm "echo begun; exec sleep 63"' >"$QREXEC_ROOT/out" 2>&1 </dev/null &
caller=$!
wait_for "the disposable" 20 grep -q begun "$QREXEC_ROOT/out" || exit 99
begun=$(now)
kill -9 $(pgrep -f 'qrexec-client-v[m]' | ours)
wait_for "its end" 10 no_disposable
took=$(($(now) - begun))
[ "$took" -lt 2000 ] && [ -z "$(pgrep -f 'slee[p] 63' | ours)" ]
check $? "a disposable is gone soon after its opener was killed: $took ms"
kill "$caller" 2>/dev/null
wait "$caller" 2>/dev/null

begun=$(now)
for i in 1 2 3; do
    in_domain email "qvm-run late 'echo call $i'" >"$QREXEC_ROOT/call.$i" 2>&1 </dev/null &
    calls="${calls:-} $!"
    sleep 0.05
done
wait $calls
took=$(($(now) - begun))
[ "$(cat "$QREXEC_ROOT"/call.[123])" = "$(printf 'call 1\ncall 2\ncall 3')" ]
check $? "calls to a halted domain wait for its start: 3 in $took ms"

idle() {
    before=$(switches "$2") || return 1
    sleep "${LOAD_IDLE:-1}"
    woken=$(($(switches "$2") - before))
    [ "$woken" -eq 0 ]
    check $? "$1 that has nothing to do sleeps: woken $woken times in ${LOAD_IDLE:-1} s"
}
sleep 1
idle "the spawner" "$spawner"
idle "its helper" "$(pgrep -f "domain-spawner-helper --root=$QREXEC_ROOT")"
instance_stop
check $? "nothing is left"
exit $bad
