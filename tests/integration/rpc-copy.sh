#!/bin/sh
# qvm-copy and qubes.Filecopy against each other, with a stand-in for qrexec-client-vm between them.
set -u
srcdir=${srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
builddir=$(cd "${builddir:-$srcdir/build}" && pwd)
work=$(mktemp -d /tmp/qrexec-copy.XXXXXX)
trap 'rm -rf "$work"' EXIT
bad=0
check() {
    if [ "$1" -eq 0 ]; then echo "ok - $2"; else echo "not ok - $2"; bad=1; [ ! -s "$work/err" ] || sed 's/^/  /' "$work/err"; fi
}
mkdir -p "$work/bin" "$work/home" "$work/from/tree/deep/er"
cat >"$work/bin/qrexec-client-vm" <<EOF
#!/bin/sh
# -- TARGET SERVICE: the receiver runs here, as called by "work"
case \$2 in refused) echo 'Request refused' >&2; exit 126 ;; esac
arg=
case \$3 in *+*) arg=\${3#*+} ;; esac
export HOME=$work/home QREXEC_REMOTE_DOMAIN=work
[ -z "\${CUT:-}" ] || exec 0<&- 1>&-
exec "$builddir/rpc-services/services/qubes.Filecopy" \$arg
EOF
chmod +x "$work/bin/qrexec-client-vm"
for c in qvm-copy qvm-move qvm-copy-to-vm qvm-move-to-vm; do ln -s "$builddir/rpc-services/commands/qvm-copy" "$work/bin/$c"; done
PATH=$work/bin:$PATH
in=$work/home/QubesIncoming/work
cd "$work/from" || exit 99
i=0
while [ "$i" -lt 200 ]; do
    echo "file $i" >"tree/deep/f$i"
    i=$((i + 1))
done
head -c 20000000 /dev/urandom >tree/big
ln -s ../big tree/deep/link
chmod 640 tree/big
touch -d '2020-01-02 03:04:05' tree/deep/er

qvm-copy --without-progress tree 2>"$work/err"
check $? "a tree of 200 files is copied"
diff -r tree "$in/tree" >/dev/null
check $? "what arrived is what was sent"
[ "$(stat -c '%a %Y' "$in/tree/big")" = "$(stat -c '%a %Y' tree/big)" ] && [ "$(stat -c %Y "$in/tree/deep/er")" = "$(stat -c %Y tree/deep/er)" ]
check $? "modes and times are kept, of directories too"
[ "$(readlink "$in/tree/deep/link")" = ../big ]
check $? "a link that stays inside is copied"

qvm-copy tree/big 2>"$work/err"
check $? "a single file is copied by its own name"
grep -q 'sent 0/19532 KB' "$work/err"
check $? "progress is told in KB"
qvm-copy --without-progress tree/big 2>"$work/err"
[ $? -eq 1 ] && grep -q 'refused "big": it exists already' "$work/err"
check $? "nothing is overwritten, and the user is told"

ln -s /etc/passwd tree/out
qvm-copy --without-progress tree 2>"$work/err"
[ $? -eq 1 ] && grep -q 'could point out' "$work/err"
check $? "a link that points out ends it before anything is sent"
rm -rf "$in"
qvm-copy --without-progress --ignore-symlinks tree 2>"$work/err"
[ $? -eq 1 ] && [ ! -e "$in/tree/out" ] && [ -e "$in/tree/big" ]
check $? "--ignore-symlinks passes it over, says so, and exits 1"
rm tree/out

mkdir odd
printf x >"odd/$(printf 'a\001b')"
rm -rf "$in"
qvm-copy --without-progress odd 2>"$work/err"
[ $? -eq 0 ] && [ -e "$in/odd/$(printf 'a\001b')" ]
check $? "a name with a control character goes by allow-all-names"
qvm-copy . 2>"$work/err"
[ $? -eq 1 ] && grep -q 'no name' "$work/err"
check $? "a directory without a name is refused"

echo 1 >one
qvm-move --without-progress one 2>"$work/err"
[ $? -eq 0 ] && [ ! -e one ] && [ "$(cat "$in/one")" = 1 ]
check $? "a move deletes what has arrived"
echo 2 >two
CUT=1 qvm-move --without-progress two 2>"$work/err"
[ $? -eq 1 ] && [ -e two ]
check $? "a move that broke off deletes nothing"
qvm-move-to-vm refused two 2>"$work/err"
[ $? -eq 126 ] && [ -e two ]
check $? "a refused move deletes nothing, exit code 126"
qvm-copy 2>"$work/err"
[ $? -eq 1 ]
check $? "no file: usage, exit code 1"
qvm-copy-to-vm work 2>"$work/err"
[ $? -eq 1 ]
check $? "no file behind the target: usage, exit code 1"
exit "$bad"
