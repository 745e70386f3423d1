/*
 * qubes.StartApp+ID: starts the application of a desktop entry, and ends with it.
 *
 * Keys in /etc/qubes/applications/FILE.d/ files override the entry's. A DBusActivatable entry is
 * activated over D-Bus, and waited for until its name has no owner.
 */
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "libqrexec/base/paths.h"
#include "rpc-services/launch.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>

#define OVERRIDES "/etc/qubes/applications"

static void merge_file(GKeyFile *into, const char *path)
{
    GKeyFile *from = g_key_file_new();
    char **keys = NULL;

    if (g_key_file_load_from_file(from, path, G_KEY_FILE_KEEP_TRANSLATIONS, NULL))
        keys = g_key_file_get_keys(from, G_KEY_FILE_DESKTOP_GROUP, NULL, NULL);
    for (size_t i = 0; keys && keys[i]; i++) {
        char *value = g_key_file_get_value(from, G_KEY_FILE_DESKTOP_GROUP, keys[i], NULL);

        g_key_file_set_value(into, G_KEY_FILE_DESKTOP_GROUP, keys[i], value);
        g_free(value);
    }
    g_strfreev(keys);
    g_key_file_free(from);
}

static void merge_overrides(GKeyFile *entry, const char *id)
{
    char dir[PATH_SIZE], path[PATH_SIZE];
    struct dirent **names = NULL;
    int n;

    if (format(dir, sizeof(dir), OVERRIDES "/%s.d", id))
        return;
    n = scandir(dir, &names, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        if (names[i]->d_name[0] != '.' &&
            format(path, sizeof(path), "%s/%s", dir, names[i]->d_name) == 0)
            merge_file(entry, path);
        free(names[i]);
    }
    free(names);
}

static GDesktopAppInfo *find_entry(const char *id)
{
    GDesktopAppInfo *found = g_desktop_app_info_new(id), *merged;
    GKeyFile *entry;

    if (!found || !g_desktop_app_info_get_filename(found))
        return found;
    entry = g_key_file_new();
    if (!g_key_file_load_from_file(entry, g_desktop_app_info_get_filename(found),
                                   G_KEY_FILE_KEEP_TRANSLATIONS, NULL)) {
        g_key_file_free(entry);
        return found;
    }
    merge_overrides(entry, id);
    merged = g_desktop_app_info_new_from_keyfile(entry);
    g_key_file_free(entry);
    if (!merged)
        return found;
    g_object_unref(found);
    return merged;
}

static void name_vanished(GDBusConnection *bus, const char *name, gpointer loop)
{
    (void)bus;
    (void)name;
    g_main_loop_quit(loop);
}

static int activate(const char *name)
{
    GDBusConnection *bus = g_bus_get_sync(G_BUS_TYPE_SESSION, NULL, NULL);
    GMainLoop *loop = g_main_loop_new(NULL, FALSE);
    char *path = g_strdelimit(g_strconcat("/", name, NULL), ".-", '/');
    GError *error = NULL;
    GVariant *answer;

    g_strdelimit(path, "-", '_');
    answer = bus ? g_dbus_connection_call_sync(bus, name, path, "org.freedesktop.Application",
                                               "Activate", g_variant_new("(a{sv})", NULL), NULL, 0,
                                               -1, NULL, &error)
                 : NULL;
    if (answer) {
        g_bus_watch_name_on_connection(bus, name, 0, NULL, name_vanished, loop, NULL);
        g_main_loop_run(loop);
        g_variant_unref(answer);
    } else {
        log_error("cannot activate %s: %s", name, error ? error->message : "no session bus");
    }
    g_clear_error(&error);
    g_clear_object(&bus);
    g_main_loop_unref(loop);
    g_free(path);
    return answer ? 0 : 1;
}

int main(int argc, char **argv)
{
    _cleanup_(freep) char *error = NULL, *id = NULL;
    GDesktopAppInfo *app;
    int r;

    signal(SIGPIPE, SIG_IGN);
    if (process_begin())
        return 1;
    log_open("qubes.StartApp", LOG_TARGET_STDERR);
    if (argc != 2 || !*argv[1]) {
        log_error("which application? (qubes.StartApp+ID, the name of a desktop entry)");
        return 1;
    }
    id = format_new("%s.desktop", argv[1]);
    app = id ? find_entry(id) : NULL;
    if (!app) {
        log_error("no desktop entry %s.desktop in this domain", argv[1]);
        return 1;
    }
    if (g_desktop_app_info_get_boolean(app, "DBusActivatable")) {
        g_object_unref(app);
        return activate(argv[1]);
    }
    r = launch_and_wait(G_APP_INFO(app), NULL, &error);
    if (r < 0)
        log_error("cannot start %s: %s", argv[1], error ? error : "out of memory");
    g_object_unref(app);
    return r < 0 ? 1 : 0;
}
