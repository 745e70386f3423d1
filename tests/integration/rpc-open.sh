#!/bin/sh
# qvm-open-in-vm against qubes.OpenInVM and qubes.OpenURL, with stand-ins for qrexec-client-vm, which
# runs the service here, and for qubes-open, which is the person in front of the disposable.
set -u
srcdir=${srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
builddir=$(cd "${builddir:-$srcdir/build}" && pwd) || exit 99
work=$(mktemp -d /tmp/qrexec-open.XXXXXX) || exit 99
caller=open$$
trap 'rm -rf "$work" /tmp/$caller-??????' EXIT
bad=0
# check RESULT WHAT: what the command said is shown where it failed
check() {
    if [ "$1" -eq 0 ]; then
        printf 'ok - %s\n' "$2"
    else
        printf 'not ok - %s\n' "$2"
        bad=1
        sed 's/^/  /' "$work/err"
    fi
}
mkdir -p "$work/bin" "$work/dir"
services=$builddir/rpc-services/services
for c in qvm-open-in-vm qvm-open-in-dvm; do ln -s "$builddir/rpc-services/commands/qvm-open-in-vm" "$work/bin/$c"; done
cat >"$work/bin/qrexec-client-vm" <<EOF
#!/bin/sh
# -- TARGET SERVICE
echo "\$2 \$3" >>"$work/calls"
case "\${CALL:-}" in
refused) echo 'Request refused' >&2; exit 126 ;;
lost) head -c 256 >/dev/null; printf half; exit 255 ;;
full) cat >"$work/stream"; exit 0 ;;
slow) echo \$\$ >"$work/pid"; printf half; exec sleep 61 ;;
esac
export QREXEC_REMOTE_DOMAIN=$caller
exec "$services/\${3%%+*}"
EOF
cat >"$work/bin/qubes-open" <<EOF
#!/bin/sh
printf '%s\n' "\$1" >>"$work/opened"
case "\$1" in /tmp/*) stat -c %a "\$1" "\${1%/*}" >"$work/mode"; cat "\$1" >"$work/shown" ;; esac
eval "\${PERSON:-}"
EOF
chmod +x "$work/bin/qrexec-client-vm" "$work/bin/qubes-open"
PATH=$work/bin:$PATH
unset QREXEC_SERVICE_FULL_NAME DISPLAY WAYLAND_DISPLAY
export PERSON= CALL= PERSON_SAYS=
cd "$work/dir" || exit 99

# run EXPECTED-CODE COMMAND...: its messages go to $work/err, its output to $work/out
run() {
    expected=$1
    shift
    : >"$work/opened"
    : >"$work/calls"
    "$@" >"$work/out" 2>"$work/err" </dev/null
    code=$?
    [ "$code" -eq "$expected" ] || { echo "exit code $code" >>"$work/err"; return 1; }
}
left() { ls -A | grep -v -x -e file -e link; }
fresh() {
    rm -rf ./* .[!.]*
    printf 'original\n' >file
    chmod 640 file
}
# over, if not yet waited for
is_gone() {
    case "$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null)" in '' | Z*) true ;; *) false ;; esac
}
gone() {
    n=0
    while ! is_gone "$1" && [ $n -lt 100 ]; do sleep 0.05; n=$((n + 1)); done
    is_gone "$1"
}

fresh
inode=$(stat -c %i file)
run 0 qvm-open-in-vm work file && [ "$(cat "$work/shown")" = original ] && [ "$(stat -c %i file)" = "$inode" ] && [ -z "$(left)" ]
check $? "a file that is only looked at stays as it was"
[ "$(cat "$work/calls")" = "work qubes.OpenInVM" ] && [ "$(cat "$work/mode")" = "$(printf '600\n700')" ]
check $? "it is shown by the target's service, under mode 0600, in a directory of mode 0700"
case "$(cat "$work/opened")" in /tmp/$caller-??????/file) true ;; *) false ;; esac
check $? "under its own name in a directory that has the caller's"
! ls -d /tmp/$caller-* 2>/dev/null
check $? "the service leaves nothing in /tmp"

touch -d '2001-01-01' file
PERSON='echo edited >"$1"'
run 0 qvm-open-in-vm work file && [ "$(cat file)" = edited ] && [ -z "$(left)" ]
check $? "an edited file replaces the original"
[ "$(stat -c %a file)" = 640 ]
check $? "the mode is kept"
[ ! -s "$work/err" ]
check $? "nothing is said where all is well"
fresh
if setfattr -n user.mark -v yes file 2>/dev/null; then
    run 0 qvm-open-in-vm work file && getfattr --only-values -n user.mark file 2>/dev/null | grep -q yes
    check $? "extended attributes are kept"
else
    echo "ok - extended attributes are kept # skip: no setfattr, or none here"
fi
ln -s file link
run 0 qvm-open-in-vm work link && [ -L link ] && [ "$(cat file)" = edited ]
check $? "a link stays, the file behind it is replaced"
grep -q '/link$' "$work/opened"
check $? "the service sees the name that was given"

fresh
PERSON='touch -r "$1" "$1.t"; printf "ORIGINAL\n" >"$1"; touch -r "$1.t" "$1"'
run 0 qvm-open-in-vm work file && [ "$(cat file)" = ORIGINAL ]
check $? "a change that kept size and time is seen"
fresh
PERSON='echo edited >"$1.new"; mv "$1.new" "$1"'
run 0 qvm-open-in-vm work file && [ "$(cat file)" = edited ]
check $? "a file that the editor replaced comes back"
fresh
PERSON=': >"$1"'
run 0 qvm-open-in-vm work file && [ "$(cat file)" = original ]
check $? "a file edited to nothing stays as it was"
PERSON='rm "$1"'
run 0 qvm-open-in-vm work file && [ "$(cat file)" = original ]
check $? "a file removed there stays as it was"
PERSON='echo edited >"$1"; exit 3'
run 0 qvm-open-in-vm work file && [ "$(cat file)" = edited ] && grep -q 'opening file failed' "$work/err"
check $? "a failed application is told, exit code 0, and what it wrote is kept"
head -c 3000000 /dev/urandom >file
cp file "$work/big"
printf x >>"$work/big"
PERSON='printf x >>"$1"'
run 0 qvm-open-in-vm work file && cmp -s file "$work/big"
check $? "a large file goes there and back"
fresh
PERSON="echo here >'$work/dir/file'; echo there >\"\$1\""
run 1 qvm-open-in-vm work file && [ "$(cat file)" = here ] &&
    other=$(sed -n 's/.*the edited file is //p' "$work/err") && [ "$(cat "$other")" = there ]
check $? "a file that was changed here meanwhile is not overwritten"

fresh
PERSON='chmod 600 "$1"; echo edited >"$1"'
run 0 qvm-open-in-vm --view-only work file && [ "$(cat file)" = original ] && [ -z "$(left)" ]
check $? "view-only: what comes back is thrown away"
[ "$(head -n 1 "$work/mode")" = 400 ] && grep -q '/file$' "$work/opened"
check $? "view-only: the file is read-only there, and has its own name"

# ---- What goes over the line ----
long=$(printf '%0246d' 0 | tr 0 l)
printf content >"A$long"
CALL=full
run 0 qvm-open-in-vm work "A$long" && [ "$(head -c 256 "$work/stream" | tr -d '\0')" = "A$long" ] && [ "$(tail -c +257 "$work/stream")" = content ]
check $? "256 bytes of name, then the content"
run 0 qvm-open-in-vm --view-only work "A$long" && [ "$(head -c 255 "$work/stream" | tr -d '\0')" = "view-only-$(printf %s "$long" | tail -c 245)" ]
check $? "view-only: of a long name the end is kept"

# ---- What goes wrong ----
fresh
CALL=refused PERSON='echo edited >"$1"'
run 126 qvm-open-in-vm work file && grep -q 'Request refused' "$work/err" && [ "$(cat file)" = original ] && [ -z "$(left)" ]
check $? "refused: said so, exit code 126"
CALL=lost
run 255 qvm-open-in-vm work file && [ "$(cat file)" = original ] && [ -z "$(left)" ]
check $? "connection lost in the middle of the answer: nothing changes, exit code 255"
CALL= PERSON='echo edited >"$1"; kill -9 $PPID'
run 137 qvm-open-in-vm work file && [ "$(cat file)" = original ] && [ -z "$(left)" ]
check $? "service killed: nothing changes"
rm -rf /tmp/$caller-??????
for signal in TERM KILL; do
    rm -f "$work/pid"
    CALL=slow qvm-open-in-vm work file >/dev/null 2>&1 </dev/null &
    command=$!
    n=0
    while [ ! -s "$work/pid" ] && [ $n -lt 100 ]; do sleep 0.05; n=$((n + 1)); done
    kill -s $signal $command
    wait $command 2>/dev/null
    [ "$(cat file)" = original ] && [ -z "$(left)" ]
    check $? "command ended by SIG$signal: nothing changes and nothing is left"
    gone "$(cat "$work/pid")"
    check $? "command ended by SIG$signal: the call ends with it"
done
PERSON='echo edited >"$1"'
run 1 qvm-open-in-vm work /proc/version &&
    other=$(sed -n 's,.*the edited file is \(/tmp/file_edited_in_dvm\.\),\1,p' "$work/err") && [ "$(cat "$other")" = edited ]
check $? "an unwritable place: the edited file is in /tmp, and the command says where"
rm -f "${other:-/nonexistent}"
PERSON=
before=$(ls /tmp/file_edited_in_dvm.* 2>/dev/null)
run 0 qvm-open-in-vm work /proc/version && [ "$(ls /tmp/file_edited_in_dvm.* 2>/dev/null)" = "$before" ]
check $? "an unwritable place, not edited: nothing is left in /tmp"

# ---- Words ----
usage() {
    what=$1
    shift
    run 2 "$@" && grep -q '^usage: ' "$work/err" && [ ! -s "$work/out" ] && [ ! -s "$work/calls" ]
    check $? "$what: usage, exit code 2, no call"
}
mkfifo fifo
usage "no word" qvm-open-in-vm
usage "one word" qvm-open-in-vm work
usage "three words" qvm-open-in-vm work file file
usage "no word for a disposable" qvm-open-in-dvm
usage "two words for a disposable" qvm-open-in-dvm file file
usage "an unknown option" qvm-open-in-vm --what work file
usage "a directory" qvm-open-in-vm work .
usage "a pipe" qvm-open-in-vm work fifo
usage "a file that is not there" qvm-open-in-vm work nothing
usage "a word like a host" qvm-open-in-vm work www.example.org
usage "a word like a mail address" qvm-open-in-vm work mailto:x
usage "an empty word" qvm-open-in-vm work ''
run 0 qvm-open-in-vm --help && grep -q '^usage: qvm-open-in-vm .*TARGET FILE|URL' "$work/out"
check $? "--help: usage on stdout, exit code 0"
run 0 qvm-open-in-dvm --help && ! grep -q TARGET "$work/out"
check $? "qvm-open-in-dvm names no target"
cp file ./-file
run 0 qvm-open-in-vm -- work -file && grep -q '/-file$' "$work/opened"
check $? "a name that begins with a dash goes behind --"
run 0 qvm-open-in-dvm file && [ "$(cat "$work/calls")" = "@dispvm qubes.OpenInVM" ]
check $? "qvm-open-in-dvm calls @dispvm"

# ---- URLs ----
url=https://www.qubes-os.org/
PERSON='echo from there; cat; exit 7'
run 7 qvm-open-in-vm @dispvm:web $url && [ "$(cat "$work/calls")" = "@dispvm:web qubes.OpenURL" ] && [ "$(cat "$work/opened")" = $url ]
check $? "a URL is opened by qubes.OpenURL, exit code that of the opener"
[ ! -s "$work/out" ]
check $? "what comes back is ignored"
PERSON= CALL=full
run 0 qvm-open-in-dvm $url && printf '%s\n' $url | cmp -s - "$work/stream"
check $? "the word and a newline are sent"
CALL=
run 0 qvm-open-in-vm --view-only work $url && [ "$(cat "$work/opened")" = $url ]
check $? "--view-only has no meaning for a URL"
mkdir -p http:/ && cp file http://f
run 0 qvm-open-in-vm work http://f && [ "$(cat "$work/opened")" = http://f ]
check $? "a URL is one also where a file is called so"
run 1 qvm-open-in-vm work HTTP://example.org && grep -qx 'Invalid URL' "$work/err" && [ ! -s "$work/opened" ]
check $? "the service is stricter: HTTP:// fails, exit code 1"
run 1 qvm-open-in-vm work file:///etc/passwd && grep -qx 'Invalid URL' "$work/err"
check $? "no other scheme"
CALL=refused
run 126 qvm-open-in-vm work $url
check $? "a refused URL: exit code 126"
CALL=

# ---- One disposable out of another ----
export QREXEC_SERVICE_FULL_NAME=qubes.OpenURL+
if command -v zenity >/dev/null 2>&1 || command -v kdialog >/dev/null 2>&1; then
    echo "ok - nobody to ask about one more disposable: refused # skip: a tool to ask is here"
else
    run 1 qvm-open-in-dvm file && grep -q 'refused: this already serves' "$work/err" && [ ! -s "$work/calls" ]
    check $? "nobody to ask about one more disposable: refused"
fi
printf '#!/bin/sh\nexit ${PERSON_SAYS:-1}\n' >"$work/bin/zenity"
chmod +x "$work/bin/zenity"
for service in qubes.OpenInVM qubes.OpenURL; do
    QREXEC_SERVICE_FULL_NAME=$service+
    PERSON_SAYS=0
    run 0 qvm-open-in-vm @dispvm file && [ -s "$work/calls" ]
    check $? "from within $service: asked, and a yes opens one more"
    PERSON_SAYS=1
    run 1 qvm-open-in-vm '$dispvm:web' $url && [ ! -s "$work/calls" ] && [ -s "$work/err" ]
    check $? "from within $service: a no ends it, exit code 1"
    run 0 qvm-open-in-vm work $url && [ -s "$work/calls" ]
    check $? "from within $service: nobody is asked about another target"
done
QREXEC_SERVICE_FULL_NAME=qubes.OpenURLs+
run 0 qvm-open-in-vm @dispvm file
check $? "from within another service nobody is asked"
unset QREXEC_SERVICE_FULL_NAME

# ---- The services, called by who does not keep to the rules ----
# serve CALLER SERVICE <input
serve() { QREXEC_REMOTE_DOMAIN=$1 "$services/$2" >"$work/out" 2>"$work/err"; }
field() { printf '%s' "$1"; head -c "$((256 - $(printf '%s' "$1" | wc -c)))" /dev/zero; }
: >"$work/opened"
for name in '' . .. a/b sub/../../x; do
    field x >"$work/stream"
    serve "$name" qubes.OpenInVM <"$work/stream"
    [ $? -eq 1 ] && [ ! -s "$work/opened" ]
    check $? "OpenInVM: caller '$name' is refused, exit code 1"
done
for name in a/b ../x . .. '' view-only- view-only-..; do
    field "$name" >"$work/stream"
    serve $caller qubes.OpenInVM <"$work/stream"
    [ $? -eq 1 ] && [ ! -s "$work/opened" ]
    check $? "OpenInVM: file name '$name' is refused, exit code 1"
done
field x | head -c 255 >"$work/stream"
serve $caller qubes.OpenInVM <"$work/stream"
[ $? -eq 1 ] && [ ! -s "$work/opened" ]
check $? "OpenInVM: a name field that is cut is refused"
head -c 256 /dev/zero | tr '\0' x >"$work/stream"
serve $caller qubes.OpenInVM <"$work/stream"
[ $? -eq 1 ] && [ ! -s "$work/opened" ]
check $? "OpenInVM: a name field without its NUL is refused"
! ls -d /tmp/$caller-* 2>/dev/null
check $? "OpenInVM: a refusal leaves nothing in /tmp"
field '$(touch x); "a\n' >"$work/stream"
serve $caller qubes.OpenInVM <"$work/stream"
[ $? -eq 0 ] && grep -q '/__touch_x____a_n$' "$work/opened"
check $? "OpenInVM: odd bytes of a name become underscores"
[ ! -s "$work/out" ]
check $? "OpenInVM: unchanged, so no byte comes back"

# url opened|refused WHAT: the service's stdin is ours
url() {
    : >"$work/opened"
    serve $caller qubes.OpenURL
    code=$?
    if [ "$1" = opened ]; then
        [ $code -eq 0 ] && [ -s "$work/opened" ]
    else
        [ $code -eq 1 ] && [ ! -s "$work/opened" ] && grep -qx 'Invalid URL' "$work/err"
    fi
    check $? "OpenURL: $2"
}
letters() { head -c "$1" /dev/zero | tr '\0' "$2"; }
give() { printf -- "$1" >"$work/stream"; }
give ' \t http://a\r\n'
url opened "white space around it is dropped" <"$work/stream"
[ "$(cat "$work/opened")" = http://a ]
check $? "OpenURL: all of it"
give 'http://a'
url opened "no newline is needed" <"$work/stream"
give 'http://a\nhttp://b\n'
url opened "the first line counts" <"$work/stream"
[ "$(cat "$work/opened")" = http://a ]
check $? "OpenURL: and only that"
for text in '' '\nhttp://a\n' 'http://a b\n' 'http://a\0b\n' 'http://a\033b\n' '--version\n' 'javascript:alert(1)\n' 'http://\n'; do
    give "$text"
    url refused "'$text' is refused" <"$work/stream"
done
{ printf http://; letters 65529 a; echo; } >"$work/stream"
url opened "64 KiB" <"$work/stream"
{ printf http://; letters 65530 a; echo; } >"$work/stream"
url refused "one byte more" <"$work/stream"
# so much white space that the end of the line is out of sight
{ letters 4095 ' '; printf http://; letters 65529 a; printf 'tail\n'; } >"$work/stream"
url refused "a line that would be cut" <"$work/stream"
exit "$bad"
