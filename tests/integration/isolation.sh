#!/bin/sh
# The walls between domains, tried from inside: see escape.c. Two domains without a network, "red"
# and "blue", run under the helper; red tries to get out, into dom0 and into blue.
set -u
test_name=isolation
. "$(dirname "$0")/domains.sh"
cp "$tests/escape" "$root/usr/lib/qubes/vm/bin/"

# --- the bait on the host
ESCAPE_MARK=1
export ESCAPE_MARK
"$tests/escape" host "$root" & host=$!
until_true "[ -s '$root/bait' ]" || exit 1

# --- two domains
start_helper
say "create red $red $root/home/red" "running $red"
say "create blue $blue $root/home/blue" "running $blue"
in_domain blue 'echo the secret of blue >secret; sleep 1000 >/dev/null 2>&1 </dev/null & echo $! >pid' >/dev/null

# --- the ways out of escape.c
out=$(in_domain red "escape try $(cat "$root/bait")")
echo "$out"
ok "every way out is closed" '[ -n "$out" ] && ! echo "$out" | grep -q OPEN'
ok "all ways were tried" 'echo "$out" | grep -q "^tried [0-9]* ways"'
# the same on the host finds many: the tries are real
outside=$(unprivileged "$tests/escape" try $(cat "$root/bait") 2>&1)
rm -rf /tmp/c /tmp/link # which some of them leave there
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

# --- a network opens the way to the network alone
green=44444444-4444-4444-8444-444444444444
if command -v slirp4netns >/dev/null && [ -w /dev/net/tun ]; then
    say "create green $green $root/home/green networked" "running $green"
    out=$(in_domain green "escape try $(cat "$root/bait")")
    ok "with a network only the network is open" '[ "$(echo "$out" | grep OPEN | sort | tr "\n" " ")" = "OPEN: network_device OPEN: network_route " ]'
    say "destroy $green" "gone $green"
fi

# --- ends
say "shutdown $blue" "gone $blue shutdown"
ok "nothing of an ended domain stays" '[ ! -e "$v/2" ] && [ ! -e "$v/vchan.2.0.512.sock" ] && ! pgrep -f "$root.*blue" >/dev/null'
ok "its home does" '[ -s "$root/home/blue/secret" ]'
mkdir "$root/home/template" && echo from-template >"$root/home/template/t"
say "create disp1 33333333-3333-4333-8333-333333333333 $root/home/disp1 disposable from=$root/home/template" "running 3"
ok "a disposable's home is its template's" '[ "$(in_domain disp1 "cat t; echo x >new; echo y >t" )" = from-template ]'
say "destroy 33333333-3333-4333-8333-333333333333" "gone 3"
ok "a disposable's home vanishes with it" '[ ! -e "$root/home/disp1" ] && [ "$(cat "$root/home/template/t")" = from-template ] && [ ! -e "$root/home/template/new" ]'
ok "and its logs" '! ls "$root/var/log/qubes" | grep -q disp1'

# --- the front goes, so does everything
exec 7>&-
wait "$driver"
code=$? driver=
ok "the helper ends with the front" '[ $code -eq 0 ]'
ok "no process of the instance is left" 'until_true "[ -z \"\$(left)\" ]"'
ok "no socket is left" '[ -z "$(ls -A "$v")" ] && [ -z "$(ls -A "$root/run/qubes/domains")" ]'

finish
