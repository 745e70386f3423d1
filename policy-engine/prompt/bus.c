/* Locks and notifications: see bus.h. */
#include "policy-engine/prompt/bus.h"

#include "libqrexec/base/log.h"

#include <gio/gio.h>

#define CALL_MS 2000

/* Who may say that the screen is locked. */
struct source_spec {
    GBusType bus;
    const char *name, *path, *interface;
    const char *member; /* NULL: logind's property LockedHint */
};

static const struct source_spec specs[] = {
    {G_BUS_TYPE_SESSION, "org.freedesktop.ScreenSaver", "/org/freedesktop/ScreenSaver",
     "org.freedesktop.ScreenSaver", "GetActive"},
    {G_BUS_TYPE_SESSION, "org.gnome.ScreenSaver", "/org/gnome/ScreenSaver", "org.gnome.ScreenSaver",
     "GetActive"},
    {G_BUS_TYPE_SESSION, "org.xfce.ScreenSaver", "/org/xfce/ScreenSaver", "org.xfce.ScreenSaver",
     "GetActive"},
    {G_BUS_TYPE_SYSTEM, "org.freedesktop.login1", "/org/freedesktop/login1/session/auto",
     "org.freedesktop.login1.Session", NULL},
};

struct source {
    const struct source_spec *spec;
    struct bus *bus;
    GDBusConnection *connection;
    guint watch, signal;
    bool locked; /* also as long as it has not answered */
};

struct bus {
    struct source sources[ARRAY_SIZE(specs)];
    GDBusConnection *session; /* NULL: none, or not yet */
    GCancellable *cancel;
    bool locked;
    void (*fn)(void *user);
    void *user;
};

static void source_set(struct source *s, bool locked)
{
    struct bus *b = s->bus;
    bool any = false;

    s->locked = locked;
    for (size_t i = 0; i < ARRAY_SIZE(b->sources); i++)
        any |= b->sources[i].locked;
    if (any == b->locked)
        return;
    b->locked = any;
    if (b->fn)
        b->fn(b->user);
}

/* "(b)" of a screen saver, "(v)" of logind; false for anything else. */
static bool reads_true(GVariant *reply)
{
    GVariant *value;
    bool locked = false;

    if (g_variant_is_of_type(reply, G_VARIANT_TYPE("(v)"))) {
        g_variant_get(reply, "(v)", &value);
        locked =
            g_variant_is_of_type(value, G_VARIANT_TYPE_BOOLEAN) && g_variant_get_boolean(value);
        g_variant_unref(value);
    } else if (g_variant_is_of_type(reply, G_VARIANT_TYPE("(b)"))) {
        gboolean b;

        g_variant_get(reply, "(b)", &b);
        locked = b;
    }
    return locked;
}

static void on_reply(GObject *o, GAsyncResult *result, gpointer user)
{
    GError *error = NULL;
    GVariant *reply = g_dbus_connection_call_finish(G_DBUS_CONNECTION(o), result, &error);

    if (reply) {
        source_set(user, reads_true(reply));
        g_variant_unref(reply);
        return;
    }
    /* cancelled: user is gone */
    if (!g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        source_set(user, false);
    g_error_free(error);
}

static void source_ask(struct source *s)
{
    const struct source_spec *spec = s->spec;
    const char *interface = spec->member ? spec->interface : "org.freedesktop.DBus.Properties";
    GVariant *args = spec->member ? NULL : g_variant_new("(ss)", spec->interface, "LockedHint");

    g_dbus_connection_call(s->connection, spec->name, spec->path, interface,
                           spec->member ? spec->member : "Get", args, NULL,
                           G_DBUS_CALL_FLAGS_NO_AUTO_START, CALL_MS, s->bus->cancel, on_reply, s);
}

/* The signal's own value is not taken: the answer to a question that comes after it is. */
static void on_signal(GDBusConnection *c, const char *sender, const char *path,
                      const char *interface, const char *signal, GVariant *args, gpointer user)
{
    (void)c;
    (void)sender;
    (void)path;
    (void)interface;
    (void)signal;
    (void)args;
    source_ask(user);
}

static void on_appeared(GDBusConnection *c, const char *name, const char *owner, gpointer user)
{
    struct source *s = user;
    const struct source_spec *spec = s->spec;

    (void)name;
    (void)owner;
    if (!s->signal) {
        s->connection = g_object_ref(c);
        /* logind tells under the session's own path, not under "auto" */
        s->signal = g_dbus_connection_signal_subscribe(
            c, spec->name, spec->member ? spec->interface : "org.freedesktop.DBus.Properties",
            spec->member ? "ActiveChanged" : "PropertiesChanged", NULL,
            spec->member ? NULL : spec->interface, G_DBUS_SIGNAL_FLAGS_NONE, on_signal, s, NULL);
    }
    source_ask(s);
}

static void on_vanished(GDBusConnection *c, const char *name, gpointer user)
{
    (void)c;
    (void)name;
    source_set(user, false);
}

static void on_session(GObject *o, GAsyncResult *result, gpointer user)
{
    GDBusConnection *c = g_bus_get_finish(result, NULL);
    struct bus *b = user;

    (void)o;
    if (!c) /* cancelled perhaps, and b is gone */
        return;
    g_dbus_connection_set_exit_on_close(c, FALSE);
    b->session = c;
}

/* GLib would start a bus of its own where a display is and no bus. */
static bool has_session_bus(void)
{
    const char *run = g_getenv("XDG_RUNTIME_DIR");
    _cleanup_(freep) char *path = run ? format_new("%s/bus", run) : NULL;

    return g_getenv("DBUS_SESSION_BUS_ADDRESS") || (path && access(path, F_OK) == 0);
}

struct bus *bus_new(void)
{
    struct bus *b = calloc(1, sizeof(*b));
    bool session = has_session_bus();

    if (!b)
        return NULL;
    b->cancel = g_cancellable_new();
    if (session)
        g_bus_get(G_BUS_TYPE_SESSION, b->cancel, on_session, b);
    for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
        struct source *s = &b->sources[i];

        *s = (struct source){.spec = &specs[i], .bus = b};
        if (specs[i].bus == G_BUS_TYPE_SESSION && !session)
            continue;
        s->locked = b->locked = true;
        s->watch = g_bus_watch_name(specs[i].bus, specs[i].name, G_BUS_NAME_WATCHER_FLAGS_NONE,
                                    on_appeared, on_vanished, s, NULL);
    }
    return b;
}

void bus_free(struct bus *b)
{
    g_cancellable_cancel(b->cancel);
    for (size_t i = 0; i < ARRAY_SIZE(b->sources); i++) {
        struct source *s = &b->sources[i];

        if (s->watch)
            g_bus_unwatch_name(s->watch);
        if (s->signal)
            g_dbus_connection_signal_unsubscribe(s->connection, s->signal);
        g_clear_object(&s->connection);
    }
    g_clear_object(&b->session);
    g_object_unref(b->cancel);
    free(b);
}

bool bus_is_locked(const struct bus *b)
{
    return b->locked;
}

void bus_on_lock(struct bus *b, void (*fn)(void *user), void *user)
{
    b->fn = fn;
    b->user = user;
}

static void on_notified(GObject *o, GAsyncResult *result, gpointer user)
{
    _cleanup_(freep) char *text = user;
    GVariant *reply = g_dbus_connection_call_finish(G_DBUS_CONNECTION(o), result, NULL);

    if (reply)
        g_variant_unref(reply);
    else
        log_info("%s", text);
}

void bus_notify(struct bus *b, const char *text)
{
    char *body; /* a server may take it for markup */

    if (!b->session) {
        log_info("%s", text);
        return;
    }
    body = g_markup_escape_text(text, -1);
    g_dbus_connection_call(b->session, "org.freedesktop.Notifications",
                           "/org/freedesktop/Notifications", "org.freedesktop.Notifications",
                           "Notify",
                           g_variant_new("(susssasa{sv}i)", "qrexec", 0, "dialog-information",
                                         "Calls between domains", body, NULL, NULL, -1),
                           NULL, G_DBUS_CALL_FLAGS_NONE, CALL_MS, NULL, on_notified, strdup(text));
    g_free(body);
}
