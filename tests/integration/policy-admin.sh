#!/bin/sh
# The policy.* services that show and change policy files, called as dom0 calls them, and
# policy.RegisterArgument: answers, error types, exit codes, and what is on disk afterwards.
set -u
srcdir=${srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
builddir=$(cd "${builddir:-$srcdir/build}" && pwd)
work=$(mktemp -d /tmp/qrexec-policy-admin.XXXXXX) || exit 99
trap 'chmod -R u+rwx "$work"; rm -rf "$work"' EXIT
bad=0
QREXEC_ROOT=$work
export QREXEC_ROOT
unset QREXEC_POLICY_DIR QREXEC_POLICY_ADMIN_LOG QREXEC_REMOTE_DOMAIN
dir=$work/etc/qubes/policy.d rpc=$work/etc/qubes-rpc log=$work/var/log/qubes/policy-admin.log
mkdir -p "$dir/include" "$rpc/policy" "$work/var/log/qubes" "$work/out"
for s in List Get Replace Remove GetFiles include.List include.Get include.Replace include.Remove Bogus; do
    ln -s "$builddir/rpc-services/dom0/qubes-policy-admin" "$rpc/policy.$s"
done
ln -s "$builddir/rpc-services/dom0/qubes-policy-register-argument" "$rpc/policy.RegisterArgument"

check() {
    if [ "$1" -eq 0 ]; then echo "ok - $2"; return; fi
    echo "not ok - $2"
    bad=1
    sed 's/^/    err: /' "$work/err"
    sed 's/^/    out: /' "$work/out/out"
}
# call SERVICE [ARGUMENT] <payload: the answer in $work/out/out, errors in $work/err
call() {
    service=$1
    shift
    "$rpc/policy.$service" "$@" >"$work/out/out" 2>"$work/err"
}
# fails CODE TYPE NAME: of the call just made ($?), with exactly one line on stderr
fails() {
    [ "$got" -eq "$1" ] && [ "$(wc -l <"$work/err")" -eq 1 ] && grep -q "^$2 ." "$work/err" && [ ! -s "$work/out/out" ]
    check $? "$3"
}
out_is() { printf "$1" | cmp -s - "$work/out/out"; }
token() { printf 'sha256:%s' "$(sha256sum <"$1" | cut -d' ' -f1)"; }
# whatever was tried: no change to the policy directory
state() { (cd "$dir" && find . -type f -o -type l | LC_ALL=C sort | xargs -r sha256sum; find . -type l -exec readlink {} +); }
unchanged() { [ "$(state)" = "$before" ]; }

echo 'a.B * work mail allow' >"$dir/30-user.policy"
echo 'work mail deny' >"$dir/include/three"
echo '!include-service c.D * include/three' >"$dir/50-c.policy"
echo 'text' >"$dir/README"
echo 'half' >"$dir/.30-user.policy.policy-admin"

# ---- List, Get
call List </dev/null
[ $? -eq 0 ] && out_is '30-user\n50-c\n'
check $? "list_names_what_counts_sorted_without_suffix"
call include.List </dev/null
[ $? -eq 0 ] && out_is 'three\n'
check $? "include_list_names_the_includes"
call List x </dev/null; got=$?
fails 1 PolicyAdminProtocolException "list_takes_no_argument"
echo | call List; got=$?
fails 1 PolicyAdminProtocolException "list_takes_no_payload"
call Bogus </dev/null; got=$?
fails 1 PolicyAdminProtocolException "an_unknown_service_is_refused"

call Get 30-user </dev/null
[ $? -eq 0 ] && out_is "$(token "$dir/30-user.policy")\na.B * work mail allow\n"
check $? "get_answers_the_token_and_the_content"
call include.Get three </dev/null
[ $? -eq 0 ] && out_is "$(token "$dir/include/three")\nwork mail deny\n"
check $? "include_get_answers_the_token_and_the_content"
echo x | call Get 30-user; got=$?
fails 1 PolicyAdminProtocolException "get_takes_no_payload"
call Get none </dev/null; got=$?
fails 1 PolicyAdminFileNotFoundException "get_of_no_file_says_so"
for name in 30-user.policy ../passwd a/b . .. 'a b' 'a+b' "$(printf 'a\nb')" "$(printf 'a\033b')" 'é'; do
    call Get "$name" </dev/null; got=$?
    fails 1 PolicyAdminInvalidFileNameException "a_name_is_refused: $(printf '%s' "$name" | tr -c 'a-z0-9./+-' '?')"
    LC_ALL=C grep -q "$(printf '\033')" "$work/err"
    [ $? -ne 0 ]
    check $? "no_control_byte_of_it_is_shown"
done
call Get "$(printf '%0250d' 0)" </dev/null; got=$?
fails 1 PolicyAdminInvalidFileNameException "a_name_that_is_too_long_is_refused"
call Get "" </dev/null; got=$?
fails 1 PolicyAdminProtocolException "get_needs_a_name"
mkdir "$dir/40-dir.policy" && mkfifo "$dir/41-pipe.policy"
for name in 40-dir 41-pipe; do
    call Get "$name" </dev/null; got=$?
    fails 1 PolicyAdminInvalidFilePathException "what_is_no_file_is_refused: $name"
    printf 'any\n' | call Replace "$name"; got=$?
    fails 1 PolicyAdminInvalidFilePathException "what_is_no_file_is_not_replaced: $name"
    printf any | call Remove "$name"; got=$?
    fails 1 PolicyAdminInvalidFilePathException "what_is_no_file_is_not_removed: $name"
done
rmdir "$dir/40-dir.policy"; rm "$dir/41-pipe.policy"

# ---- Replace: tokens
t=$(token "$dir/30-user.policy")
printf '%s\na.B * work mail deny\n' "$t" | call Replace 30-user
[ $? -eq 0 ] && [ ! -s "$work/out/out" ] && [ ! -s "$work/err" ] && [ "$(cat "$dir/30-user.policy")" = 'a.B * work mail deny' ]
check $? "replace_with_the_right_token_puts_the_new_text_there"
[ "$(stat -c %a "$dir/30-user.policy")" = 664 ]
check $? "the_new_file_has_mode_0664"
[ ! -e "$dir/.30-user.policy.policy-admin" ]
check $? "what_a_killed_change_left_is_taken_away_by_the_next"
before=$(state)
printf '%s\na.B * work mail ask\n' "$t" | call Replace 30-user; got=$?
fails 1 PolicyAdminTokenException "replace_with_an_old_token_is_refused"
printf 'new\na.B * work mail ask\n' | call Replace 30-user; got=$?
fails 1 PolicyAdminTokenException "replace_with_new_where_a_file_is_is_refused"
printf '%s\na.B * work mail ask\n' "$t" | call Replace 31-other; got=$?
fails 1 PolicyAdminTokenException "replace_of_a_file_that_was_removed_meanwhile_is_refused"
for token in '' ANY 'any ' sha256: "sha256:$(printf '%064d' 0 | tr 0 A)" "sha256:$(printf '%063d' 0)" "md5:$(printf '%064d' 0)" "${t}0"; do
    printf '%s\n' "$token" | call Replace 30-user; got=$?
    fails 1 PolicyAdminProtocolException "a_bad_token_is_refused: '$token'"
done
printf 'any' | call Replace 30-user; got=$?
fails 1 PolicyAdminProtocolException "a_payload_without_a_line_is_refused"
printf '' | call Replace 30-user; got=$?
fails 1 PolicyAdminProtocolException "an_empty_payload_is_refused"
printf 'any\n# \377\n' | call Replace 30-user; got=$?
fails 1 PolicyAdminProtocolException "what_is_no_utf8_is_refused"
printf 'any\n# \000\n' | call Replace 30-user; got=$?
fails 1 PolicyAdminProtocolException "a_nul_is_refused"
head -c 17000000 /dev/zero | tr '\0' '#' | { printf 'any\n'; cat; } | call Replace 30-user; got=$?
fails 1 PolicyAdminProtocolException "a_text_that_is_too_long_is_refused"
unchanged
check $? "and_none_of_these_changed_anything"
printf 'new\n# é\n' | call Replace 31-other
[ $? -eq 0 ] && [ "$(cat "$dir/31-other.policy")" = '# é' ]
check $? "replace_with_new_makes_a_file"
printf 'any\n' | call Replace 31-other
[ $? -eq 0 ] && [ -f "$dir/31-other.policy" ] && [ ! -s "$dir/31-other.policy" ]
check $? "replace_with_any_makes_it_empty"
printf 'any\n# no newline' | call Replace 32-fresh
[ $? -eq 0 ] && [ "$(cat "$dir/32-fresh.policy")" = '# no newline' ]
check $? "replace_with_any_makes_a_file_too"
rm "$dir/32-fresh.policy"

# ---- Replace: the whole policy must load
before=$(state)
printf 'any\na.B * work mail permit\n' | call Replace 30-user; got=$?
fails 1 PolicyAdminSyntaxException "a_rule_with_an_error_is_refused"
grep -q "$dir/30-user.policy:1: unknown action" "$work/err"
check $? "and_the_place_is_told"
printf 'any\n\n!include include/three\n' | call Replace 30-user; got=$?
fails 1 PolicyAdminSyntaxException "an_include_of_the_wrong_format_is_refused"
grep -q "$dir/include/three:1: " "$work/err"
check $? "with_the_place_in_the_included_file"
printf 'any\n!include include/none\n' | call Replace 30-user; got=$?
fails 1 PolicyAdminSyntaxException "an_include_of_no_file_is_refused"
printf 'new\n\n' | call Replace 30-User; got=$?
fails 1 PolicyAdminSyntaxException "a_name_that_would_break_the_policy_is_refused"
printf 'any\na.B * work mail deny\n' | call include.Replace three; got=$?
fails 1 PolicyAdminSyntaxException "an_included_file_is_checked_in_its_place"
unchanged
check $? "and_none_of_those_changed_anything"
printf 'any\nnot a rule at all\n' | call include.Replace lonely
[ $? -eq 0 ] && [ "$(cat "$dir/include/lonely")" = 'not a rule at all' ]
check $? "a_file_that_nobody_includes_is_not_looked_at"
printf 'any\nmail work deny\n' | call include.Replace three
[ $? -eq 0 ] && [ "$(cat "$dir/include/three")" = 'mail work deny' ]
check $? "an_included_file_is_replaced"
for path in include/../include/three ./include//three "$dir/include/three" include/link; do
    ln -sfn three "$dir/include/link"
    printf '!include-service c.D * %s\n' "$path" >"$dir/50-c.policy"
    printf 'any\nmail work permit\n' | call include.Replace three; got=$?
    fails 1 PolicyAdminSyntaxException "an_include_by_another_spelling_is_checked: $path"
    printf 'any' | call include.Remove three; got=$?
    fails 1 PolicyAdminSyntaxException "and_what_it_names_is_not_removed"
done
rm "$dir/include/link"
echo '!include-service c.D * include/three' >"$dir/50-c.policy"
echo 'broken' >"$dir/70-broken.policy"
printf 'any\n# fine\n' | call Replace 30-user; got=$?
fails 1 PolicyAdminSyntaxException "with_an_error_elsewhere_nothing_is_changed"
grep -q "70-broken.policy:1: " "$work/err"
check $? "and_it_says_where_that_is"
call Get 70-broken </dev/null
[ $? -eq 0 ] && tail -n +2 "$work/out/out" | grep -q broken
check $? "a_broken_file_can_be_got"
printf 'any\n# mended\n' | call Replace 70-broken
check $? "a_broken_file_can_be_mended"
echo 'broken' >"$dir/70-broken.policy"
printf 'any' | call Remove 70-broken
check $? "a_broken_file_can_be_removed"

# ---- Remove
before=$(state)
printf 'any\n' | call Remove 31-other; got=$?
fails 1 PolicyAdminProtocolException "the_token_of_remove_has_no_newline"
printf 'new' | call Remove 31-other; got=$?
fails 1 PolicyAdminTokenException "new_does_not_remove_what_is_there"
printf 'new' | call Remove none; got=$?
fails 1 PolicyAdminFileNotFoundException "new_for_remove_finds_no_file"
printf 'any' | call Remove none; got=$?
fails 1 PolicyAdminFileNotFoundException "nothing_is_removed_that_is_not_there"
printf '%s' "$t" | call Remove 31-other; got=$?
fails 1 PolicyAdminTokenException "remove_with_an_old_token_is_refused"
printf 'any' | call include.Remove three; got=$?
fails 1 PolicyAdminSyntaxException "an_included_file_is_not_removed"
unchanged
check $? "and_nothing_is_gone"
printf '%s' "$(token "$dir/31-other.policy")" | call Remove 31-other
[ $? -eq 0 ] && [ ! -e "$dir/31-other.policy" ]
check $? "remove_with_the_right_token_removes"
printf 'any' | call include.Remove lonely
[ $? -eq 0 ] && [ ! -e "$dir/include/lonely" ]
check $? "an_include_that_nobody_uses_is_removed"

# ---- links: what they lead to is edited, they stay
mkdir "$work/elsewhere"
echo '# there' >"$work/elsewhere/mine"
chmod 640 "$work/elsewhere/mine"
ln -s ../../../elsewhere/mine "$dir/20-link.policy"
call Get 20-link </dev/null
[ $? -eq 0 ] && out_is "$(token "$work/elsewhere/mine")\n# there\n"
check $? "a_link_is_read_through"
printf '%s\n# changed\n' "$(token "$work/elsewhere/mine")" | call Replace 20-link
[ $? -eq 0 ] && [ -L "$dir/20-link.policy" ] && [ "$(cat "$work/elsewhere/mine")" = '# changed' ]
check $? "the_file_behind_a_link_is_replaced_and_the_link_stays"
[ "$(stat -c %a "$work/elsewhere/mine")" = 640 ] && [ "$(ls -A "$work/elsewhere")" = mine ]
check $? "a_file_elsewhere_keeps_its_mode_and_nothing_is_left_beside_it"
printf 'any\nbogus\n' | call Replace 20-link; got=$?
fails 1 PolicyAdminSyntaxException "a_change_through_a_link_is_checked"
printf 'any' | call Remove 20-link
[ $? -eq 0 ] && [ ! -L "$dir/20-link.policy" ] && [ -f "$work/elsewhere/mine" ]
check $? "removing_a_link_removes_the_link_alone"
ln -s nowhere "$dir/20-link.policy"
call Get 20-link </dev/null; got=$?
fails 1 PolicyAdminFileNotFoundException "a_link_to_nothing_has_no_content"
printf 'any\n' | call Replace 20-link; got=$?
fails 1 PolicyAdminInvalidFilePathException "a_link_to_nothing_is_not_written_through"
printf new | call Remove 20-link; got=$?
fails 1 PolicyAdminTokenException "a_link_to_nothing_is_something_that_is_there"
[ -L "$dir/20-link.policy" ]
check $? "and_stays"
printf any | call Remove 20-link
[ $? -eq 0 ] && [ ! -L "$dir/20-link.policy" ]
check $? "a_link_to_nothing_can_be_removed"
ln -sfn 20-link.policy "$dir/20-link.policy"
call Get 20-link </dev/null; got=$?
fails 1 PolicyAdminInvalidFilePathException "a_link_to_itself_is_refused"
rm "$dir/20-link.policy"
mv "$dir" "$work/real" && ln -s "$work/real" "$dir"
printf 'any\n# via a linked directory\n' | call Replace 30-user
[ $? -eq 0 ] && [ "$(cat "$work/real/30-user.policy")" = '# via a linked directory' ]
check $? "the_directory_may_be_a_link"
printf 'any\nmail work permit\n' | call include.Replace three; got=$?
fails 1 PolicyAdminSyntaxException "and_includes_are_checked_there_too"
rm "$dir" && mv "$work/real" "$dir"

# ---- a full disk, a limit, a kill, no rights: the old file is whole
before=$(state)
(ulimit -f 8; export QREXEC_POLICY_ADMIN_LOG="$work/out/log2"; head -c 100000 /dev/zero | tr '\0' '#' | { printf 'any\n'; cat; } | call Replace 30-user); got=$?
fails 2 trouble: "a_file_over_a_limit_is_trouble_and_not_a_crash"
grep -q 'it is as it was' "$work/err" && unchanged && [ -z "$(find "$dir" -name '.*.policy-admin')" ]
check $? "the_old_file_is_whole_and_nothing_is_left"
if unshare -Urm true 2>/dev/null; then
    unshare -Urm sh -c '
        mount -t tmpfs -o size=64k tmpfs "$1" && mkdir "$1/include" && echo "# old" >"$1/30-user.policy" &&
        head -c 200000 /dev/zero | tr "\0" "#" | { printf "any\n"; cat; } | "$2" 30-user >"$3/out/out" 2>"$3/err"
        code=$?
        cat "$1/30-user.policy" >"$3/out/left"
        ls -A "$1" >>"$3/out/left"
        exit $code' sh "$dir" "$rpc/policy.Replace" "$work"
    got=$?
    fails 2 trouble: "a_full_disk_is_trouble"
    grep -q 'No space left' "$work/err" && [ "$(cat "$work/out/left")" = "$(printf '# old\n30-user.policy\ninclude')" ]
    check $? "with_a_full_disk_the_old_file_is_whole_and_nothing_is_left"
else
    echo "ok - a_full_disk_is_trouble # skip no user namespaces"
fi
unchanged
check $? "the_rest_is_as_it_was"
if command -v strace >/dev/null 2>&1 && strace -o /dev/null true 2>/dev/null; then
    for at in write fchmod fsync renameat; do
        head -c 300000 /dev/zero | tr '\0' '#' | { printf 'any\n'; cat; } |
            strace -qq -o /dev/null -P "$dir/.30-user.policy.policy-admin" -P "$dir/30-user.policy" -P "$dir" \
                -e trace=$at -e inject=$at:signal=KILL:when=1 "$rpc/policy.Replace" 30-user >"$work/out/out" 2>"$work/err"
        [ $? -eq 137 ]
        check $? "killed_at_$at"
        text=$(sed -n 1p "$dir/30-user.policy" | cut -c1-24)
        case $at$text in renameat###*) true ;; *'# via a linked directory') true ;; *) false ;; esac
        check $? "a_kill_at_${at}_leaves_the_old_file_or_the_new_one"
        call GetFiles x.Y </dev/null
        check $? "and_the_policy_still_loads"
    done
else
    echo "ok - a_kill_leaves_the_old_file_or_the_new_one # skip no strace"
fi
printf 'any\n# after\n' | call Replace 30-user
[ $? -eq 0 ] && [ -z "$(find "$dir" -name '.*.policy-admin')" ]
check $? "after_a_kill_the_next_change_goes_on"
mkfifo "$work/slow"
"$rpc/policy.Replace" 30-user <"$work/slow" >"$work/out/slow" 2>&1 & pid=$!
exec 3>"$work/slow"
printf 'any\n# never whole' >&3
sleep 0.2
printf 'any\n# meanwhile\n' | call Replace 30-user
[ $? -eq 0 ]
check $? "a_caller_that_sends_slowly_holds_nobody_up"
kill "$pid"; wait "$pid" 2>/dev/null
exec 3>&-
[ "$(cat "$dir/30-user.policy")" = '# meanwhile' ]
check $? "and_what_it_did_not_end_changes_nothing"

if [ "$(id -u)" -eq 0 ] && cp -L "$rpc/policy.Replace" "$work/policy.Replace" && cp -L "$rpc/policy.Remove" "$work/policy.Remove" &&
    chmod 711 "$work" && setpriv --reuid=65534 --clear-groups true 2>/dev/null; then
    before=$(state)
    for s in Replace Remove; do
        case $s in Replace) printf 'any\n# mine\n' ;; *) printf any ;; esac |
            setpriv --reuid=65534 --clear-groups "$work/policy.$s" 30-user >"$work/out/out" 2>"$work/err"; got=$?
        grep -v ^policy-admin: "$work/err" >"$work/out/err"; cp "$work/out/err" "$work/err"
        fails 2 trouble: "who_may_not_write_changes_nothing: $s"
        grep -q 'Permission denied (only root and the group qubes may)' "$work/err" && unchanged
        check $? "and_is_told_who_may: $s"
    done
else
    echo "ok - who_may_not_write_changes_nothing # skip not root"
fi

# ---- two with one token
i=0 wins=0 losses=0
while [ $i -lt 10 ]; do
    t=$(token "$dir/30-user.policy")
    for k in 1 2; do
        { printf '%s\n# round %d of %d\n' "$t" $i $k | "$rpc/policy.Replace" 30-user 2>"$work/err$k"; echo $? >"$work/code$k"; } &
    done
    wait
    case $(cat "$work/code1" "$work/code2" | tr '\n' ' ') in
    '0 1 ') wins=$((wins + 1)); grep -q ^PolicyAdminTokenException "$work/err2" && grep -q "round $i of 1" "$dir/30-user.policy" && losses=$((losses + 1)) ;;
    '1 0 ') wins=$((wins + 1)); grep -q ^PolicyAdminTokenException "$work/err1" && grep -q "round $i of 2" "$dir/30-user.policy" && losses=$((losses + 1)) ;;
    esac
    i=$((i + 1))
done
[ $wins -eq 10 ] && [ $losses -eq 10 ]
check $? "of_two_replaces_with_one_token_one_wins"
flock "$dir" sleep 0.5 & pid=$!
sleep 0.1
printf 'any\n# waited\n' | call Replace 30-user
[ $? -eq 0 ] && [ "$(cat "$dir/30-user.policy")" = '# waited' ] && ! kill -0 "$pid" 2>/dev/null
check $? "a_change_waits_for_another_one"
wait

# ---- GetFiles
echo 'a.B * work mail allow' >"$dir/30-user.policy"
printf '* * @anyvm dom0 deny\n!include include/five\na.B * mail work deny\n' >"$dir/20-first.policy"
echo 'a.B +x @anyvm @anyvm deny' >"$dir/include/five"
echo 'mail work deny' >"$rpc/policy/a.B"
echo 'mail work deny' >"$rpc/policy/c.D"
echo '!compat-4.0' >"$dir/80-compat.policy"
call GetFiles a.B </dev/null
[ $? -eq 0 ] && out_is "20-first\nfive\n30-user\n$rpc/policy/a.B\n"
check $? "get_files_names_each_file_once_in_order_of_use"
call GetFiles c.D </dev/null
[ $? -eq 0 ] && out_is "20-first\nthree\n$rpc/policy/c.D\n"
check $? "get_files_names_those_for_any_service_and_includes_of_three_columns"
call GetFiles no.Such </dev/null
[ $? -eq 0 ] && out_is "20-first\n"
check $? "get_files_of_an_unknown_service_names_those_for_any"
for name in 'a.B+x' 'a B' '*'; do
    call GetFiles "$name" </dev/null; got=$?
    fails 1 PolicyAdminProtocolException "get_files_wants_a_service: $name"
done
echo 'broken' >"$dir/70-broken.policy"
call GetFiles a.B </dev/null; got=$?
fails 1 PolicyAdminSyntaxException "get_files_of_a_broken_policy_says_so"
call List </dev/null
[ $? -eq 0 ] && grep -q 70-broken "$work/out/out"
check $? "a_broken_policy_is_listed"
rm "$dir/70-broken.policy"

# ---- where, and the log
grep -q '^....-..-..T..:..:..Z policy.Replace+30-user from dom0: done$' "$log" && grep -q 'policy.List+x from dom0: PolicyAdminProtocolException' "$log"
check $? "what_was_done_and_what_was_refused_is_logged"
LC_ALL=C grep -q "$(printf '[\001-\010\013-\037]')" "$log"
[ $? -ne 0 ]
check $? "the_log_has_no_control_bytes"
QREXEC_REMOTE_DOMAIN=mgmt QREXEC_POLICY_DIR=$work/elsewhere QREXEC_POLICY_ADMIN_LOG=$work/out/log call List </dev/null
[ $? -eq 0 ] && [ ! -s "$work/out/out" ] && grep -q 'policy.List from mgmt: done' "$work/out/log"
check $? "directory_and_log_can_be_given_for_tests"
QREXEC_POLICY_ADMIN_LOG=/dev/full call List </dev/null
[ $? -eq 0 ] && grep -q 30-user "$work/out/out"
check $? "a_log_that_is_full_holds_nobody_up"
QREXEC_POLICY_DIR=$work/none call List </dev/null; got=$?
[ $got -eq 2 ] && grep -q "$work/none" "$work/err"
check $? "a_directory_that_is_missing_is_trouble"
"$rpc/policy.Get" 30-user </dev/null >/dev/full 2>"$work/err"
[ $? -eq 2 ]
check $? "an_answer_that_cannot_be_sent_is_trouble"

# ---- RegisterArgument
reg=$dir/60-registered-arguments.policy
# register SERVICE BACKEND TYPE FRONTEND <argument
register() {
    QREXEC_REMOTE_DOMAIN=$2 QREXEC_REQUESTED_TARGET_TYPE=$3 QREXEC_REQUESTED_TARGET=$4 call RegisterArgument "$1"
}
refused() {
    [ "$got" -eq 1 ] && [ -s "$work/err" ] && unchanged
    check $? "$1"
}
printf abc-._9 | register my.Svc back name front
[ $? -eq 0 ] && [ "$(cat "$reg")" = 'my.Svc +abc-._9 front back allow' ]
check $? "an_argument_is_registered"
printf '%064d' 1 | register my.Svc back name front
[ $? -eq 0 ] && [ "$(wc -l <"$reg")" -eq 2 ] && [ "$(tail -n 1 "$reg")" = "my.Svc +$(printf '%064d' 1) front back allow" ]
check $? "a_second_one_comes_behind_it"
before=$(state)
printf abc-._9 | register my.Svc other name front; got=$?
refused "an_argument_that_a_rule_names_is_not_registered_again"
printf '%065d' 1 | register my.Svc back name front; got=$?
refused "an_argument_of_65_bytes_is_refused"
printf '' | register my.Svc back name front; got=$?
refused "an_empty_argument_is_refused"
for c in '+' ' ' '\n' '\000' '*' '/' '\303\251' '~'; do
    printf "a${c}b" | register my.Svc back name front; got=$?
    refused "an_argument_with_a_bad_byte_is_refused: ${c#?}"
done
printf 'ab\n' | register my.Svc back name front; got=$?
refused "a_newline_is_no_part_of_an_argument"
printf ab | register my.Svc back keyword @dispvm; got=$?
refused "a_target_that_is_no_name_is_refused"
printf ab | register my.Svc back name '@anyvm'; got=$?
refused "a_target_that_is_a_token_is_refused"
printf ab | register my.Svc back '' ''; got=$?
refused "no_target_is_refused"
printf ab | register 'my.Svc+x' back name front; got=$?
refused "a_service_with_an_argument_is_refused"
printf ab | register '*' back name front; got=$?
refused "any_service_is_refused"
printf ab | QREXEC_REMOTE_DOMAIN=back QREXEC_REQUESTED_TARGET_TYPE=name QREXEC_REQUESTED_TARGET=front call RegisterArgument; got=$?
refused "no_service_is_refused"
echo 'broken' >"$dir/70-broken.policy"; before=$(state)
printf ab | register my.Svc back name front; got=$?
refused "into_a_broken_policy_nothing_is_registered"
rm "$dir/70-broken.policy"
mkdir -p "$work/run/qubes/policy.d"
echo 'my.Svc +ran @anyvm @anyvm deny' >"$work/run/qubes/policy.d/10-x.policy"; before=$(state)
printf ran | register my.Svc back name front; got=$?
refused "a_rule_in_run_counts_too"
rm -r "$work/run/qubes/policy.d"
{ cat "$reg"; printf '# no newline'; } >"$work/out/reg" && cp "$work/out/reg" "$reg"
printf ran | register my.Svc back name front
[ $? -eq 0 ] && [ "$(tail -n 2 "$reg")" = "$(printf '# no newline\nmy.Svc +ran front back allow')" ]
check $? "a_last_line_without_newline_stays_a_line"
i=0
while [ $i -lt 12 ]; do
    printf "par$i" | QREXEC_REMOTE_DOMAIN=back QREXEC_REQUESTED_TARGET_TYPE=name QREXEC_REQUESTED_TARGET=front "$rpc/policy.RegisterArgument" my.Svc &
    i=$((i + 1))
done
wait
[ "$(grep -c '+par' "$reg")" -eq 12 ]
check $? "twelve_at_the_same_time_are_all_registered"
head -c 1048560 /dev/zero | tr '\0' '#' >"$reg"; before=$(state)
printf more | register my.Svc back name front; got=$?
refused "the_file_does_not_grow_without_end"
grep -q 'my.Svc: frontend front, backend back: registered' "$work/var/log/qubes/policy-register.log" &&
    ! grep -q 'abc-' "$work/var/log/qubes/policy-register.log"
check $? "registrations_are_logged_without_the_secret"

# ---- the shipped files
rm -rf "$dir"; mkdir "$dir"; cp -R "$srcdir/etc/policy.d/." "$dir"; chmod -R u+w "$dir"
call GetFiles policy.Replace </dev/null
[ $? -eq 0 ] && [ ! -s "$work/out/out" ]
check $? "no_domain_may_edit_the_policy_as_shipped"
printf 'any\nmgmt dom0 allow\n' | call include.Replace admin-policy-rwx
check $? "who_may_edit_is_put_into_admin_policy_rwx"
for s in List Get GetFiles include.List include.Get Replace Remove include.Replace include.Remove; do
    call GetFiles policy.$s </dev/null
    [ $? -eq 0 ] && out_is 'admin-policy-rwx\n'
    check $? "and_then_may_call: policy.$s"
done
printf 'any\nwatcher dom0 allow\n!include include/admin-policy-rwx\n' | call include.Replace admin-policy-ro
check $? "who_may_look_is_put_into_admin_policy_ro"
call GetFiles policy.Get </dev/null; out_is 'admin-policy-ro\nadmin-policy-rwx\n'
check $? "and_may_get"
call GetFiles policy.Replace </dev/null; out_is 'admin-policy-rwx\n'
check $? "but_not_replace"
exit $bad
