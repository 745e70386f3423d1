#!/bin/sh
# qubes-policy and qubes-policy-editor as a person calls them, with scripts as editors and a
# stand-in for qubes-policy-lint: nothing that was typed is lost, nothing that is wrong is installed.
set -u
srcdir=${srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
builddir=$(cd "${builddir:-$srcdir/build}" && pwd)
work=$(mktemp -d /tmp/qrexec-policy-editor.XXXXXX) || exit 99
trap 'rm -rf "$work"' EXIT
bad=0
QREXEC_ROOT=$work TMPDIR=$work/tmp
export QREXEC_ROOT TMPDIR
unset QREXEC_POLICY_DIR QREXEC_POLICY_ADMIN_LOG QREXEC_REMOTE_DOMAIN VISUAL EDITOR
dir=$work/etc/qubes/policy.d rpc=$work/etc/qubes-rpc
mkdir -p "$dir/include" "$rpc/policy" "$work/var/log/qubes" "$work/tmp" "$work/bin" "$work/ed"
for s in List Get Replace Remove GetFiles include.List include.Get include.Replace include.Remove; do
    ln -s "$builddir/rpc-services/dom0/qubes-policy-admin" "$rpc/policy.$s"
done
policy=$builddir/rpc-services/dom0/qubes-policy editor=$builddir/rpc-services/dom0/qubes-policy-editor
file=$dir/30-user.policy

check() {
    if [ "$1" -eq 0 ]; then echo "ok - $2"; return; fi
    echo "not ok - $2"
    bad=1
    sed 's/^/    err: /' "$work/err"
    sed 's/^/    out: /' "$work/out"
}
run() { "$@" >"$work/out" 2>"$work/err"; }
out_is() { printf "$1" | cmp -s - "$work/out"; }

echo 'a.B * work mail allow' >"$file"
echo 'work mail deny' >"$dir/include/three"
echo 'a.B * work mail deny' >"$dir/include/five"
printf '!include-service c.D * include/three\n!include include/five\n' >"$dir/50-c.policy"

# ---- qubes-policy
run "$policy" </dev/null
[ $? -eq 0 ] && out_is '30-user\n50-c\n'
check $? "without_an_option_it_lists"
run "$policy" -l
[ $? -eq 0 ] && out_is '30-user\n50-c\n'
check $? "l_lists"
run "$policy" --list include/
[ $? -eq 0 ] && out_is 'five\nthree\n'
check $? "l_lists_includes"
for name in 30-user 30-user.policy; do
    run "$policy" -g $name
    [ $? -eq 0 ] && out_is 'a.B * work mail allow\n'
    check $? "g_prints_a_file_without_its_token: $name"
done
run "$policy" --get include/three
[ $? -eq 0 ] && out_is 'work mail deny\n'
check $? "g_prints_an_include"
run "$policy" -g none
[ $? -eq 1 ] && [ ! -s "$work/out" ] && grep -q '^qubes-policy: there is no file .*none.policy$' "$work/err"
check $? "g_of_no_file_says_so_with_exit_1"
echo '# new' | run "$policy" -r 31-new
[ $? -eq 0 ] && [ "$(cat "$dir/31-new.policy")" = '# new' ]
check $? "r_makes_a_file_from_stdin"
echo '# other' | run "$policy" --replace 31-new
[ $? -eq 0 ] && [ "$(cat "$dir/31-new.policy")" = '# other' ]
check $? "r_replaces_it"
echo 'a.B * work mail permit' | run "$policy" -r 31-new
[ $? -eq 1 ] && [ "$(cat "$dir/31-new.policy")" = '# other' ] && grep -q '31-new.policy:1: unknown action' "$work/err"
check $? "r_refuses_what_does_not_load_and_says_where"
: | run "$policy" -r include/empty
[ $? -eq 0 ] && [ -f "$dir/include/empty" ] && [ ! -s "$dir/include/empty" ]
check $? "r_can_make_an_empty_include"
run "$policy" -g 31-new && [ "$(cat "$work/out")" = '# other' ] && run "$policy" -g include/empty && [ ! -s "$work/out" ]
check $? "and_get_gives_it_back"
run "$policy" -d 31-new && run "$policy" --remove include/empty && [ ! -e "$dir/31-new.policy" ] && [ ! -e "$dir/include/empty" ]
check $? "d_removes"
run "$policy" -d 31-new
[ $? -eq 1 ] && grep -q 'there is no file' "$work/err"
check $? "d_of_no_file_says_so"
run "$policy" -d include/three
[ $? -eq 1 ] && [ -f "$dir/include/three" ]
check $? "d_of_an_included_file_is_refused"
run "$policy" -g ../../passwd
[ $? -eq 1 ] && grep -q 'is no name of a policy file' "$work/err"
check $? "a_name_with_a_directory_is_refused"
for words in '-g' '-r' '-d' '-l x' '-g a b' '-g -d a' '-x' '-g include/' '-g .policy/' ; do
    # shellcheck disable=SC2086
    run "$policy" $words </dev/null
    code=$?
    case $words in
    *.policy/) [ $code -eq 1 ] ;;
    *) [ $code -eq 2 ] && grep -q usage: "$work/err" ;;
    esac
    check $? "a_wrong_call_is_told: $words"
done
run "$policy" --help
[ $? -eq 0 ] && grep -q usage: "$work/out"
check $? "help_is_no_error"
"$policy" -g 30-user >/dev/full 2>"$work/err"
[ $? -eq 1 ]
check $? "what_cannot_be_printed_is_an_error"
echo broken >"$dir/70-broken.policy"
run "$policy" && grep -q 70-broken "$work/out" && run "$policy" -g 70-broken && [ "$(cat "$work/out")" = broken ] && run "$policy" -d 70-broken
check $? "a_broken_policy_can_be_listed_shown_and_mended"
head -c 3000000 /dev/zero | tr '\0' '#' >"$work/big"
run "$policy" -r 31-big <"$work/big" && run "$policy" -g 31-big && cmp -s "$work/out" "$work/big" && run "$policy" -d 31-big
check $? "three_megabytes_go_there_and_back"
mv "$rpc/policy.List" "$rpc/away"
run "$policy"
[ $? -eq 1 ] && grep -q 'cannot start .*policy.List: No such file' "$work/err"
check $? "a_service_that_is_missing_is_told"
mv "$rpc/away" "$rpc/policy.List"

# ---- qubes-policy-editor
# an editor NAME whose N-th run does the N-th line of its script ("$1" is the file)
make_editor() {
    cat >"$work/ed/$1"
    cat >"$work/bin/$1" <<END
#!/bin/sh
echo "\$#" >>"$work/ed/$1.runs"
for f; do :; done
printf '%s\n' "\$@" >"$work/ed/$1.args"
set -- "\$f"
echo "\$1" >"$work/ed/$1.file"
eval "\$(sed -n "\$(wc -l <"$work/ed/$1.runs")p" "$work/ed/$1")"
END
    chmod +x "$work/bin/$1"
    rm -f "$work/ed/$1".*
}
make_lint() {
    cat >"$work/bin/qubes-policy-lint"
    chmod +x "$work/bin/qubes-policy-lint"
    rm -f "$work/lint"
}
nothing_left() { [ -z "$(ls -A "$work/tmp")" ]; }
# the text that was not installed is where the message says
kept() { text=$(sed -n 's/.*your text was not installed; it is in //p' "$work/err"); [ -n "$text" ] && [ "$(cat "$text")" = "$1" ]; }
clear_tmp() { rm -rf "$work/tmp"; mkdir "$work/tmp"; }
PATH=$work/bin:$PATH EDITOR=ed1
export EDITOR

make_editor ed1 <<'END'
echo '# edited' >>"$1"
END
run "$editor" </dev/null
[ $? -eq 0 ] && [ "$(tail -n 1 "$file")" = '# edited' ] && nothing_left
check $? "without_a_word_30_user_is_edited_and_installed"
case $(cat "$work/ed/ed1.file") in "$work"/tmp/*/30-user.policy) true ;; *) false ;; esac
check $? "the_editor_gets_a_file_of_that_name"
make_editor ed1 <<'END'
stat -c %a "$1" "${1%/*}" >"$QREXEC_ROOT/modes"; echo '# made' >"$1"
END
run "$editor" 40-new.policy </dev/null
[ $? -eq 0 ] && [ "$(cat "$dir/40-new.policy")" = '# made' ] && nothing_left
check $? "a_new_file_is_made_and_its_suffix_is_dropped"
[ "$(cat "$work/modes")" = "$(printf '600\n700')" ]
check $? "the_text_is_private_while_it_is_edited"
make_editor ed1 <<'END'
true
END
before=$(stat -c %i "$file")
run "$editor" </dev/null
[ $? -eq 0 ] && [ "$(stat -c %i "$file")" = "$before" ] && grep -q 'Nothing was changed' "$work/out" && nothing_left
check $? "without_a_change_nothing_is_installed"
run "$editor" 41-none </dev/null
[ $? -eq 0 ] && [ ! -e "$dir/41-none.policy" ]
check $? "a_new_file_that_stays_empty_is_not_made"
make_editor ed2 <<'END'
echo '# visual' >"$1"
END
VISUAL="ed2 -x 'two words' --" run "$editor" </dev/null
[ $? -eq 0 ] && [ "$(cat "$file")" = '# visual' ] && [ "$(head -n 3 "$work/ed/ed2.args")" = "$(printf -- '-x\ntwo words\n--')" ]
check $? "visual_comes_first_and_may_have_words_of_its_own"
make_editor vi <<'END'
echo '# vi' >"$1"
END
(unset EDITOR; VISUAL='' run "$editor" </dev/null)
[ $? -eq 0 ] && [ "$(cat "$file")" = '# vi' ]
check $? "vi_is_what_is_used_else"
EDITOR="ed1;touch $work/shell" run "$editor" </dev/null
[ $? -eq 1 ] && [ ! -e "$work/shell" ] && grep -q 'cannot start the editor' "$work/err"
check $? "no_shell_looks_at_the_editors_words"
EDITOR='ed1 "' run "$editor" </dev/null
[ $? -eq 1 ] && grep -q 'cannot understand the editor' "$work/err" && nothing_left
check $? "words_that_make_no_sense_are_told"
EDITOR=no-such-editor run "$editor" </dev/null
[ $? -eq 1 ] && grep -q 'cannot start the editor no-such-editor: No such file' "$work/err" && nothing_left
check $? "an_editor_that_is_missing_is_told_and_nothing_is_left"
make_editor ed1 <<'END'
echo '# half' >"$1"; exit 3
END
run "$editor" </dev/null
[ $? -eq 1 ] && [ "$(cat "$file")" = '# vi' ] && grep -q 'ended with code 3' "$work/err" && kept '# half'
check $? "an_editor_that_fails_installs_nothing_and_its_text_is_kept"
clear_tmp
make_editor ed1 <<'END'
rm "$1"
END
run "$editor" </dev/null
[ $? -eq 1 ] && [ "$(cat "$file")" = '# vi' ] && grep -q 'cannot read what the editor left' "$work/err"
check $? "a_file_that_the_editor_removed_is_no_change"
clear_tmp

make_editor ed1 <<'END'
kill -INT $PPID; kill -QUIT $PPID; echo '# after ^C' >"$1"
END
run "$editor" </dev/null
[ $? -eq 0 ] && [ "$(cat "$file")" = '# after ^C' ] && nothing_left
check $? "an_interrupt_is_the_editors_and_not_ours"
echo '# vi' >"$file"

# wrong text, no lint program: the whole policy's check
make_editor ed1 <<'END'
echo 'a.B * work mail permit' >"$1"
echo 'a.B * work mail ask' >"$1"
END
printf 'x\n\ne\n' | run "$editor"
[ $? -eq 0 ] && [ "$(cat "$file")" = 'a.B * work mail ask' ] && nothing_left
check $? "e_edits_again_after_an_error"
grep -q '30-user was not changed: .*30-user.policy:1: unknown action "permit"' "$work/err" && [ "$(grep -o 'dit again' "$work/out" | wc -l)" -eq 3 ]
check $? "the_error_is_told_and_an_unknown_answer_is_asked_again"
make_editor ed1 <<'END'
echo 'a.B * work mail permit' >"$1"
END
echo q | run "$editor"
[ $? -eq 1 ] && [ "$(cat "$file")" = 'a.B * work mail ask' ] && kept 'a.B * work mail permit'
check $? "q_quits_and_the_text_is_kept"
clear_tmp
make_editor ed1 <<'END'
echo 'a.B * work mail permit' >"$1"
END
run "$editor" </dev/null
[ $? -eq 1 ] && kept 'a.B * work mail permit'
check $? "the_end_of_input_quits_and_the_text_is_kept"
clear_tmp
make_editor ed1 <<'END'
echo 'a.B * work mail permit' >"$1"
echo 'a.B * work mail ask' >"$1"
END
echo e | run "$editor"
[ $? -eq 0 ] && nothing_left
check $? "back_to_what_it_was_is_no_change"
make_editor ed1 <<END
echo '# mine' >"\$1"; echo '# theirs' >"$file"
END
echo e | run "$editor"
[ $? -eq 1 ] && [ ! -s "$work/out" ] && [ "$(cat "$file")" = '# theirs' ] && kept '# mine' && grep -q 'somebody else changed 30-user meanwhile' "$work/err"
check $? "what_somebody_else_changed_meanwhile_is_not_overwritten_and_the_text_is_kept"
clear_tmp
make_editor ed1 <<END
echo '# mine' >"\$1"; echo '# theirs' >"$dir/42-both.policy"
END
run "$editor" 42-both </dev/null
[ $? -eq 1 ] && [ "$(cat "$dir/42-both.policy")" = '# theirs' ] && kept '# mine'
check $? "nor_a_new_file_that_somebody_else_made_too"
clear_tmp

# a broken policy, links
echo broken >"$dir/70-broken.policy"
make_editor ed1 <<'END'
echo '# unrelated' >"$1"
END
echo q | run "$editor"
[ $? -eq 1 ] && grep -q '70-broken.policy:1: ' "$work/err" && kept '# unrelated'
check $? "with_another_file_broken_it_says_which_and_keeps_the_text"
clear_tmp
make_editor ed1 <<'END'
echo '# mended' >"$1"
END
run "$editor" 70-broken </dev/null
[ $? -eq 0 ] && [ "$(cat "$dir/70-broken.policy")" = '# mended' ]
check $? "a_broken_file_is_mended"
rm "$dir/70-broken.policy"
echo '# far' >"$work/far"
ln -s "$work/far" "$dir/45-link.policy"
make_editor ed1 <<'END'
echo '# farther' >>"$1"
END
run "$editor" 45-link </dev/null
[ $? -eq 0 ] && [ -L "$dir/45-link.policy" ] && [ "$(cat "$work/far")" = "$(printf '# far\n# farther')" ]
check $? "a_file_behind_a_link_is_edited_and_the_link_stays"
rm "$dir/45-link.policy"

# lint
make_lint <<END
#!/bin/sh
echo "\$*" >>"$work/lint"
for f; do :; done
grep -n permit "\$f" | sed "s|^\([0-9]*\):.*|\$f:\1: error: no such action|"
! grep -q permit "\$f"
END
make_editor ed1 <<'END'
echo 'a.B * work mail permit' >"$1"
echo 'a.B * work mail deny' >"$1"
END
echo e | run "$editor"
[ $? -eq 0 ] && [ "$(cat "$file")" = 'a.B * work mail deny' ] && grep -q '^./30-user.policy:1: error: no such action$' "$work/out"
check $? "what_lint_finds_is_shown_with_the_files_own_name"
[ "$(cat "$work/lint")" = "$(printf './30-user.policy\n./30-user.policy')" ] && ! grep -q 'was not changed' "$work/err"
check $? "what_lint_finds_is_not_tried"
# lint_called_with EXPECTED FILE NAME CONTENT
lint_called_with() {
    rm -f "$work/lint" "$work/ed/ed1.runs"
    printf '%s\n' "$4" >"$work/content"
    echo 'cat "$QREXEC_ROOT/content" >"$1"' >"$work/ed/ed1"
    run "$editor" "$2" </dev/null
    [ $? -eq 0 ] && [ "$(cat "$work/lint")" = "$1" ]
    check $? "$3"
}
lint_called_with '-i ./three' include/three "an_include_of_three_columns_is_linted_as_such" 'mail work deny'
lint_called_with './five' include/five "an_include_of_five_columns_is_linted_as_such" 'a.B * mail work deny'
lint_called_with '-i ./alone' include/alone "one_that_nobody_includes_by_its_looks" '# so
mail work allow,notify=yes'
lint_called_with './alone5' include/alone5 "of_five_columns_too" 'a.B * mail work deny'
lint_called_with '-i ./three' include/three "who_includes_it_counts_more_than_its_looks" '# nothing'
printf '# 3 of us\nmail work deny notify=yes\n' >"$dir/include/three"
echo broken >"$dir/10-broken.policy"
rm -f "$work/lint" "$work/ed/ed1.runs"; echo 'echo "# more" >>"$1"' >"$work/ed/ed1"
echo q | run "$editor" include/three
[ "$(cat "$work/lint")" = '-i ./three' ] && grep -q '10-broken.policy:1: ' "$work/err"
check $? "and_the_format_is_known_while_another_file_is_broken"
rm "$dir/10-broken.policy"; clear_tmp
make_lint <<END
#!/bin/sh
exit 5
END
make_editor ed1 <<'END'
echo 'a.B * work mail ask' >"$1"
END
run "$editor" </dev/null
[ $? -eq 0 ] && [ "$(cat "$file")" = 'a.B * work mail ask' ] && grep -q 'qubes-policy-lint failed with code 5' "$work/err"
check $? "a_lint_that_fails_itself_is_told_and_passed_over"

# services that are not as they should be
rm "$rpc/policy.Get"
printf '#!/bin/sh\necho strange\n' >"$rpc/policy.Get"; chmod +x "$rpc/policy.Get"
run "$editor" </dev/null
[ $? -eq 1 ] && grep -q 'answered without a token' "$work/err" && nothing_left
check $? "an_answer_without_a_token_is_told"
printf '#!/bin/sh\necho why >&2\nexit 125\n' >"$rpc/policy.Get"
run "$editor" </dev/null
[ $? -eq 1 ] && grep -q 'why (exit code 125)' "$work/err" && nothing_left
check $? "a_service_that_fails_is_told"
rm "$rpc/policy.Get"; ln -s "$builddir/rpc-services/dom0/qubes-policy-admin" "$rpc/policy.Get"

run "$editor" ../../passwd </dev/null
[ $? -eq 1 ] && grep -q 'is no name of a policy file' "$work/err" && nothing_left
check $? "a_name_with_a_directory_is_not_edited"
for words in 'a b' '-x' 'include/'; do
    # shellcheck disable=SC2086
    run "$editor" $words </dev/null
    [ $? -eq 2 ] && grep -q usage: "$work/err"
    check $? "a_wrong_call_of_the_editor_is_told: $words"
done
run "$editor" --help
[ $? -eq 0 ] && grep -q usage: "$work/out"
check $? "help_of_the_editor_is_no_error"
TMPDIR=$work/none run "$editor" </dev/null
[ $? -eq 1 ] && grep -q 'cannot make a file to edit' "$work/err"
check $? "no_place_for_the_text_is_told"
exit $bad
