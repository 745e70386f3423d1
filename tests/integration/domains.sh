# Domains of the local backend under the helper alone: sourced by the tests that need them.
#
# A small instance in $root, from the programs of the build tree; test_name is set by who sources.
build=${builddir:-$(pwd)}
tests=$build/tests/integration

skip() { echo "$test_name: skipped: $*"; exit 77; }
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

# The helper with a driver that reads lines from descriptor 7 and answers in $root/out.
start_helper() {
    rm -f "$root/in"
    mkfifo "$root/in"
    : >"$root/out"
    "$tests/helper-driver" "$root/usr/lib/qubes/domain-spawner-helper" "$root" <"$root/in" >"$root/out" 2>>"$root/err" &
    driver=$!
    exec 7>"$root/in"
}
# say LINE [ANSWER]: asks, and waits for an answer that begins so.
say() {
    echo "$1" >&7
    [ $# -lt 2 ] || { echo "wait $2" >&7; answer_of "$2"; }
}
finish() {
    ok "no sanitizer spoke" '! grep -h -A20 -e "Sanitizer" -e "runtime error" "$root/err" "$root"/var/log/qubes/*.log'
    echo "$test_name: $passed passed, $failed failed"
    [ "$failed" -eq 0 ]
}
# Processes whose command line names the instance.
left() { pgrep -f "$root" | grep -vxe "${host:-none}" -e "${driver:-none}" -e $$; }
