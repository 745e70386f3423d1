#!/bin/sh
# Every program, started without even a name of its own, ends at once: it does not take its
# environment for its words, nor serve. In a sandbox, should one of them serve all the same.
set -u
builddir=$(cd "${builddir:-$(pwd)}" && pwd)
shim=$builddir/tests/stage/.libs/no-words.so
skip() { echo "no-words: skipped: $*"; exit 77; }
apart() { timeout 20 bwrap --unshare-all --ro-bind / / --tmpfs /run --dev /dev --proc /proc "$@"; }
apart true 2>/dev/null || skip "no bubblewrap, or no user namespaces on this machine"
[ -r "$shim" ] || skip "no shared libraries are built"
bad=0 n=0
for room in policy-engine qrexec-daemon qrexec-agent domain-spawner rpc-services; do
    for p in $(find "$builddir/$room" -name .libs -prune -o -type f -perm -100 -print); do
        real=${p%/*}/.libs/${p##*/}
        [ -x "$real" ] || real=$p
        # an ELF program with a loader: into a static one nothing can be put
        [ "$(head -c 4 "$real" | tail -c 3)" = ELF ] && grep -q ld-linux "$real" || continue
        n=$((n + 1))
        said=$(apart --clearenv --setenv NO_WORD 1 --setenv LD_PRELOAD "$shim" \
            --setenv LD_LIBRARY_PATH "$builddir/policy-engine/.libs" \
            --setenv ASAN_OPTIONS verify_asan_link_order=0 "$real" -x </dev/null 2>&1)
        code=$?
        case $code,$said in *NO_WORD*) ;; 1,* | 2,* | 125,*) continue ;; esac
        echo "not ok - $room/${p##*/} without a word: exit code $code"
        printf '%s\n' "$said" | head -n 5 | sed 's/^/    /'
        bad=1
    done
done
[ $n -ge 20 ] || { echo "not ok - only $n programs were found"; bad=1; }
[ $bad -eq 0 ] && echo "ok - $n programs end when they are given no word"
exit $bad
