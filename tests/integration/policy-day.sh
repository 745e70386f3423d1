#!/bin/sh
# A refused call from the question "why?" to the day's end, in a private instance: the log has it,
# explain says which line to add, the very next call follows that line, and replay, coverage and the
# log's chain agree on what happened. Each step takes what the step before printed.
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
# run COMMAND...: its output (both streams) in $out, its exit code in $code
run() { out=$("$@" 2>&1 </dev/null); code=$?; }
# call SERVICE: from work to dom0
call() { run in_domain work "qrexec-client-vm dom0 $1"; }
has() { case $out in *"$1"*) return 0 ;; esac; return 1; }
# logged N: the log has so many calls of that service by now; it is written a moment after the answer
logged() { [ "$(qrexec-policy log --service my.Note+today --json 2>/dev/null | wc -l)" -eq "$1" ]; }

instance_start "$builddir" || exit 99
dir=$QREXEC_ROOT/etc/qubes/policy.d log=$QREXEC_ROOT/var/log/qubes/policy-decisions.jsonl
printf 'my.Other * work dom0 allow\nmy.Note * @anyvm dom0 deny\n' | qubes-policy -r 30-user || exit 99
printf '#!/bin/sh\necho "noted: $1"\n' >"$QREXEC_ROOT/etc/qubes-rpc/my.Note" && chmod +x "$QREXEC_ROOT/etc/qubes-rpc/my.Note"
qvm-create --label red --template local work && qvm-start work || exit 99
cp -R "$dir" "$QREXEC_ROOT/yesterday"

# ---- no: and why
call my.Note+today
[ $code -eq 126 ] && ! has noted
check $? "a call is refused"
wait_for "the record of the refused call" 5 logged 1
run qrexec-policy log --source work --verdict deny --since 5m
id=$(printf '%s\n' "$out" | sed -n 's/^[^ ]* \([^ ]*\) my.Note+today work -> dom0: deny (policy).*/\1/p')
[ $code -eq 0 ] && [ -n "$id" ] && has "$dir/30-user.policy:2"
check $? "the log shows it, with the rule that refused it"
run qrexec-policy explain "$id"
[ $code -eq 1 ] && has "Call $id, 20" && has 'denied: my.Note+today from work to dom0' && has "$dir/30-user.policy:2: my.Note * @anyvm dom0 deny"
check $? "explain knows it by the id that the log printed"
line=$(printf '%s\n' "$out" | sed -n '/this line/{n;s/^  //p;}')
[ -n "$line" ] && has "at the top of $dir/30-user.policy:"
check $? "it says which line to add, and where: $line"

# ---- that line, and the same call
(printf '%s\n' "$line"; qubes-policy -g 30-user) >"$QREXEC_ROOT/new" && run sh -c "qubes-policy -r 30-user <'$QREXEC_ROOT/new'"
[ $code -eq 0 ] && [ "$(head -n 1 "$dir/30-user.policy")" = "$line" ] && [ "$(wc -l <"$dir/30-user.policy")" -eq 3 ]
check $? "exactly that line is added"
call my.Note+today
[ $code -eq 0 ] && has 'noted: today' && kill -0 "$policy"
check $? "and the same call passes at once"
call my.Note+tomorrow
[ $code -eq 126 ]
check $? "but no other one"
run in_domain work 'qrexec-client-vm work my.Note+today'
[ $code -eq 126 ]
check $? "and to no other target"
run qrexec-policy explain "$id"
[ $code -eq 0 ] && has ': deny (policy)' && has 'allowed: my.Note+today from work to dom0'
check $? "explain tells what was and what is now"

# ---- what the log knows by evening
wait_for "the records of all calls" 5 logged 3
run qrexec-policy replay "$log" --policy "$QREXEC_ROOT/yesterday"
[ $code -eq 1 ] && has "my.Note+today work -> dom0: allow to dom0 ($dir/30-user.policy:1) becomes deny (policy, $QREXEC_ROOT/yesterday/30-user.policy:2)" &&
    [ "$(printf '%s\n' "$out" | grep -c becomes)" -eq 1 ]
check $? "yesterday's policy would refuse the call that passed, and decide all others the same"
run qrexec-policy replay "$log" --policy "$dir"
[ $code -eq 1 ] && has "$id my.Note+today work -> dom0: deny" && has 'becomes allow to dom0' && [ "$(printf '%s\n' "$out" | grep -c becomes)" -eq 1 ]
check $? "today's would allow the one that was refused"
run qrexec-policy coverage --all --log "$log"
day=$(sed -n '$s/.*"time":"\([^T]*\)T.*/\1/p' "$log")
[ $code -eq 0 ] && has "$dir/30-user.policy:1: last used $day: $line" && has "$dir/30-user.policy:2: never used: my.Other" &&
    has "$dir/30-user.policy:3: last used"
check $? "coverage shows the new rule used, and the one that nobody needs"

# ---- and whether it can be believed
run qrexec-policy log --verify
[ $code -eq 0 ] && has ' records from 20' && ! has 'NOT whole'
check $? "the log is whole"
records=$(wc -l <"$log")
i=1
while [ $i -le "$records" ]; do
    # one digit of that record's time
    sed "${i}s/\"time\":\"20../\"time\":\"2099/" "$log" >"$QREXEC_ROOT/changed"
    run qrexec-policy log --verify "$QREXEC_ROOT/changed"
    [ $code -eq 1 ] && has "$QREXEC_ROOT/changed:$i: " && has 'NOT whole: 1 breaks'
    check $? "a changed byte is found: record $i of $records"
    i=$((i + 1))
done
sed 2d "$log" >"$QREXEC_ROOT/changed"
run qrexec-policy log --verify "$QREXEC_ROOT/changed"
[ $code -eq 1 ] && has "$QREXEC_ROOT/changed:2: "
check $? "and so is a record that was taken out"
exit $bad
