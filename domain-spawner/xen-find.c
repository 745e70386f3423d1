/* Looking up domains: see xen-find.h. One that is dying is no more, but for what it still holds. */
#include "domain-spawner/xen-find.h"

#include <libxl_utils.h>

bool xen_find_uuid(libxl_ctx *ctx, const char *uuid, libxl_dominfo *ret)
{
    libxl_uuid wanted;
    libxl_dominfo *list;
    bool found = false;
    int n = 0;

    if (libxl_uuid_from_string(&wanted, uuid))
        return false;
    list = libxl_list_domain(ctx, &n);
    for (int i = 0; list && i < n && !found; i++)
        if (libxl_uuid_compare(&list[i].uuid, &wanted) == 0 && !list[i].dying) {
            libxl_dominfo_init(ret);
            libxl_dominfo_copy(ctx, ret, &list[i]);
            found = true;
        }
    if (list)
        libxl_dominfo_list_free(list, n);
    return found;
}

void xen_find_all(libxl_ctx *ctx, void (*found)(void *user, const char *uuid), void *user)
{
    char text[DOMAIN_UUID_SIZE];
    int n = 0;
    libxl_dominfo *list = libxl_list_domain(ctx, &n);

    for (int i = 0; list && i < n; i++)
        if (list[i].domid && !list[i].dying &&
            !format(text, sizeof(text), LIBXL_UUID_FMT, LIBXL_UUID_BYTES(list[i].uuid)))
            found(user, text);
    if (list)
        libxl_dominfo_list_free(list, n);
}
