/*
 * A window for one question at a time: see front.h.
 *
 * The window decides nothing: each key, click and change of the keyboard's focus goes to the
 * question, and what it shows is drawn from the question again. No widget of it takes the keyboard,
 * so no key reaches a button by another way. It is mapped without focus; it is deaf from when the
 * screen shows it, and again from when it gets the keyboard. Events that another program sent
 * instead of the server are not taken.
 */
#include "policy-engine/prompt/window.h"
#include "libqrexec/base/io.h"
#include "libqrexec/base/loop.h"
#include "policy-engine/prompt/bus.h"
#include "policy-engine/prompt/front.h"
#include "policy-engine/prompt/icon.h"
#include "policy-engine/prompt/shown.h"
#include "policy-engine/prompt/widgets.h"

#include <errno.h>
#include <gtk/gtk.h>

#define ARGUMENT_SHOWN (64U << 10) /* all there can be */

enum column { COLUMN_ICON, COLUMN_NAME, COLUMN_PLACE };

struct window {
    struct front front;
    struct bus *bus;
    struct question *asked; /* NULL: no window */
    struct timer deaf;
    GtkWidget *window, *search, *view, *hint, *allow, *keep;
    GtkListStore *list;
};

static const uint32_t keeps[] = {QUESTION_ONCE, QUESTION_SESSION, QUESTION_HOUR, 8 * QUESTION_HOUR,
                                 24 * QUESTION_HOUR};
static const char *const keep_texts[] = {"Only this time", "For this session", "For 1 hour",
                                         "For 8 hours", "For 24 hours"};

/* ---- What it shows ---- */

static void fill_list(struct window *w)
{
    const struct prompt_request *request = w->asked->request;

    /* a view that looks on makes a thousand rows slow */
    gtk_tree_view_set_model(GTK_TREE_VIEW(w->view), NULL);
    gtk_list_store_clear(w->list);
    for (size_t i = 0; i < request->n_targets; i++) {
        GdkPixbuf *icon;

        if (!question_lists(w->asked, i))
            continue;
        icon = icon_new(request->target_icons[i]);
        gtk_list_store_insert_with_values(w->list, NULL, -1, COLUMN_ICON, icon, COLUMN_NAME,
                                          w->asked->shown[i], COLUMN_PLACE, (guint)i, -1);
        g_object_unref(icon);
    }
    gtk_tree_view_set_model(GTK_TREE_VIEW(w->view), GTK_TREE_MODEL(w->list));
}

static void show_selected(struct window *w)
{
    GtkTreeSelection *selection = gtk_tree_view_get_selection(GTK_TREE_VIEW(w->view));
    GtkTreeModel *model = GTK_TREE_MODEL(w->list);
    GtkTreeIter row;
    gboolean more = gtk_tree_model_get_iter_first(model, &row);

    gtk_tree_selection_unselect_all(selection);
    for (; more; more = gtk_tree_model_iter_next(model, &row)) {
        GtkTreePath *path;
        guint place;

        gtk_tree_model_get(model, &row, COLUMN_PLACE, &place, -1);
        if (place != w->asked->selected)
            continue;
        path = gtk_tree_model_get_path(model, &row);
        gtk_tree_selection_select_iter(selection, &row);
        gtk_tree_view_scroll_to_cell(GTK_TREE_VIEW(w->view), path, NULL, FALSE, 0, 0);
        gtk_tree_path_free(path);
        return;
    }
}

static size_t chosen_keep(const struct window *w)
{
    size_t i = 0;

    while (w->asked && i + 1 < ARRAY_SIZE(keeps) && keeps[i] != w->asked->keep)
        i++;
    return i;
}

static void show_state(struct window *w)
{
    const char *filter = w->asked->filter;

    if (w->keep)
        gtk_combo_box_set_active(GTK_COMBO_BOX(w->keep), (int)chosen_keep(w));
    gtk_label_set_text(GTK_LABEL(w->search), *filter ? filter : "(type a part of a name)");
    gtk_label_set_text(GTK_LABEL(w->hint), question_hint(w->asked));
    gtk_widget_set_sensitive(w->allow, question_may_allow(w->asked, clock_ms()));
    show_selected(w);
}

static void close_window(struct window *w)
{
    timer_stop(&w->deaf);
    w->asked = NULL;
    gtk_widget_destroy(w->window);
    w->window = NULL;
    g_clear_object(&w->list);
}

/* ---- Input ---- */

static void input(struct window *w, enum question_event event, uint32_t value)
{
    bool searches = event == QUESTION_TYPE || event == QUESTION_ERASE || event == QUESTION_CLEAR;

    if (!w->asked || !question_input(w->asked, event, value, clock_ms()))
        return;
    if (w->asked->state != QUESTION_STANDS) {
        close_window(w);
        w->front.answered(&w->front);
        return;
    }
    if (searches)
        fill_list(w);
    show_state(w);
}

/* What was under way was meant for something else. */
static void disturb(struct window *w)
{
    if (!w->asked)
        return;
    question_disturb(w->asked, clock_ms());
    timer_set(&w->deaf, QUESTION_DEAF_MS);
    show_state(w);
}

static void on_deaf_over(struct timer *t)
{
    show_state(container_of(t, struct window, deaf));
}

static gboolean on_disturbed(GtkWidget *widget, GdkEvent *event, gpointer user)
{
    (void)widget;
    (void)event;
    disturb(user);
    return FALSE;
}

static void on_character(struct window *w, const GdkEventKey *key)
{
    guint32 c = gdk_keyval_to_unicode(key->keyval);

    if (c && !(key->state & (GDK_CONTROL_MASK | GDK_MOD1_MASK | GDK_SUPER_MASK)))
        input(w, QUESTION_TYPE, c);
}

/* The next longer, the next shorter time. */
static void step_keep(struct window *w, bool longer)
{
    size_t i = chosen_keep(w);

    if (w->keep && longer && i + 1 < ARRAY_SIZE(keeps))
        input(w, QUESTION_KEEP, keeps[i + 1]);
    else if (w->keep && !longer && i > 0)
        input(w, QUESTION_KEEP, keeps[i - 1]);
}

static gboolean on_press(GtkWidget *widget, GdkEventKey *key, gpointer user)
{
    (void)widget;
    if (key->send_event)
        return TRUE;
    switch (key->keyval) {
    case GDK_KEY_Return:
    case GDK_KEY_KP_Enter: input(user, QUESTION_RETURN_PRESSED, 0); break;
    case GDK_KEY_Escape: input(user, QUESTION_ESCAPE_PRESSED, 0); break;
    case GDK_KEY_Up:
    case GDK_KEY_KP_Up: input(user, QUESTION_UP, 0); break;
    case GDK_KEY_Down:
    case GDK_KEY_KP_Down: input(user, QUESTION_DOWN, 0); break;
    case GDK_KEY_Right: step_keep(user, true); break;
    case GDK_KEY_Left: step_keep(user, false); break;
    case GDK_KEY_BackSpace: input(user, QUESTION_ERASE, 0); break;
    default: on_character(user, key); break;
    }
    return TRUE;
}

static gboolean on_release(GtkWidget *widget, GdkEventKey *key, gpointer user)
{
    (void)widget;
    if (key->send_event)
        return TRUE;
    if (key->keyval == GDK_KEY_Return || key->keyval == GDK_KEY_KP_Enter)
        input(user, QUESTION_RETURN_RELEASED, 0);
    else if (key->keyval == GDK_KEY_Escape)
        input(user, QUESTION_ESCAPE_RELEASED, 0);
    return TRUE;
}

static gboolean on_row(GtkWidget *widget, GdkEventButton *button, gpointer user)
{
    struct window *w = user;
    GtkTreePath *path;
    GtkTreeIter row;
    guint place = 0;

    if (button->send_event ||
        !gtk_tree_view_get_path_at_pos(GTK_TREE_VIEW(widget), (int)button->x, (int)button->y, &path,
                                       NULL, NULL, NULL))
        return TRUE;
    if (gtk_tree_model_get_iter(GTK_TREE_MODEL(w->list), &row, path)) {
        gtk_tree_model_get(GTK_TREE_MODEL(w->list), &row, COLUMN_PLACE, &place, -1);
        input(w, QUESTION_PICK, place);
    }
    gtk_tree_path_free(path);
    return TRUE;
}

/* A click of another program's making ends here. */
static gboolean on_button(GtkWidget *widget, GdkEventButton *button, gpointer user)
{
    (void)widget;
    (void)user;
    return button->send_event;
}

static void on_allow(GtkButton *button, gpointer user)
{
    (void)button;
    input(user, QUESTION_ALLOW, 0);
}

static void on_deny(GtkButton *button, gpointer user)
{
    (void)button;
    input(user, QUESTION_DENY, 0);
}

static gboolean on_close(GtkWidget *widget, GdkEvent *event, gpointer user)
{
    (void)widget;
    (void)event;
    input(user, QUESTION_DENY, 0);
    return TRUE; /* closed already, or not at all */
}

static void on_keep(GtkComboBox *box, gpointer user)
{
    struct window *w = user;
    int chosen = gtk_combo_box_get_active(box);

    if (w->asked && chosen >= 0 && keeps[chosen] != w->asked->keep)
        input(w, QUESTION_KEEP, keeps[chosen]);
    if (w->asked && chosen >= 0 && keeps[chosen] != w->asked->keep)
        show_state(w); /* it was deaf */
}

/* ---- Its parts ---- */

static GtkWidget *list_new(struct window *w)
{
    w->list = gtk_list_store_new(3, GDK_TYPE_PIXBUF, G_TYPE_STRING, G_TYPE_UINT);
    w->view = widget_list_new(GTK_TREE_MODEL(w->list), COLUMN_ICON, COLUMN_NAME);
    g_signal_connect(w->view, "button-press-event", G_CALLBACK(on_row), w);
    return widget_scrolled_new(w->view, 120, 240);
}

static GtkWidget *keep_new(struct window *w)
{
    w->keep = gtk_combo_box_text_new();
    for (size_t i = 0; i < ARRAY_SIZE(keep_texts); i++)
        gtk_combo_box_text_append_text(GTK_COMBO_BOX_TEXT(w->keep), keep_texts[i]);
    gtk_combo_box_set_active(GTK_COMBO_BOX(w->keep), 0);
    gtk_widget_set_focus_on_click(w->keep, FALSE);
    g_signal_connect(w->keep, "changed", G_CALLBACK(on_keep), w);
    return w->keep;
}

static GtkWidget *button_new(struct window *w, const char *text, GCallback fn)
{
    GtkWidget *b = gtk_button_new_with_label(text);

    gtk_widget_set_can_focus(b, FALSE);
    g_signal_connect(b, "button-press-event", G_CALLBACK(on_button), w);
    g_signal_connect(b, "button-release-event", G_CALLBACK(on_button), w);
    g_signal_connect(b, "clicked", fn, w);
    return b;
}

static GtkWidget *buttons_new(struct window *w)
{
    GtkWidget *box = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 12);

    w->allow = button_new(w, "Allow", G_CALLBACK(on_allow));
    gtk_box_pack_end(GTK_BOX(box), w->allow, FALSE, FALSE, 0);
    gtk_box_pack_end(GTK_BOX(box), button_new(w, "Refuse", G_CALLBACK(on_deny)), FALSE, FALSE, 0);
    return box;
}

static void add_parts(struct window *w, size_t waiting, const char *source, const char *service,
                      const char *argument)
{
    GtkGrid *grid = widget_grid_new();
    char more[64] = "";

    w->search = widget_label_new(NULL);
    w->hint = widget_label_new(NULL);
    w->keep = w->asked->request->keep ? keep_new(w) : NULL;
    widget_grid_add(grid, NULL,
                    widget_label_new("A domain asks to call a service of another one."));
    widget_grid_add(grid, "Source", widget_domain_new(w->asked->request->source_icon, source));
    widget_grid_add(grid, "Service", widget_label_new(service));
    widget_grid_add(grid, "Argument", widget_text_new(argument));
    widget_grid_add(grid, "Target", list_new(w));
    widget_grid_add(grid, "Search", w->search);
    if (w->keep)
        widget_grid_add(grid, "Keep", w->keep);
    widget_grid_add(grid, NULL, w->hint);
    if (waiting && format(more, sizeof(more), "%zu more questions wait.", waiting) == 0)
        widget_grid_add(grid, NULL, widget_label_new(more));
    widget_grid_add(grid, NULL, buttons_new(w));
    gtk_container_add(GTK_CONTAINER(w->window), GTK_WIDGET(grid));
}

static void make_window(struct window *w)
{
    w->window = gtk_window_new(GTK_WINDOW_TOPLEVEL);
    gtk_window_set_title(GTK_WINDOW(w->window), "May this call be made?");
    gtk_window_set_position(GTK_WINDOW(w->window), GTK_WIN_POS_CENTER);
    gtk_window_set_resizable(GTK_WINDOW(w->window), FALSE);
    gtk_window_set_focus_on_map(GTK_WINDOW(w->window), FALSE);
    gtk_window_set_keep_above(GTK_WINDOW(w->window), TRUE);
    gtk_window_set_urgency_hint(GTK_WINDOW(w->window), TRUE);
    gtk_window_stick(GTK_WINDOW(w->window));
    g_signal_connect(w->window, "key-press-event", G_CALLBACK(on_press), w);
    g_signal_connect(w->window, "key-release-event", G_CALLBACK(on_release), w);
    g_signal_connect(w->window, "focus-in-event", G_CALLBACK(on_disturbed), w);
    g_signal_connect(w->window, "map-event", G_CALLBACK(on_disturbed), w);
    g_signal_connect(w->window, "delete-event", G_CALLBACK(on_close), w);
}

/* ---- The front ---- */

static int window_ask(struct front *f, struct question *q, size_t waiting)
{
    struct window *w = container_of(f, struct window, front);
    _cleanup_(freep) char *source = shown_text(q->request->source);
    _cleanup_(freep) char *service = shown_text(q->request->service);
    _cleanup_(freep) char *argument = shown_argument(q->request->argument, ARGUMENT_SHOWN);

    if (!source || !service || !argument)
        return -ENOMEM;
    w->asked = q;
    make_window(w);
    add_parts(w, waiting, source, service, argument);
    fill_list(w);
    show_state(w);
    gtk_widget_show_all(w->window);
    return 0;
}

static void window_withdraw(struct front *f, const char *why)
{
    (void)why; /* that it is gone says enough, and a line would outlive it */
    close_window(container_of(f, struct window, front));
}

static void window_tell(struct front *f, const char *text)
{
    bus_notify(container_of(f, struct window, front)->bus, text);
}

static void window_free(struct front *f)
{
    free(container_of(f, struct window, front));
}

GtkWidget *window_widget(const struct front *f)
{
    const struct window *w =
        (const struct window *)(const void *)((const char *)f - offsetof(struct window, front));

    return w->window;
}

int window_front_new(struct bus *bus, struct front **ret)
{
    static const struct front_ops ops = {
        .ask = window_ask, .withdraw = window_withdraw, .tell = window_tell, .free = window_free};
    struct window *w;

    if (!gtk_init_check(NULL, NULL))
        return -ENOTCONN;
    w = calloc(1, sizeof(*w));
    if (!w)
        return -ENOMEM;
    *w = (struct window){.front = {.ops = &ops}, .bus = bus, .deaf = {.fn = on_deaf_over}};
    *ret = &w->front;
    return 0;
}
