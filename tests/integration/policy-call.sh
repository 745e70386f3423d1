#!/bin/sh
# The policy.* services as domains call them, in a private instance: who may, what they get, and
# that the very next call follows what was changed.
set -u
srcdir=${srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
builddir=$(cd "${builddir:-$srcdir/build}" && pwd)
demo_dir=$srcdir/tests/demo
. "$demo_dir/instance.sh"
bad=0 out='' code=0
trap 'instance_stop' EXIT
check() {
    if [ "$1" -eq 0 ]; then echo "ok - $2"; return; fi
    echo "not ok - $2"
    printf 'exit code %s\n%s\n' "$code" "$out" | sed 's/^/    /'
    bad=1
}
# from DOMAIN COMMAND: its output (both streams) in $out, its exit code in $code
from() { out=$(in_domain "$1" "$2" 2>&1 </dev/null); code=$?; }

instance_start "$builddir" || exit 99
dir=$QREXEC_ROOT/etc/qubes/policy.d
cp "$srcdir/etc/policy.d/90-admin-policy-default.policy" "$dir" || exit 99
for vm in mgmt other; do
    qvm-create --label red --template local "$vm" && qvm-start "$vm" || exit 99
done

from mgmt 'qrexec-client-vm dom0 policy.List'
[ $code -eq 126 ]
check $? "as shipped no domain may look at the policy"
out=$(echo 'mgmt dom0 allow' | qubes-policy -r include/admin-policy-rwx 2>&1); code=$?
check $code "dom0 names one that may"
from mgmt 'qrexec-client-vm dom0 policy.List'
[ $code -eq 0 ] && [ "$out" = "$(printf '35-compat\n90-admin-policy-default')" ]
check $? "it gets the list"
from other 'qrexec-client-vm dom0 policy.List'
[ $code -eq 126 ]
check $? "another one does not"

from mgmt 'printf "new\nmy.Test * other dom0 allow\n" | qrexec-client-vm dom0 policy.Replace+30-user'
[ $code -eq 0 ] && [ -z "$out" ] && [ "$(cat "$dir/30-user.policy")" = 'my.Test * other dom0 allow' ]
check $? "it makes a file"
printf '#!/bin/sh\necho hello\n' >"$QREXEC_ROOT/etc/qubes-rpc/my.Test" && chmod +x "$QREXEC_ROOT/etc/qubes-rpc/my.Test"
from other 'qrexec-client-vm dom0 my.Test'
[ $code -eq 0 ] && [ "$out" = hello ]
check $? "and the very next call follows it"
from mgmt 'qrexec-client-vm dom0 policy.Get+30-user'
[ $code -eq 0 ] && [ "$out" = "$(printf 'sha256:%s\n%s' "$(sha256sum <"$dir/30-user.policy" | cut -d' ' -f1)" "$(cat "$dir/30-user.policy")")" ]
check $? "it gets the file with its token"
from mgmt 'printf "any\nmy.Test * other dom0 permit\n" | qrexec-client-vm dom0 policy.Replace+30-user'
[ $code -eq 1 ] && [ -z "$out" ] && grep -q allow "$dir/30-user.policy"
check $? "what does not load is refused with exit code 1, and nothing is said to a domain"
from mgmt 'printf "new\n" | qrexec-client-vm dom0 policy.Replace+30-user'
[ $code -eq 1 ] && [ -z "$out" ]
check $? "so is a bad token"
from mgmt 'qrexec-client-vm dom0 policy.GetFiles+my.Test'
[ $code -eq 0 ] && [ "$out" = 30-user ]
check $? "it learns which file speaks of a service"
grep -q 'policy.Replace+30-user from mgmt: PolicyAdminSyntaxException .*30-user.policy:1: ' "$QREXEC_ROOT/var/log/qubes/policy-admin.log"
check $? "dom0's log has the reason and who it was"
from mgmt 'printf any | qrexec-client-vm dom0 policy.Remove+30-user'
[ $code -eq 0 ] && [ ! -e "$dir/30-user.policy" ]
check $? "it removes the file"
from other 'qrexec-client-vm dom0 my.Test'
[ $code -eq 126 ]
check $? "and the very next call is refused"

echo 'policy.RegisterArgument +my.Test mgmt @anyvm allow target=dom0' >"$dir/50-register.policy"
from mgmt 'printf secret | qrexec-client-vm other policy.RegisterArgument+my.Test'
[ $code -eq 0 ] && [ "$(cat "$dir/60-registered-arguments.policy")" = 'my.Test +secret other mgmt allow' ]
check $? "a backend registers an argument for the frontend that it names"
from mgmt 'printf secret | qrexec-client-vm other policy.RegisterArgument+my.Test'
[ $code -eq 1 ]
check $? "but not a second time"
from mgmt 'printf more | qrexec-client-vm @default policy.RegisterArgument+my.Test'
[ $code -ne 0 ] && [ "$(wc -l <"$dir/60-registered-arguments.policy")" -eq 1 ]
check $? "and for no target that is no name"
from other 'printf more | qrexec-client-vm mgmt policy.RegisterArgument+my.Test'
[ $code -eq 126 ]
check $? "and only who may"
exit $bad
