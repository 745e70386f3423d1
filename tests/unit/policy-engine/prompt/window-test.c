/* What the window shows, and what clicks do; keys are pressed in tests/talk/policy-window-test.c.
 */
#define CASES(X)                                                                                   \
    X(it_shows_who_calls_what)                                                                     \
    X(nothing_that_a_domain_chose_is_markup_or_unseen)                                             \
    X(icons_have_the_colour_of_the_label)                                                          \
    X(how_long_is_offered_where_it_is_understood)                                                  \
    X(the_proposal_is_chosen_at_first)                                                             \
    X(a_click_chooses_and_another_allows)                                                          \
    X(a_click_refuses)                                                                             \
    X(clicks_that_come_too_early_are_nothing)                                                      \
    X(the_list_follows_the_search)                                                                 \
    X(a_window_of_any_content_fits_the_screen)                                                     \
    X(nothing_in_it_takes_the_keyboard)

#include "tests/unit/test.h"

#if defined(HAVE_GTK) && defined(HAVE_XTEST)

#include "policy-engine/prompt/icon.h"
#include "policy-engine/prompt/window.h"
#include "tests/talk/x-stage.h"

#define WAIT_MS 10000

struct shown {
    struct front *front;
    struct prompt_request request;
    struct question q;
    bool answered;
};

static bool have_display;
static char *targets[] = {(char *)"vault", (char *)"work", (char *)"@dispvm:dvm"};
static char *icons[] = {(char *)"appvm-black", (char *)"appvm-blue", (char *)""};

static void on_answered(struct front *f)
{
    ((struct shown *)f->user)->answered = true;
}

/* Some turns of the loop, for that long. */
static void run(uint64_t ms)
{
    uint64_t until = clock_ms() + ms;

    while (clock_ms() < until) {
        while (g_main_context_iteration(NULL, FALSE))
            ;
        g_usleep(5000);
    }
}

static void prepare(struct shown *s)
{
    if (!have_display) {
        print_message("there is no Xvfb\n");
        skip();
    }
    *s = (struct shown){.request = {.source = (char *)"mail",
                                    .service = (char *)"a.B",
                                    .argument = (char *)"+c",
                                    .targets = targets,
                                    .n_targets = ARRAY_SIZE(targets),
                                    .default_target = 1,
                                    .source_icon = (char *)"appvm-red",
                                    .target_icons = icons}};
    assert_int_equal(window_front_new(NULL, &s->front), 0);
    s->front->user = s;
    s->front->answered = on_answered;
}

static void ask(struct shown *s, size_t waiting)
{
    uint64_t deadline = clock_ms() + WAIT_MS;

    assert_int_equal(question_init(&s->q, &s->request), 0);
    assert_int_equal(s->front->ops->ask(s->front, &s->q, waiting), 0);
    while (s->q.listens_at == UINT64_MAX && clock_ms() < deadline)
        run(10);
    assert_true(s->q.listens_at != UINT64_MAX);   /* the screen shows it */
    x_focus(x_wait("May this call be made?", 1)); /* else the pointer's coming would disturb it */
    run(50);
}

static void finish(struct shown *s)
{
    if (!s->answered)
        s->front->ops->withdraw(s->front, "");
    assert_null(window_widget(s->front));
    s->front->ops->free(s->front);
    question_deinit(&s->q);
    run(20);
}

/* ---- Widgets ---- */

struct search {
    GType type;
    const char *text; /* of a label; NULL: any */
    GtkWidget *found;
    size_t n;
};

static void search_in(GtkWidget *w, gpointer user)
{
    struct search *s = user;

    if (g_type_is_a(G_OBJECT_TYPE(w), s->type) &&
        (!s->text || str_equal(gtk_label_get_text(GTK_LABEL(w)), s->text))) {
        s->found = w;
        s->n++;
    }
    if (GTK_IS_CONTAINER(w))
        gtk_container_forall(GTK_CONTAINER(w), search_in, s);
}

static GtkWidget *find(const struct shown *s, GType type)
{
    struct search search = {.type = type};

    search_in(window_widget(s->front), &search);
    return search.found;
}

static GtkWidget *find_text(const struct shown *s, const char *text)
{
    struct search search = {.type = GTK_TYPE_LABEL, .text = text};

    search_in(window_widget(s->front), &search);
    return search.found;
}

static bool sees(const struct shown *s, const char *text)
{
    return find_text(s, text) != NULL;
}

static GtkWidget *button(const struct shown *s, const char *text)
{
    return gtk_widget_get_ancestor(find_text(s, text), GTK_TYPE_BUTTON);
}

static void click_at(GtkWidget *w, int x, int y)
{
    int left, top, dx, dy;

    gdk_window_get_origin(gtk_widget_get_window(gtk_widget_get_toplevel(w)), &left, &top);
    gtk_widget_translate_coordinates(w, gtk_widget_get_toplevel(w), x, y, &dx, &dy);
    x_click(left + dx, top + dy);
    run(100);
}

static void click(GtkWidget *w)
{
    click_at(w, gtk_widget_get_allocated_width(w) / 2, gtk_widget_get_allocated_height(w) / 2);
}

static void click_row(const struct shown *s, int row)
{
    GtkTreeView *view = GTK_TREE_VIEW(find(s, GTK_TYPE_TREE_VIEW));
    GtkTreePath *path = gtk_tree_path_new_from_indices(row, -1);
    GdkRectangle r;

    gtk_tree_view_get_cell_area(view, path, gtk_tree_view_get_column(view, 0), &r);
    gtk_tree_path_free(path);
    click_at(GTK_WIDGET(view), r.x + 5, r.y + r.height / 2);
}

static int count_rows(const struct shown *s)
{
    GtkTreeView *view = GTK_TREE_VIEW(find(s, GTK_TYPE_TREE_VIEW));

    return gtk_tree_model_iter_n_children(gtk_tree_view_get_model(view), NULL);
}

static guint32 colour(GdkPixbuf *icon)
{
    const guchar *p = gdk_pixbuf_get_pixels(icon);

    return (guint32)p[0] << 24 | (guint32)p[1] << 16 | (guint32)p[2] << 8 | p[3];
}

/* ---- Cases ---- */

static void it_shows_who_calls_what(void **state)
{
    struct shown s;

    (void)state;
    prepare(&s);
    ask(&s, 3);
    assert_true(sees(&s, "mail"));
    assert_true(sees(&s, "a.B"));
    assert_true(sees(&s, "c"));
    assert_true(sees(&s, "3 more questions wait."));
    assert_int_equal(count_rows(&s), 3);
    finish(&s);
}

static void only_ascii(GtkWidget *w, gpointer user)
{
    if (GTK_IS_LABEL(w))
        for (const char *p = gtk_label_get_text(GTK_LABEL(w)); *p; p++)
            assert_true(*p >= ' ' && *p < 0x7f);
    if (GTK_IS_CONTAINER(w))
        gtk_container_forall(GTK_CONTAINER(w), only_ascii, user);
}

static void nothing_that_a_domain_chose_is_markup_or_unseen(void **state)
{
    static char *odd[] = {(char *)"\342\200\256gpj", (char *)"<b>x</b>\n"};
    static char *none[] = {(char *)"", (char *)""};
    struct shown s;
    GtkTreeModel *model;
    GtkTreeIter row;
    char *text;

    (void)state;
    prepare(&s);
    s.request.source = (char *)"m\342\200\213ail";
    s.request.service = (char *)"a\033B";
    s.request.argument = (char *)"+<i>&amp;\342\201\246 \n";
    s.request.targets = odd;
    s.request.target_icons = none;
    s.request.n_targets = s.request.default_target = 2;
    ask(&s, 0);
    only_ascii(window_widget(s.front), NULL);
    assert_true(sees(&s, "m\\xe2\\x80\\x8bail"));
    assert_true(sees(&s, "a\\x1bB"));
    assert_true(sees(&s, "<i>&amp;\\xe2\\x81\\xa6\\x20\\x0a"));
    model = gtk_tree_view_get_model(GTK_TREE_VIEW(find(&s, GTK_TYPE_TREE_VIEW)));
    assert_true(gtk_tree_model_get_iter_first(model, &row));
    gtk_tree_model_get(model, &row, 1, &text, -1);
    assert_string_equal(text, "\\xe2\\x80\\xaegpj");
    g_free(text);
    assert_true(gtk_tree_model_iter_next(model, &row));
    gtk_tree_model_get(model, &row, 1, &text, -1);
    assert_string_equal(text, "<b>x</b>\\x0a");
    g_free(text);
    finish(&s);
}

static void icons_have_the_colour_of_the_label(void **state)
{
    static const struct {
        const char *name;
        guint32 colour;
    } cases[] = {
        {"appvm-red", 0xcc0000ff},    {"servicevm-green", 0x73d216ff},
        {"dispvm-black", 0x000000ff}, {"red", 0xcc0000ff},
        {"appvm-mauve", 0},           {"", 0},
    };
    struct shown s;

    (void)state;
    prepare(&s);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        GdkPixbuf *icon = icon_new(cases[i].name);

        assert_int_equal(colour(icon), cases[i].colour);
        assert_int_equal(gdk_pixbuf_get_width(icon), ICON_SIZE);
        g_object_unref(icon);
    }
    ask(&s, 0);
    assert_int_equal(colour(gtk_image_get_pixbuf(GTK_IMAGE(find(&s, GTK_TYPE_IMAGE)))), 0xcc0000ff);
    finish(&s);
}

static void how_long_is_offered_where_it_is_understood(void **state)
{
    (void)state;
    for (int keep = 0; keep < 2; keep++) {
        struct shown s;

        prepare(&s);
        s.request.keep = keep;
        ask(&s, 0);
        assert_int_equal(find(&s, GTK_TYPE_COMBO_BOX) != NULL, keep);
        finish(&s);
    }
}

static void the_proposal_is_chosen_at_first(void **state)
{
    struct shown s;
    GtkTreeSelection *selection;
    GtkTreeModel *model;
    GtkTreeIter row;
    guint place;

    (void)state;
    prepare(&s);
    ask(&s, 0);
    selection = gtk_tree_view_get_selection(GTK_TREE_VIEW(find(&s, GTK_TYPE_TREE_VIEW)));
    assert_true(gtk_tree_selection_get_selected(selection, &model, &row));
    gtk_tree_model_get(model, &row, 2, &place, -1);
    assert_int_equal(place, 1);
    assert_false(gtk_widget_get_sensitive(button(&s, "Allow")));
    run(QUESTION_DEAF_MS + 100);
    assert_true(gtk_widget_get_sensitive(button(&s, "Allow")));
    finish(&s);
}

static void a_click_chooses_and_another_allows(void **state)
{
    struct shown s;

    (void)state;
    prepare(&s);
    s.request.default_target = 3;
    ask(&s, 0);
    run(QUESTION_DEAF_MS + 100);
    assert_false(gtk_widget_get_sensitive(button(&s, "Allow")));
    click(button(&s, "Allow"));
    assert_false(s.answered);
    click_row(&s, 2);
    assert_int_equal(s.q.selected, 2);
    assert_false(s.answered);
    click(button(&s, "Allow"));
    assert_true(s.answered);
    assert_int_equal(s.q.state, QUESTION_ALLOWED);
    assert_int_equal(s.q.selected, 2);
    finish(&s);
}

static void a_click_refuses(void **state)
{
    struct shown s;

    (void)state;
    prepare(&s);
    ask(&s, 0);
    run(QUESTION_DEAF_MS + 100);
    click(button(&s, "Refuse"));
    assert_true(s.answered);
    assert_int_equal(s.q.state, QUESTION_DENIED);
    finish(&s);
}

static void clicks_that_come_too_early_are_nothing(void **state)
{
    struct shown s;

    (void)state;
    prepare(&s);
    ask(&s, 0);
    run(50);
    click(button(&s, "Allow"));
    click(button(&s, "Refuse"));
    click_row(&s, 0);
    assert_false(s.answered);
    assert_int_equal(s.q.selected, 1);
    finish(&s);
}

static void the_list_follows_the_search(void **state)
{
    struct shown s;

    (void)state;
    prepare(&s);
    ask(&s, 0);
    run(50);
    x_focus(x_wait("May this call be made?", 1));
    run(QUESTION_DEAF_MS + 200);
    x_type("disp");
    run(100);
    assert_int_equal(count_rows(&s), 1);
    assert_true(sees(&s, "disp"));
    click_row(&s, 0);
    assert_int_equal(s.q.selected, 2);
    x_key(XK_BackSpace);
    x_type("zz");
    run(100);
    assert_int_equal(count_rows(&s), 0);
    assert_false(gtk_widget_get_sensitive(button(&s, "Allow")));
    finish(&s);
}

static void a_window_of_any_content_fits_the_screen(void **state)
{
    enum { TARGETS = 2000 };
    static char argument[60001] = "+", *many[TARGETS], *none[TARGETS];
    static char longest[3001];
    struct shown s;
    int width, height;

    (void)state;
    prepare(&s);
    memset(argument + 1, 'A', sizeof(argument) - 2);
    memset(longest, 'l', sizeof(longest) - 1);
    for (size_t i = 0; i < TARGETS; i++) {
        many[i] = i % 500 ? (char *)"work-domain" : longest;
        none[i] = (char *)"";
    }
    s.request.argument = argument;
    s.request.source = s.request.service = longest + 2800;
    s.request.targets = many;
    s.request.target_icons = none;
    s.request.n_targets = s.request.default_target = TARGETS;
    s.request.keep = true;
    ask(&s, 9);
    gtk_window_get_size(GTK_WINDOW(window_widget(s.front)), &width, &height);
    assert_true(width <= 1024);
    assert_true(height <= 768);
    assert_true(sees(&s, argument + 1)); /* all of it, and it scrolls */
    run(QUESTION_DEAF_MS + 100);
    click(button(&s, "Refuse"));
    assert_true(s.answered);
    finish(&s);
}

static void takes_no_keyboard(GtkWidget *w, gpointer user)
{
    if (GTK_IS_BUTTON(w) || GTK_IS_TREE_VIEW(w) || GTK_IS_ENTRY(w))
        assert_false(gtk_widget_get_can_focus(w) && gtk_widget_has_focus(w));
    if (GTK_IS_CONTAINER(w))
        gtk_container_forall(GTK_CONTAINER(w), takes_no_keyboard, user);
}

static void nothing_in_it_takes_the_keyboard(void **state)
{
    struct shown s;

    (void)state;
    prepare(&s);
    s.request.keep = true;
    ask(&s, 0);
    assert_false(gtk_window_get_focus_on_map(GTK_WINDOW(window_widget(s.front))));
    x_focus(x_wait("May this call be made?", 1));
    run(100);
    x_key(XK_Tab);
    run(100);
    takes_no_keyboard(window_widget(s.front), NULL);
    finish(&s);
}

static int setup(void **state)
{
    (void)state;
    have_display = x_begin();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    x_end();
    return 0;
}

#else

#define SKIP(name)                                                                                 \
    static void name(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        print_message("built without GTK, or without XTEST\n");                                    \
        skip();                                                                                    \
    }
CASES(SKIP)
#define setup    NULL
#define teardown NULL

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test(name),
        CASES(TEST)};

    return cmocka_run_group_tests(tests, setup, teardown);
}
