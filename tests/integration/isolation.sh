#!/bin/sh
# The walls between domains, tried from inside: see escape.c. Two domains without a network, "red"
# and "blue", run under the helper; red tries to get out, into dom0 and into blue.
set -u
build=${builddir:-$(pwd)}
tests=$build/tests/integration

skip() { echo "isolation: skipped: $*"; exit 77; }
command -v bwrap >/dev/null || skip "bubblewrap is missing"
unprivileged() { if [ "$(id -u)" -eq 0 ]; then setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; else "$@"; fi; }
unprivileged bwrap --unshare-all --ro-bind / / true 2>/dev/null || skip "no user namespaces on this machine"

root=$(mktemp -d /tmp/qrexec-walls.XXXXXX) || exit 1
chmod 0711 "$root"
red=11111111-1111-4111-8111-111111111111 blue=22222222-2222-4222-8222-222222222222
failed=0 passed=0 host= driver=
cleanup() {
    exec 7>&- 2>/dev/null
    [ -z "$driver" ] || wait "$driver"
    [ -z "$host" ] || { kill "$host"; wait "$host"; } 2>/dev/null
    rm -rf "$root"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

ok() { if eval "$2"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED: $1"; fi; }
until_true() { n=250; until eval "$1"; do n=$((n - 1)); [ $n -gt 0 ] || return 1; sleep 0.02; done; }
answer_of() { until_true "grep -q '^$1' '$root/out'" || { echo "no answer: $1"; tail -n 20 "$root"/out "$root"/var/log/qubes/*.log; exit 1; }; }
in_domain() { vm=$1; shift; QREXEC_ROOT=$root QREXEC_TRANSPORT=socket timeout 60 "$root/usr/bin/qrexec-client" -d "$vm" "user:$*" </dev/null; }

# --- a small instance: programs of the build tree, nothing else
mkdir -p "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib/qubes/vm/bin" "$root/usr/lib/qubes/vm/lib/qubes" \
    "$root/usr/lib/qubes/vm/etc/qubes-rpc" "$root/run/qubes" "$root/home"
cp "$build/qrexec-daemon/qrexec-client" "$root/usr/bin/"
cp "$build/qrexec-daemon/qrexec-daemon" "$root/usr/sbin/"
cp "$build/domain-spawner/domain-spawner-helper" "$root/usr/lib/qubes/"
cp "$build/qrexec-agent/qrexec-agent" "$build/qrexec-agent/qrexec-fork-server" \
    "$build/domain-spawner/qrexec-domain-init" "$root/usr/lib/qubes/vm/lib/qubes/"
cp "$tests/escape" "$root/usr/lib/qubes/vm/bin/"

# --- the bait on the host
ESCAPE_MARK=1
export ESCAPE_MARK
"$tests/escape" host "$root" & host=$!
until_true "[ -s '$root/bait' ]" || exit 1

# --- two domains
mkfifo "$root/in"
"$tests/helper-driver" "$root/usr/lib/qubes/domain-spawner-helper" "$root" <"$root/in" >"$root/out" 2>"$root/err" &
driver=$!
exec 7>"$root/in"
echo "create red $red $root/home/red" >&7
echo "wait running $red" >&7
echo "create blue $blue $root/home/blue" >&7
echo "wait running $blue" >&7
answer_of "running $red"
answer_of "running $blue"
in_domain blue 'echo the secret of blue >secret; sleep 1000 >/dev/null 2>&1 </dev/null & echo $! >pid' >/dev/null

# --- the ways out of escape.c
out=$(in_domain red "escape try $(cat "$root/bait")")
echo "$out"
ok "every way out is closed" '[ -n "$out" ] && ! echo "$out" | grep -q OPEN'
ok "all ways were tried" 'echo "$out" | grep -q "^tried [0-9]* ways"'
# the same on the host finds many: the tries are real
outside=$(unprivileged "$tests/escape" try $(cat "$root/bait") 2>&1)
n=$(echo "$outside" | grep -c OPEN)
ok "outside, many ways are open ($n)" '[ "$n" -ge 15 ]'

# --- what red does to the vchans of others
v=$root/run/vchan
inode() { stat -c %i "$1" 2>/dev/null; }
blue_socket=$(inode "$v/vchan.2.0.512.sock")
cat >"$root/forge" <<'END'
cd /run/vchan || exit 1
listen() { timeout 5 python3 -c 'import socket,sys,time
s=socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(1); time.sleep(3)' "$1" & }
listen vchan.2.0.512.sock   # another's control channel
listen vchan.0.2.600.sock   # dom0's to another
listen vchan.2.1.601.sock   # another's to oneself
listen vchan.01.2.602.sock  # not plain numbers
listen vchan.1.2.603.sock.x
listen vchan.1.2.702.sock   # its own: the one that is allowed
ln -s /etc/passwd vchan.1.0.700.sock
ln -s ../2/vchan.2.0.512.sock vchan.1.2.701.sock
mkfifo vchan.1.0.703.sock
touch vchan.1.0.704.sock
mkdir vchan.1.0.705.sock
ln -s /run/qubesd.sock 'vchan.1.0.706.sock'
sleep 1
END
chmod 644 "$root/forge"
cp "$root/forge" "$root/usr/lib/qubes/vm/bin/forge"
in_domain red "sh /usr/local/bin/forge; sleep 0.3; ls /run/vchan" >"$root/forged" 2>&1 &
forger=$!
ok "its own new vchan reaches the other end" 'until_true "[ -S $v/2/vchan.1.2.702.sock ]"'
sleep 0.5
ok "another's control channel is what it was" '[ -n "$blue_socket" ] && [ "$(inode "$v/vchan.2.0.512.sock")" = "$blue_socket" ]'
for name in vchan.0.2.600.sock vchan.2.1.601.sock vchan.01.2.602.sock vchan.1.2.603.sock.x vchan.1.2.701.sock; do
    ok "$name does not reach blue" '[ ! -e "$v/2/$name" ] && [ ! -L "$v/2/$name" ]'
done
for name in vchan.0.2.600.sock vchan.2.1.601.sock vchan.1.0.700.sock vchan.1.0.703.sock vchan.1.0.704.sock vchan.1.0.705.sock vchan.1.0.706.sock; do
    ok "$name does not reach dom0" '[ ! -e "$v/$name" ] && [ ! -L "$v/$name" ]'
done
in_domain blue 'rm -f /run/vchan/vchan.1.2.702.sock; sleep 0.2'
ok "the other end cannot remove it for its maker" '[ -S "$v/1/vchan.1.2.702.sock" ]'
wait "$forger"
ok "red did make what it tried" '[ "$(grep -c "^vchan\." "$root/forged")" -ge 12 ]'
in_domain red 'rm -f /run/vchan/vchan.1.2.702.sock'
ok "what its maker removes goes" 'until_true "[ ! -e $v/2/vchan.1.2.702.sock ]"'
in_domain red 'rm -rf /run/vchan/*'
ok "blue still answers" '[ "$(in_domain blue "echo here")" = here ]'

# --- files and processes of the other domain
ok "red sees no file of blue" '[ -z "$(in_domain red "cat $root/home/blue/secret /home/blue/secret 2>/dev/null")" ]'
ok "red sees only its own processes" '! in_domain red "ps ax" | grep -q "sleep 1000"'
ok "red cannot signal what is not its own" 'in_domain red "kill -9 -1; true" >/dev/null 2>&1; [ "$(in_domain blue "kill -0 \$(cat pid) && echo alive")" = alive ]'

# --- ends
echo "shutdown $blue" >&7
echo "wait gone $blue shutdown" >&7
answer_of "gone $blue shutdown"
ok "nothing of an ended domain stays" '[ ! -e "$v/2" ] && [ ! -e "$v/vchan.2.0.512.sock" ] && ! pgrep -f "$root.*blue" >/dev/null'
ok "its home does" '[ -s "$root/home/blue/secret" ]'
mkdir "$root/home/template" && echo from-template >"$root/home/template/t"
echo "create disp1 33333333-3333-4333-8333-333333333333 $root/home/disp1 disposable from=$root/home/template" >&7
echo "wait running 3" >&7
answer_of "running 3"
ok "a disposable's home is its template's" '[ "$(in_domain disp1 "cat t; echo x >new; echo y >t" )" = from-template ]'
echo "destroy 33333333-3333-4333-8333-333333333333" >&7
echo "wait gone 3" >&7
answer_of "gone 3"
ok "a disposable's home vanishes with it" '[ ! -e "$root/home/disp1" ] && [ "$(cat "$root/home/template/t")" = from-template ] && [ ! -e "$root/home/template/new" ]'
ok "and its logs" '! ls "$root/var/log/qubes" | grep -q disp1'

# --- the front goes, so does everything
exec 7>&-
wait "$driver"
code=$? driver=
ok "the helper ends with the front" '[ $code -eq 0 ]'
ok "no process of the instance is left" 'until_true "[ -z \"\$(pgrep -f $root | grep -vx $host | grep -vx $$)\" ]"'
ok "no socket is left" '[ -z "$(ls -A "$v")" ] && [ -z "$(ls -A "$root/run/qubes/domains")" ]'

echo "isolation: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
