/* qubes.OpenInVM's stream: see openinvm.h. */
#include "rpc-services/openinvm.h"

#include "libqrexec/base/io.h"

#include <errno.h>

void openinvm_put_name(unsigned char field[static OPENINVM_FIELD], const char *path, bool view_only)
{
    const char *prefix = view_only ? OPENINVM_VIEW_ONLY : "";
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    size_t room = OPENINVM_FIELD - 1 - strlen(prefix), n = strlen(name);

    if (n > room) {
        name += n - room;
        n = room;
    }
    memset(field, 0, OPENINVM_FIELD);
    memcpy(field, prefix, strlen(prefix));
    memcpy(field + strlen(prefix), name, n);
}

bool openinvm_get_name(const unsigned char field[static OPENINVM_FIELD],
                       char ret[static OPENINVM_FIELD], bool *ret_view_only)
{
    static const char safe[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-+@";
    const char *name = (const char *)field;
    bool view_only;
    size_t n;

    if (field[OPENINVM_FIELD - 1])
        return false;
    view_only = str_starts(name, OPENINVM_VIEW_ONLY);
    if (view_only)
        name += strlen(OPENINVM_VIEW_ONLY);
    n = strlen(name);
    if (!n || strchr(name, '/') || str_equal(name, ".") || str_equal(name, ".."))
        return false;
    for (size_t i = 0; i <= n; i++)
        ret[i] = !name[i] || strchr(safe, name[i]) ? name[i] : '_';
    *ret_view_only = view_only;
    return true;
}

int copy_all(int from, int to)
{
    char buf[65536];

    for (;;) {
        ssize_t n = read(from, buf, sizeof(buf));
        int r;

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : 0;
        r = write_full(to, buf, (size_t)n);
        if (r)
            return r;
    }
}
