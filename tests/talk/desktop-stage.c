/* A desktop on a bus: see desktop-stage.h. */
#include "tests/talk/desktop-stage.h"

#include "libqrexec/base/spawn.h"

#include <gio/gio.h>
#include <poll.h>
#include <signal.h>

#define SAVER      "org.freedesktop.ScreenSaver"
#define LOGIND     "org.freedesktop.login1"
#define NOTICES    "org.freedesktop.Notifications"
#define SHORT_TIME 300000 /* microseconds */

struct desktop {
    pid_t bus;
    char *address;
    GThread *thread;
    GMainLoop *loop;
    GDBusConnection *connection;
    GAsyncQueue *ready, *notices;
    gint locked, hinted;
};

static const char xml[] =
    "<node>"
    "<interface name='" SAVER "'>"
    "<method name='GetActive'><arg type='b' direction='out'/></method></interface>"
    "<interface name='" LOGIND ".Session'>"
    "<property name='LockedHint' type='b' access='read'/></interface>"
    "<interface name='" NOTICES "'><method name='Notify'>"
    "<arg type='s' direction='in'/><arg type='u' direction='in'/><arg type='s' direction='in'/>"
    "<arg type='s' direction='in'/><arg type='s' direction='in'/><arg type='as' direction='in'/>"
    "<arg type='a{sv}' direction='in'/><arg type='i' direction='in'/>"
    "<arg type='u' direction='out'/></method></interface>"
    "</node>";

static void on_call(GDBusConnection *c, const char *sender, const char *path, const char *interface,
                    const char *method, GVariant *args, GDBusMethodInvocation *call, gpointer user)
{
    struct desktop *d = user;
    const char *body;

    (void)c;
    (void)sender;
    (void)path;
    (void)interface;
    if (g_str_equal(method, "GetActive")) {
        g_dbus_method_invocation_return_value(call,
                                              g_variant_new("(b)", g_atomic_int_get(&d->locked)));
        return;
    }
    g_variant_get_child(args, 4, "&s", &body);
    g_async_queue_push(d->notices, g_strdup(body));
    g_dbus_method_invocation_return_value(call, g_variant_new("(u)", 1));
}

static GVariant *on_get(GDBusConnection *c, const char *sender, const char *path,
                        const char *interface, const char *property, GError **error, gpointer user)
{
    struct desktop *d = user;

    (void)c;
    (void)sender;
    (void)path;
    (void)interface;
    (void)property;
    (void)error;
    return g_variant_new_boolean(g_atomic_int_get(&d->hinted));
}

static void bus_call(struct desktop *d, const char *method, GVariant *args)
{
    GVariant *reply = g_dbus_connection_call_sync(
        d->connection, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
        method, args, NULL, G_DBUS_CALL_FLAGS_NONE, -1, NULL, NULL);

    if (reply)
        g_variant_unref(reply);
}

static void serve(struct desktop *d, GDBusNodeInfo *info, const char *name, const char *path)
{
    static const GDBusInterfaceVTable table = {on_call, on_get, NULL, {NULL}};
    const char *interface = g_str_equal(name, LOGIND) ? LOGIND ".Session" : name;

    g_dbus_connection_register_object(d->connection, path,
                                      g_dbus_node_info_lookup_interface(info, interface), &table, d,
                                      NULL, NULL);
    bus_call(d, "RequestName", g_variant_new("(su)", name, 0));
}

static gpointer run(gpointer user)
{
    struct desktop *d = user;
    GMainContext *context = g_main_context_new();
    GDBusNodeInfo *info = g_dbus_node_info_new_for_xml(xml, NULL);

    g_main_context_push_thread_default(context);
    d->loop = g_main_loop_new(context, FALSE);
    d->connection =
        g_dbus_connection_new_for_address_sync(d->address,
                                               G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                                   G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                                               NULL, NULL, NULL);
    if (d->connection) {
        serve(d, info, SAVER, "/org/freedesktop/ScreenSaver");
        serve(d, info, LOGIND, "/org/freedesktop/login1/session/auto");
        serve(d, info, NOTICES, "/org/freedesktop/Notifications");
    }
    g_async_queue_push(d->ready, d);
    if (d->connection)
        g_main_loop_run(d->loop);
    g_clear_object(&d->connection);
    g_main_loop_unref(d->loop);
    g_main_context_pop_thread_default(context);
    g_main_context_unref(context);
    g_dbus_node_info_unref(info);
    return NULL;
}

/* The bus itself; false: there is no dbus-daemon. */
static bool start_bus(struct desktop *d, const char *socket)
{
    _cleanup_(freep) char *option = format_new("--address=%s", d->address);
    char *argv[] = {(char *)"/bin/sh", (char *)"-c",
                    (char *)"command -v dbus-daemon >/dev/null || exit 127\n"
                            "exec dbus-daemon --session --nofork --nopidfile \"$0\"",
                    option, NULL};
    const int fds[] = {-1, -1, -1};

    assert_int_equal(spawn_process(&(struct spawn){.path = argv[0],
                                                   .argv = argv,
                                                   .fds = fds,
                                                   .n_fds = 3,
                                                   .parent_death_signal = SIGKILL},
                                   &d->bus, NULL),
                     0);
    for (int i = 0; i < 200 && access(socket, F_OK); i++)
        (void)poll(NULL, 0, 20);
    return access(socket, F_OK) == 0;
}

struct desktop *desktop_begin(struct stage *s, bool locked)
{
    struct desktop *d = calloc(1, sizeof(*d));
    _cleanup_(freep) char *socket = stage_path(s, "/run/bus");

    d->address = format_new("unix:path=%s", socket);
    d->locked = locked;
    if (!start_bus(d, socket)) {
        print_message("there is no dbus-daemon\n");
        (void)spawn_wait(d->bus);
        free(d->address);
        free(d);
        test_rmdir(s->root);
        skip();
    }
    d->ready = g_async_queue_new();
    d->notices = g_async_queue_new_full(g_free);
    d->thread = g_thread_new("desktop", run, d);
    g_async_queue_pop(d->ready);
    assert_non_null(d->connection);
    prompt_use_bus(d->address);
    return d;
}

void desktop_lock(struct desktop *d, bool locked)
{
    g_atomic_int_set(&d->locked, locked);
    g_dbus_connection_emit_signal(d->connection, NULL, "/org/freedesktop/ScreenSaver", SAVER,
                                  "ActiveChanged", g_variant_new("(b)", locked), NULL);
}

void desktop_hint(struct desktop *d, bool locked)
{
    GVariantBuilder changed;

    g_atomic_int_set(&d->hinted, locked);
    g_variant_builder_init(&changed, G_VARIANT_TYPE("a{sv}"));
    g_variant_builder_add(&changed, "{sv}", "LockedHint", g_variant_new_boolean(locked));
    g_dbus_connection_emit_signal(d->connection, NULL, "/org/freedesktop/login1/session/_31",
                                  "org.freedesktop.DBus.Properties", "PropertiesChanged",
                                  g_variant_new("(sa{sv}as)", LOGIND ".Session", &changed, NULL),
                                  NULL);
}

void desktop_lose_saver(struct desktop *d)
{
    bus_call(d, "ReleaseName", g_variant_new("(s)", SAVER));
}

void expect_notification(struct desktop *d, const char *body)
{
    char *got = g_async_queue_timeout_pop(d->notices, (guint64)WAIT_MS * 1000);

    assert_non_null(got);
    assert_string_equal(got, body);
    g_free(got);
}

void expect_no_notification(struct desktop *d)
{
    assert_null(g_async_queue_timeout_pop(d->notices, SHORT_TIME));
}

void desktop_end(struct desktop *d)
{
    prompt_use_bus(NULL);
    g_main_loop_quit(d->loop);
    g_thread_join(d->thread);
    assert_int_equal(kill(d->bus, SIGTERM), 0);
    (void)spawn_wait(d->bus);
    g_async_queue_unref(d->ready);
    g_async_queue_unref(d->notices);
    free(d->address);
    free(d);
}
