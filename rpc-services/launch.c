/* Desktop entries: see launch.h. */
#include "rpc-services/launch.h"

#include "libqrexec/base/spawn.h"
#include "rpc-services/url.h"

#include <errno.h>
#include <sys/wait.h>

GAppInfo *launch_default_for(const char *url_or_file)
{
    _cleanup_(freep) char *scheme = NULL;
    gboolean uncertain;
    GAppInfo *app;
    char *type;

    if (url_looks_like_one(url_or_file)) {
        scheme = strndup(url_or_file, strcspn(url_or_file, ":"));
        return scheme ? g_app_info_get_default_for_uri_scheme(scheme) : NULL;
    }
    type = g_content_type_guess(url_or_file, NULL, 0, &uncertain);
    app = g_app_info_get_default_for_type(type, FALSE);
    g_free(type);
    /* a name that tells nothing: what is in the file may */
    if (!app) {
        GFile *file = g_file_new_for_path(url_or_file);
        GFileInfo *info = g_file_query_info(file, "standard::content-type", 0, NULL, NULL);

        if (info && g_file_info_get_content_type(info))
            app = g_app_info_get_default_for_type(g_file_info_get_content_type(info), FALSE);
        g_clear_object(&info);
        g_object_unref(file);
    }
    return app;
}

static void note_pid(GDesktopAppInfo *app, GPid pid, gpointer user)
{
    (void)app;
    *(GPid *)user = pid;
}

int launch_and_wait(GAppInfo *app, const char *url_or_file, char **reterr)
{
    GError *error = NULL;
    GList *list = NULL;
    GPid pid = 0;
    char *uri = NULL;
    gboolean ok;

    if (url_or_file && url_looks_like_one(url_or_file))
        uri = g_strdup(url_or_file);
    else if (url_or_file)
        uri = g_filename_to_uri(url_or_file, NULL, NULL);
    if (uri)
        list = g_list_append(NULL, uri);
    ok = g_desktop_app_info_launch_uris_as_manager(G_DESKTOP_APP_INFO(app), list, NULL,
                                                   G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, note_pid,
                                                   &pid, &error);
    g_list_free(list);
    g_free(uri);
    if (!ok) {
        *reterr = strdup(error->message);
        g_error_free(error);
        return -1;
    }
    return pid ? spawn_wait(pid) : 0;
}
