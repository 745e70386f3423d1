#!/bin/sh
# A domain whose agent is too slow for its qrexec_timeout: the call that started it is refused, the
# domain lives, and can be called once its agent answers.
set -u
srcdir=${srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
builddir=$(cd "${builddir:-$srcdir/build}" && pwd)
demo_dir=$srcdir/tests/demo
. "$demo_dir/instance.sh"
bad=0
check() {
    if [ "$1" -eq 0 ]; then echo "ok - $2"; return; fi
    echo "not ok - $2"
    sed 's/^/    /' "$QREXEC_ROOT/out" 2>/dev/null
    bad=1
}
trap 'instance_stop >/dev/null 2>&1' EXIT

instance_start "$builddir" && qvm-create -l red -t local email && qvm-create -l red -t local --property qrexec_timeout=2 slow &&
    qvm-start email || exit 99
policy qubes.VMShell '@anyvm slow allow'
agents=$QREXEC_ROOT/usr/lib/qubes/vm/lib/qubes
mv "$agents/qrexec-agent" "$agents/real-agent"
cat >"$agents/qrexec-agent" <<'END'
#!/bin/sh
until [ -e /home/user/go ]; do echo begun >>/home/user/begun; sleep 0.1; done
exec "${0%/*}/real-agent" "$@"
END
chmod 755 "$agents/qrexec-agent"

out=$QREXEC_ROOT/out
home=$QREXEC_ROOT/var/lib/qubes/homes/slow
# ended COMMAND...: its exit code in $code, what it says in $out, how long it took in $took
ended() {
    before=$(date +%s%N)
    "$@" >"$out" 2>&1 </dev/null
    code=$?
    took=$((($(date +%s%N) - before) / 1000000))
}
state() { qvm-ls --raw-data -O STATE slow; }
begun() { wc -l <"$home/begun"; }
goes_on() { [ "$(begun)" -gt "$count" ]; }
ready() { [ "$(state)" = Running ]; }

ended in_domain email 'qvm-run slow "echo hello"'
[ "$code" -eq 126 ] && ! grep -q hello "$out"
check $? "the call that starts it is refused (it ended with $code)"
[ "$took" -ge 2000 ] && [ "$took" -lt 12000 ]
check $? "when the time is over ($took ms)"
grep -q 'slow cannot be called yet: no agent answered within 2 seconds' "$QREXEC_ROOT/var/log/qubes/qrexec.email.log"
check $? "and the caller's log says why"
[ "$(state)" = Transient ]
check $? "the domain is not ended: it is $(state)"
count=$(begun)
wait_for "it to go on" 10 goes_on
check $? "and it goes on with what it does"
: >"$home/go"
wait_for "its agent" 20 ready
check $? "its agent answers"
ended in_domain email 'qvm-run slow "echo hello"'
[ "$code" -eq 0 ] && [ "$(cat "$out")" = hello ]
check $? "the next call works"

qvm-kill slow && rm "$home/go"
ended qvm-run slow true
[ "$code" -eq 255 ] && grep -q 'slow: slow cannot be called yet: no agent answered within 2 seconds' "$out"
check $? "dom0's call is refused, and says why (it ended with $code)"
[ "$(state)" = Transient ]
check $? "it lives then, too"
qvm-shutdown --wait slow >"$out" 2>&1
check $? "one that is late can be shut down"

mv "$agents/real-agent" "$agents/qrexec-agent"
instance_stop
check $? "nothing is left"
[ "$bad" -eq 0 ]
