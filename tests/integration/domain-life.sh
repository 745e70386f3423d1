#!/bin/sh
# The life of domains of the local backend: starts, ends, failures, and what dies with what.
set -u
test_name=domain-life
. "$(dirname "$0")/domains.sh"
id() { printf '%08d-0000-4000-8000-000000000000' "$1"; }
now() { date +%s%3N; }
log() { cat "$root/var/log/qubes/guest-$1.log"; }
daemons() { pgrep -f "qrexec-daemon -D --root=$root" | wc -l; }

# --- what runs, and what is restarted
start_helper
say "create work $(id 1) $root/home/work" "running $(id 1)"
ok "the home is the domain's alone" '[ "$(stat -c %a "$root/home/work")" = 700 ]'
ok "the host name is the domain's" '[ "$(in_domain work hostname)" = work ]'
ok "what it is for, it can read" '[ "$(in_domain work "cat /run/qubes-domain/name /run/qubes-domain/persistence")" = workrw-only ]'
in_domain work 'pkill -x qrexec-agent'
ok "an agent that ends is started again" 'until_true "[ \"\$(in_domain work \"echo back\" 2>/dev/null)\" = back ]"'
pkill -f "qrexec-daemon -D --root=$root .*work"
ok "a daemon that ends is started again" 'until_true "[ \"\$(in_domain work \"echo back\" 2>/dev/null)\" = back ]"'
ok "one daemon, still" '[ "$(daemons)" -eq 1 ]'

# --- pause, figures
in_domain work 'while :; do date +%s%N >tick; sleep 0.02; done >/dev/null 2>&1 </dev/null &'
say "pause $(id 1)" "answer 2"
before=$(cat "$root/home/work/tick")
sleep 0.3
ok "a paused domain stands still" '[ "$(cat "$root/home/work/tick")" = "$before" ]'
say "unpause $(id 1)" "answer 3"
ok "an unpaused one goes on" 'until_true "[ \"\$(cat \"$root/home/work/tick\")\" != \"$before\" ]"'
# until it has had 0.4 s of a processor, however busy that is
in_domain work 'sh -c "while [ \$(cut -d\" \" -f14 /proc/\$\$/stat) -lt 40 ]; do i=0; while [ \$i -lt 9999 ]; do i=\$((i+1)); done; done; touch burnt; exec sleep 3" >/dev/null 2>&1 </dev/null &'
until_true '[ -e "$root/home/work/burnt" ]'
say "stats $(id 1)" "stats 4"
ok "memory and processor time are counted" '[ "$(awk "/^stats 4/ && \$3 > 1000 && \$4 >= 300000000" "$root/out" | wc -l)" -eq 1 ]'

# --- ends
say "create work $(id 2) $root/home/other"
say "create other $(id 2) $root/home/work"
say "wait answer 6"
answer_of "answer 6"
ok "a name and a home that are in use are refused" '[ "$(grep -c "^answer [56] 0 a domain" "$root/out")" -eq 2 ]'
in_domain work 'trap "echo asked >asked; exit 7" TERM; echo $$ >pid; while :; do sleep 0.05; done' >/dev/null 2>&1 &
until_true '[ -s "$root/home/work/pid" ]'
say "shutdown $(id 1)" "gone $(id 1) shutdown"
wait $!
code=$?
ok "programs are asked before they are killed" '[ "$(cat "$root/home/work/asked" 2>/dev/null)" = asked ]'
ok "and their callers get their exit codes" '[ $code -eq 7 ]'
ok "nothing is kept of the ports of one that is gone" '[ -z "$(ls "$root/run/qubes" | grep ports)" ]'
say "create work $(id 1) $root/home/work" "running $(id 1) 2"
ok "files stay, numbers do not come again" '[ "$(in_domain work "cat asked")" = asked ]'
in_domain work 'kill -9 $(pgrep -x qrexec-domain-i)' >/dev/null 2>&1
answer_later() { until_true "grep -q '^$1' $root/out"; }
echo "wait gone $(id 1) crash" >&7
ok "an init that is killed ends the domain" 'answer_later "gone $(id 1) crash"'

# --- disposables
mkdir "$root/home/disp1" && echo old >"$root/home/disp1/left" # by a crash
say "create disp1 $(id 3) $root/home/disp1 disposable" "running $(id 3)"
ok "it finds nothing of an earlier one" '[ "$(in_domain disp1 "ls -A; echo here")" = here ]'
pkill -f "qrexec-daemon -D --root=$root .*disp1"
say "wait gone $(id 3)"
ok "a disposable ends with its daemon" 'answer_later "gone $(id 3) crash"'
ok "and leaves no home" '[ ! -e "$root/home/disp1" ]'

# --- starts that fail, with a reason
mv "$root/usr/lib/qubes/vm/lib/qubes/qrexec-domain-init" "$root/init"
say "create late $(id 4) $root/home/late" "start-failed $(id 4)"
ok "no VM side: it is said" 'grep "^start-failed $(id 4)" "$root/out" | grep -q "VM side is not installed"'
cat >"$root/usr/lib/qubes/vm/lib/qubes/qrexec-domain-init" <<'END'
#!/bin/sh
echo "I shall not start"
exec sleep 9876.5
END
chmod 755 "$root/usr/lib/qubes/vm/lib/qubes/qrexec-domain-init"
say "create slow $(id 5) $root/home/slow seconds=1" "start-failed $(id 5)"
ok "no agent in time: the last line of the log is the reason" 'grep "^start-failed $(id 5)" "$root/out" | grep -q "within 1 seconds: I shall not start"'
ok "and nothing of it runs" 'until_true "! pgrep -f \"sleep 9876.5\" >/dev/null"'
# --- an agent that is late
mv "$root/usr/lib/qubes/vm/lib/qubes/qrexec-domain-init" "$root/mute"
cp "$root/init" "$root/usr/lib/qubes/vm/lib/qubes/qrexec-domain-init"
mv "$root/usr/lib/qubes/vm/lib/qubes/qrexec-agent" "$root/usr/lib/qubes/vm/lib/qubes/real-agent"
cat >"$root/usr/lib/qubes/vm/lib/qubes/qrexec-agent" <<'END'
#!/bin/sh
echo "I take my time"
echo $$ >>/home/user/begun
until [ -e /home/user/go ]; do sleep 0.05; done
exec "$(dirname "$0")/real-agent" "$@"
END
chmod 755 "$root/usr/lib/qubes/vm/lib/qubes/qrexec-agent"
say "create tardy $(id 10) $root/home/tardy seconds=1" "late $(id 10)"
ok "no agent in time: a domain that stays is late, and it is said why" 'grep "^late $(id 10)" "$root/out" | grep -q "within 1 seconds: I take my time"'
say "create disp10 $(id 11) $root/home/disp10 disposable seconds=1" "start-failed $(id 11)"
ok "a disposable is ended" 'until_true "[ ! -e \"$root/home/disp10\" ]"'
say "create tardy2 $(id 12) $root/home/tardy2 seconds=1" "late $(id 12)"
say "shutdown $(id 12)" "gone $(id 12) shutdown"
: >"$root/home/tardy/go"
say "wait running $(id 10)"
answer_of "running $(id 10)"
ok "it is the one that was late: its agent began once" '[ "$(wc -l <"$root/home/tardy/begun")" -eq 1 ] && ! grep -q "^gone $(id 10)" "$root/out"'
ok "and it can be called" '[ "$(in_domain tardy "echo at last")" = "at last" ]'
pkill -f "qrexec-daemon -D --root=$root .*tardy"
ok "its daemon is started again as any other" 'until_true "[ \"\$(in_domain tardy \"echo back\" 2>/dev/null)\" = back ]"'
say "destroy $(id 10)" "gone $(id 10) destroy"
ok "that it runs is told once" '[ "$(grep -c "^running $(id 10)" "$root/out")" -eq 1 ]'
mv "$root/usr/lib/qubes/vm/lib/qubes/real-agent" "$root/usr/lib/qubes/vm/lib/qubes/qrexec-agent"
mv "$root/mute" "$root/usr/lib/qubes/vm/lib/qubes/qrexec-domain-init"

say "create never $(id 6) $root/home/never"
say "destroy $(id 6)" "gone $(id 6) destroy"
mv "$root/init" "$root/usr/lib/qubes/vm/lib/qubes/qrexec-domain-init"
: >"$root/file"
say "create nohome $(id 7) $root/file/home" "start-failed $(id 7)"
ok "no home: it is said" 'grep "^start-failed $(id 7)" "$root/out" | grep -q "cannot make the home"'

# --- a network
if command -v slirp4netns >/dev/null && [ -w /dev/net/tun ]; then
    say "create net $(id 8) $root/home/net networked" "running $(id 8)"
    ok "a networked domain has a device and a route before it has calls" 'in_domain net "cat /proc/net/route" | grep -q "^tap0"'
    ok "and a resolver" '[ "$(in_domain net "cat /etc/resolv.conf")" = "nameserver 10.0.2.3" ]'
    say "shutdown $(id 8)" "gone $(id 8) shutdown"
    ok "its slirp4netns ends with it" '! pgrep -P "$(pgrep -f "domain-spawner-helper --root=$root")" slirp4netns >/dev/null'
fi

# --- many at once
began=$(now)
for i in 21 22 23 24 25 26 27 28; do say "create disp$i $(id $i) $root/home/disp$i disposable"; done
ok "eight start at once" 'until_true "[ \$(ls $root/run/qubes | grep -c ^qrexec.disp2) -eq 8 ]"'
echo "  8 disposables in $(($(now) - began)) ms"

# --- the helper is killed: all goes at once, and the next one sweeps
helper=$(pgrep -f "domain-spawner-helper --root=$root")
exec 7>&-
kill -9 "$helper"
wait "$driver"
driver=
ok "no process survives its helper" 'until_true "[ -z \"\$(left)\" ]"'
ok "homes of disposables are left then" '[ -e "$root/home/disp21" ]'
start_helper
ok "the next helper removes them" 'until_true "[ -z \"\$(ls $root/home | grep ^disp)\" ]"'
ok "and keeps the others" '[ -e "$root/home/work/asked" ]'
ok "it starts clean" '[ -z "$(ls "$root/run/vchan")" ]'

# --- the front goes while a domain starts
say "create work $(id 1) $root/home/work"
say "create disp9 $(id 9) $root/home/disp9 disposable"
exec 7>&-
wait "$driver"
ok "the helper ends well" "[ $? -eq 0 ]"
driver=
ok "and leaves nothing" 'until_true "[ -z \"\$(left)\" ]" && [ ! -e "$root/home/disp9" ] && [ -z "$(ls "$root/run/qubes/domains")" ]'
finish
