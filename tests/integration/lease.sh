#!/bin/sh
# A disposable ends with its call, whoever is killed half-way.
#
# In a private instance email calls a service in a disposable that would take a minute; then one
# process after the other is killed with SIGKILL, and the disposable must be gone within 5 s, with
# no process of it left, and the next call must work.
set -u
srcdir=${srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
builddir=${builddir:-$srcdir/build}
demo_dir=$srcdir/tests/demo
. "$demo_dir/instance.sh"
bad=0

pass() { echo "ok - $1"; }
fail() { echo "not ok - $1"; bad=$((bad + 1)); }

disposable() { qvm-ls --raw-list --running 2>/dev/null | grep '^disp[0-9]'; }
no_disposable() { ! qvm-ls --raw-list 2>/dev/null | grep -q '^disp[0-9]'; }
has_disposable() { disposable >/dev/null; }
# Only this instance's: other tests run beside this one. A sandbox mounts parts of its instance.
ours() { while read -r p; do grep -q "$QREXEC_ROOT" "/proc/$p/mountinfo" 2>/dev/null && echo "$p"; done; }
services() { pgrep -f 'slee[p] 61' | ours; }

start_call() {
    in_domain email 'exec qvm-run @dispvm "echo begun; exec sleep 61"' >"$QREXEC_ROOT/out" 2>&1 </dev/null &
    caller=$!
    wait_for "the disposable" 10 has_disposable && wait_for "the service" 10 grep -q begun "$QREXEC_ROOT/out"
}

# killed WHAT COMMAND...: the command kills; then all must be over.
killed() {
    what=$1
    shift
    start_call || { fail "$what: the call does not start"; kill "$caller" 2>/dev/null; return; }
    name=$(disposable)
    domid=$(qvm-prefs "$name" xid)
    "$@" || { fail "$what: nothing to kill"; kill "$caller" 2>/dev/null; return; }
    if wait_for "the disposable's end" 5 no_disposable; then pass "$what: the disposable is gone"; else fail "$what: $name lives on"; qvm-kill "$name"; fi
    kill "$caller" 2>/dev/null
    wait "$caller" 2>/dev/null
    if [ -z "$(services)" ]; then pass "$what: nothing of it runs"; else fail "$what: its process lives on"; fi
    left=$(cd "$QREXEC_ROOT/run/qubes" && ls -d "qrexec.$name" ./*."$domid" 2>/dev/null)
    if [ -z "$left" ]; then pass "$what: its sockets are removed"; else fail "$what: there is still $left"; fi
    wait_for "email" 10 in_domain email true </dev/null || fail "$what: email does not work any more"
    out=$(in_domain email 'qvm-run @dispvm "echo again"' </dev/null 2>&1)
    if [ "$out" = again ]; then pass "$what: the next call works"; else fail "$what: the next call says: $out"; fi
    wait_for "the end of it" 5 no_disposable
}

daemon_of() { pgrep -f "qrexec-daemo[n] .*--root=$QREXEC_ROOT .* $1( |\$)"; }
# By the domain's own number: processes in its sandbox are children of its init.
in_sandbox() {
    domid=$(qvm-prefs "$1" xid)
    for p in $(pgrep -f "$2" | ours); do
        grep -qz "^VCHAN_DOMAIN=$domid\$" "/proc/$p/environ" 2>/dev/null && echo "$p"
    done
}
# The agent itself is the init's child; the processes that carry its calls are the agent's.
agent_of() {
    for init in $(in_sandbox "$1" 'qrexec-domain-ini[t]'); do pgrep -P "$init" -f 'qrexec-agen[t]'; done
}
# Of several one may just have ended by itself.
kill_all() { hit=1; for p in "$@"; do kill -9 "$p" 2>/dev/null && hit=0; done; return $hit; }

kill_caller() { kill_all $(in_sandbox email 'qrexec-client-v[m]'); }
kill_command() { kill_all $(in_sandbox email 'qvm-ru[n] @dispvm'); }
kill_caller_agent() { kill_all $(agent_of email); }
kill_target_agent() { kill_all $(agent_of "$name"); }
kill_relay() { kill_all $(in_sandbox "$name" 'qrexec-(agent|fork-serve[r])'); }
kill_caller_daemon() { kill_all $(daemon_of email); }
kill_target_daemon() { kill_all $(daemon_of "$name"); }
kill_service() { kill_all $(services); }
kill_init() { kill_all $(in_sandbox "$name" 'qrexec-domain-ini[t]'); }

trap 'instance_stop >/dev/null 2>&1' EXIT
instance_start "$builddir" && qvm-create -l yellow -t local --property template_for_dispvms=True dvm &&
    qvm-create -l yellow -t local --property default_dispvm=dvm email && qvm-start email || { fail "the instance starts"; exit 1; }
policy qubes.VMShell '@anyvm @dispvm allow'
killed "caller's qrexec-client-vm" kill_caller
killed "caller's command" kill_command
killed "caller's agent" kill_caller_agent
killed "target's agent" kill_target_agent
killed "target's relay and agent" kill_relay
killed "caller's daemon" kill_caller_daemon
killed "target's daemon" kill_target_daemon
killed "the service" kill_service
killed "the disposable's init" kill_init
if instance_stop; then pass "nothing is left"; else fail "something is left"; fi
[ "$bad" -eq 0 ]
