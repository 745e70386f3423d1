#!/bin/sh
# qrexec-calls on a private instance: calls are listed with their bytes, watched, and ended.
set -u
srcdir=${srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
builddir=$(cd "${builddir:-$srcdir/build}" && pwd)
demo_dir=$srcdir/tests/demo
. "$demo_dir/instance.sh"
bad=0 code=0 caller=''
check() {
    if [ "$1" -eq 0 ]; then echo "ok - $2"; return; fi
    echo "not ok - $2"
    for f in out list watch ended; do sed "s/^/    $f: /" "$QREXEC_ROOT/$f" 2>/dev/null; done
    bad=1
}
trap 'exec 8>&-; instance_stop >/dev/null 2>&1' EXIT

instance_start "$builddir" && qvm-create -l yellow -t local --property template_for_dispvms=True dvm &&
    qvm-create -l yellow -t local --property default_dispvm=dvm email && qvm-create -l red -t local work &&
    qvm-start email && qvm-start work || exit 99
policy qubes.VMShell '@anyvm @dispvm allow' '@anyvm work allow'
printf 'my.Slow * @anyvm dom0 allow\n' >"$QREXEC_ROOT/etc/qubes/policy.d/30-user.policy"
printf '#!/bin/sh\necho begun\nexec sleep 61\n' >"$QREXEC_ROOT/etc/qubes-rpc/my.Slow" && chmod +x "$QREXEC_ROOT/etc/qubes-rpc/my.Slow"

out=$QREXEC_ROOT/out
# listed N: that many calls are, beside that of the terminal in email, which is from dom0, too
listed() { qrexec-calls >"$QREXEC_ROOT/list" 2>&1 && [ "$(rows | wc -l)" -eq "$1" ]; }
rows() { grep -v '^ID \|^dom0\.email-' "$QREXEC_ROOT/list"; }
field() { rows | awk -v n="$1" '{print $n}'; }
begun() { grep -q begun "$out"; }
no_disposable() { ! qvm-ls --raw-list 2>/dev/null | grep -q '^disp[0-9]'; }
# start DOMAIN COMMAND: in the background, with fd 8 as its stdin; go: waits until it has begun
go() { start "$@" && wait_for "the service" 10 begun; }
start() {
    rm -f "$QREXEC_ROOT/in"
    mkfifo "$QREXEC_ROOT/in"
    : >"$out"
    in_domain "$1" "$2" >"$out" 2>&1 <"$QREXEC_ROOT/in" 8>&- &
    caller=$!
    exec 8>"$QREXEC_ROOT/in"
}
# over SECONDS: the caller's exit code is in $code
over() {
    wait_for "its end" "$1" sh -c "! kill -0 $caller" || return 1
    wait "$caller"
    code=$?
}
# finish WHAT: ends the only listed call; both ends have said so
finish() {
    id=$(field 1)
    before=$(date +%s%N)
    qrexec-calls end "$id" >"$QREXEC_ROOT/ended" 2>&1
    check $? "$1: it is ended"
    over 2 && [ "$code" -eq 255 ]
    check $? "$1: the caller ends with 255 (it was $code)"
    took=$((($(date +%s%N) - before) / 1000000))
    [ "$took" -le 1500 ] # with the time for qvm-run to end
    check $? "$1: within a second ($took ms)"
    exec 8>&-
    grep -q 'ended by the administrator' "$out"
    check $? "$1: the caller is told why"
    wait_for "the list to be empty" 5 listed 0
    check $? "$1: it is not listed any more"
}
domain_logs() { cat "$QREXEC_ROOT"/var/log/qubes/* 2>/dev/null; }
in_log() { grep -q "call $2: .*us: " "$QREXEC_ROOT/var/log/qubes/qrexec.$1.log"; }

listed 0
check $? "nothing runs, nothing is listed"

# ---- Between two domains ----
qrexec-calls watch >"$QREXEC_ROOT/watch" 2>&1 &
watcher=$!
start email 'qrexec-client-vm work qubes.VMShell 2>&1'
echo 'echo begun; exec cat >/dev/null' >&8
wait_for "the service" 10 begun
check $? "a call from email to work begins"
head -c 100000 /dev/zero >&8
bytes() { listed 1 && [ "$(field 6)" -ge 100000 ] && [ "$(field 7)" -eq 6 ]; }
wait_for "its bytes" 5 bytes
check $? "it is listed with the bytes of each way"
id=$(field 1)
[ "$(field 2) $(field 4) $(field 5) $(field 8)" = 'running email work qubes.VMShell' ]
check $? "with state, source, target and service"
qrexec-calls --json >"$QREXEC_ROOT/json" && grep -q "\"id\": \"$id\"" "$QREXEC_ROOT/json" && grep -q '"first_byte": [1-9]' "$QREXEC_ROOT/json"
check $? "programs get it as JSON, with the time of the first byte"
finish "email to work"
wait_for "both logs" 5 in_log email "$id" && wait_for "both logs" 5 in_log work "$id"
check $? "the id is in the logs of both daemons, with its stages"
qrexec-policy log --call "$id" | grep -q 'email -> work: allow' && qrexec-policy explain "$id" | grep -q "Call $id"
check $? "the decision has it, too"
watched() { grep -q "^end $id email -> work" "$QREXEC_ROOT/watch"; }
wait_for "what is watched" 5 watched && grep -q "^call $id email -> work .*: running" "$QREXEC_ROOT/watch"
check $? "who watches saw it begin and end"

# ---- A disposable ----
start email 'qrexec-client-vm @dispvm qubes.VMShell 2>&1'
printf 'echo begun; trap "" TERM HUP PIPE; while :; do sleep 1; done\n' >&8
wait_for "the disposable's service" 20 begun && listed 1
check $? "a call to a disposable is listed"
finish "a disposable"
wait_for "its end" 5 no_disposable
check $? "the disposable is gone"

# ---- dom0, both ways ----
go email 'qrexec-client-vm dom0 my.Slow 2>&1' && listed 1 && [ "$(field 5)" = dom0 ]
check $? "a call to dom0 is listed"
finish "a service of dom0"
grep -q 'my.Slow\|administrator' "$QREXEC_ROOT/var/log/qubes/qrexec.email.log"
check $? "dom0's log says it"
: >"$out"
qrexec-client -d work 'user:echo begun; exec sleep 61' >"$out" 2>&1 </dev/null &
caller=$!
wait_for "it" 10 begun && listed 1 && [ "$(field 4) $(field 5)" = 'dom0 work' ]
check $? "a call of dom0 is listed"
finish "a call of dom0"

# ---- Limits of services ----
mkdir -p "$QREXEC_ROOT/etc/qubes/rpc-config"
# limited SETTING WORDS: dom0's my.Slow, called by email, ends with 125, and both ends say so
limited() {
    echo "$1" >"$QREXEC_ROOT/etc/qubes/rpc-config/my.Slow"
    start email 'qrexec-client-vm dom0 my.Slow 2>&1'
    over 8 && [ "$code" -eq 125 ]
    check $? "$1: the caller of dom0's service ends with 125 (it was $code)"
    exec 8>&-
    # the caller's end may come before dom0's
    grep -q "^qrexec: service my.Slow.*: its $2" "$out" &&
        wait_for "the log" 2 grep -q "call of email to dom0: the service's $3" "$QREXEC_ROOT/var/log/qubes/qrexec.email.log"
    check $? "$1: both ends say so"
}
limited 'max-time = 1' 'max-time of 1 s is over' 'max-time is over'
limited 'max-bytes = 3' 'max-bytes of 3 are used up' 'max-bytes are used up'
rm "$QREXEC_ROOT/etc/qubes/rpc-config/my.Slow"

# ---- What does not work ----
qrexec-calls end "$id" >"$QREXEC_ROOT/ended" 2>&1
[ $? -eq 1 ] && grep -q 'no such call runs' "$QREXEC_ROOT/ended"
check $? "one that is over cannot be ended"
kill "$watcher" 2>/dev/null
pid=$(pgrep -f "qrexec-daemo[n] .*--root=$QREXEC_ROOT .* work( |\$)")
kill -STOP "$pid"
before=$(date +%s%N)
qrexec-calls >"$QREXEC_ROOT/list" 2>&1
code=$?
took=$((($(date +%s%N) - before) / 1000000))
kill -CONT "$pid"
[ "$code" -eq 1 ] && [ "$took" -lt 2000 ] && grep -q 'no whole answer' "$QREXEC_ROOT/list" && grep -q '^ID ' "$QREXEC_ROOT/list"
check $? "a daemon that does not answer costs a second, and is named ($took ms)"

instance_stop
check $? "nothing is left"
[ "$bad" -eq 0 ]
