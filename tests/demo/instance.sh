# A private instance: sourced by the demo, by try and by the integration tests.
#
# Everything lies below one temporary directory, $QREXEC_ROOT: programs (installed there by make),
# configuration, sockets, domains. instance_start BUILD-DIR; instance_stop removes all of it.

# wait_for WHAT SECONDS COMMAND...: until the command succeeds.
wait_for() {
    wait_what=$1 wait_tries=$(($2 * 50))
    shift 2
    until "$@" 2>/dev/null; do
        wait_tries=$((wait_tries - 1))
        [ "$wait_tries" -gt 0 ] || { echo "not there in time: $wait_what" >&2; return 1; }
        sleep 0.02
    done
}

instance_spawner() {
    "$QREXEC_ROOT/usr/sbin/domain-spawner" --root="$QREXEC_ROOT" >>"$QREXEC_ROOT/var/log/qubes/spawner.log" 2>&1 </dev/null &
    spawner=$!
    wait_for "domain-spawner (see $QREXEC_ROOT/var/log/qubes/spawner.log)" 10 test -S "$QREXEC_ROOT/run/qubesd.sock"
}

instance_policy() {
    "$QREXEC_ROOT/usr/sbin/qrexec-policy-daemon" --root="$QREXEC_ROOT" >>"$QREXEC_ROOT/var/log/qubes/policy.log" 2>&1 </dev/null &
    policy=$!
    wait_for "qrexec-policy-daemon (see $QREXEC_ROOT/var/log/qubes/policy.log)" 10 test -S "$QREXEC_ROOT/run/qubes/policy.sock"
}

# Only the compat file is kept of the shipped policy: what may be called is what the user writes.
instance_start() {
    instance_build=$1
    QREXEC_ROOT=$(mktemp -d /tmp/qrexec.XXXXXX) || return 1
    chmod 0711 "$QREXEC_ROOT"
    export QREXEC_ROOT
    unset VCHAN_DOMAIN VCHAN_SOCKET_DIR QREXEC_TRANSPORT
    export QREXEC_TRANSPORT=socket
    env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -C "$instance_build" install DESTDIR="$QREXEC_ROOT" prefix=/usr exec_prefix=/usr sysconfdir=/etc \
        localstatedir=/var >"$QREXEC_ROOT/install.log" 2>&1 </dev/null || {
        tail -n 5 "$QREXEC_ROOT/install.log" >&2
        return 1
    }
    mkdir -p "$QREXEC_ROOT/run/qubes" "$QREXEC_ROOT/var/log/qubes" "$QREXEC_ROOT/etc/qubes-rpc/policy"
    find "$QREXEC_ROOT/etc/qubes/policy.d" -name '*.policy' ! -name 35-compat.policy -delete
    PATH=$QREXEC_ROOT/usr/bin:$QREXEC_ROOT/usr/sbin:$QREXEC_ROOT/usr/lib/qubes:$PATH
    export PATH
    instance_spawner && instance_policy
}

# Ends all processes of the instance and removes it; says what would not go.
instance_stop() {
    [ -n "${QREXEC_ROOT:-}" ] || return 0
    kill ${policy:-} ${spawner:-} 2>/dev/null
    wait ${policy:-} ${spawner:-} 2>/dev/null
    instance_left=$(instance_processes)
    rm -rf "$QREXEC_ROOT"
    [ -z "$instance_left" ] || { echo "still running: $instance_left" >&2; return 1; }
    [ ! -e "$QREXEC_ROOT" ]
}

# Processes whose command line names the instance, for at most 5 s: ended ones take a moment.
instance_processes() {
    instance_tries=100
    while instance_list=$(pgrep -a -f "[q]rexec.${QREXEC_ROOT##*.}" | grep -v "^$$ "); [ -n "$instance_list" ]; do
        instance_tries=$((instance_tries - 1))
        [ "$instance_tries" -gt 0 ] || break
        sleep 0.05
    done
    printf '%s' "$instance_list"
}

# policy SERVICE LINE...: the R4.0 file of that service.
policy() {
    service=$1
    shift
    printf '%s\n' "$@" >"$QREXEC_ROOT/etc/qubes-rpc/policy/$service"
}

# in_domain VM COMMAND: a shell command there, connected to this terminal, as its user.
in_domain() {
    qvm-run -q -p --no-filter-escape-chars "$1" "$2"
}

# The domains of the demo: email, whose disposables have no network, and two templates for them.
instance_domains() {
    qvm-create --label black --template local --property provides_network=True sys-net &&
    qvm-create --label red --template local --property template_for_dispvms=True \
        --property netvm=sys-net online-dvm &&
    qvm-create --label gray --template local --property template_for_dispvms=True --property netvm= offline-dvm &&
    qvm-create --label yellow --template local --property default_dispvm=offline-dvm --property netvm= email
}

# Stand-ins for a browser and an editor, found through desktop entries as the real ones are: put
# into the home of each template for disposables, as a user would, so each disposable has them.
instance_applications() {
    for dvm in online-dvm offline-dvm; do
        qvm-start "$dvm" && in_domain "$dvm" 'cat > apps.sh && sh apps.sh && rm apps.sh' <"$demo_dir/applications.sh" &&
            qvm-shutdown --wait "$dvm" || return 1
    done
}
