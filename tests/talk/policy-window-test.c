/* qrexec-policy-agent with its window on a display of its own: what keys do, and when. */
#define CASES(X)                                                                                   \
    X(return_allows_what_the_policy_proposes)                                                      \
    X(return_allows_nothing_where_nothing_is_chosen)                                               \
    X(escape_refuses)                                                                              \
    X(a_name_is_searched_for_and_chosen)                                                           \
    X(what_is_typed_too_early_is_nothing)                                                          \
    X(a_key_held_since_before_answers_nothing)                                                     \
    X(getting_the_keyboard_makes_it_deaf_again)                                                    \
    X(it_does_not_take_the_keyboard)                                                               \
    X(keys_that_another_program_sends_are_nothing)                                                 \
    X(no_key_reaches_a_button)                                                                     \
    X(a_flood_gives_one_window)                                                                    \
    X(a_request_that_is_given_up_closes_the_window)                                                \
    X(the_windows_close_button_refuses)                                                            \
    X(nothing_is_shown_while_the_screen_is_locked)                                                 \
    X(keys_choose_how_long_it_is_kept)                                                             \
    X(notices_are_notifications_one_a_minute)                                                      \
    X(hostile_names_are_no_trouble)

#include "tests/talk/desktop-stage.h"

#if defined(HAVE_GTK) && defined(HAVE_XTEST)

#include "libqrexec/base/spawn.h"
#include "tests/talk/x-stage.h"

#include <X11/Xatom.h>
#include <poll.h>
#include <signal.h>

#define NAME "May this call be made?"
#define KEEP ASK_WITH("mail", "work", ",\"keep\":true")

struct user {
    struct stage s;
    pid_t agent;
};

static bool have_display;

static void begin_agent(struct user *u)
{
    _cleanup_(freep) char *path = stage_path(&u->s, SOCKET);

    u->agent = prompt_start(&u->s, (const char *const[]){"-s", path, NULL}, -1);
    expect_there(&u->s, SOCKET);
}

static void prepare(struct user *u)
{
    if (!have_display) {
        print_message("there is no Xvfb\n");
        skip();
    }
    prompt_prepare(&u->s);
}

static void begin(struct user *u)
{
    prepare(u);
    begin_agent(u);
}

static void end(struct user *u)
{
    prompt_end(&u->s, u->agent);
}

/* The window stands, has the keyboard, and its keys count. */
static int question(struct user *u, const char *text)
{
    int fd = prompt_request(&u->s, text);

    x_focus(x_wait(NAME, 1));
    (void)poll(NULL, 0, DEAF_MS);
    return fd;
}

static void return_allows_what_the_policy_proposes(void **state)
{
    struct user u;
    int fd;

    (void)state;
    begin(&u);
    fd = question(&u, ASK("mail", "work"));
    x_key(XK_Return);
    expect_text(fd, "allow:work");
    x_wait(NAME, 0);
    end(&u);
}

static void return_allows_nothing_where_nothing_is_chosen(void **state)
{
    struct user u;
    int fd;

    (void)state;
    begin(&u);
    fd = question(&u, ASK("mail", ""));
    x_key(XK_Return);
    x_key(XK_KP_Enter);
    x_key(XK_space);
    x_key(XK_Return);
    expect_silence(fd);
    x_key(XK_BackSpace);
    x_key(XK_Down);
    x_key(XK_Return);
    expect_text(fd, "allow:vault");
    end(&u);
}

static void escape_refuses(void **state)
{
    struct user u;
    int fd;

    (void)state;
    begin(&u);
    fd = question(&u, ASK("mail", "work"));
    x_key(XK_Escape);
    expect_text(fd, "deny");
    x_wait(NAME, 0);
    end(&u);
}

static void a_name_is_searched_for_and_chosen(void **state)
{
    struct user u;
    int fd;

    (void)state;
    begin(&u);
    fd = question(&u, ASK("mail", "vault"));
    x_type("ork");
    x_key(XK_Return); /* typing chooses nothing */
    expect_silence(fd);
    x_key(XK_Down);
    x_key(XK_Return);
    expect_text(fd, "allow:work");
    end(&u);
}

static void what_is_typed_too_early_is_nothing(void **state)
{
    struct user u;
    uint64_t until;
    int fd;

    (void)state;
    begin(&u);
    fd = prompt_request(&u.s, ASK("mail", "work"));
    x_focus(x_wait(NAME, 1));
    until = clock_ms() + 400;
    while (clock_ms() < until) {
        x_key(XK_Return);
        x_key(XK_Escape);
        x_type("v");
        (void)poll(NULL, 0, 10);
    }
    expect_silence(fd);
    (void)poll(NULL, 0, DEAF_MS);
    x_key(XK_Return); /* nothing was searched for either */
    expect_text(fd, "allow:work");
    end(&u);
}

/* The server itself repeats it, at its own pace, before and after the time is over. */
static void a_key_held_since_before_answers_nothing(void **state)
{
    static const KeySym keys[] = {XK_Return, XK_Escape};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        struct user u;
        int fd;

        begin(&u);
        x_press(keys[i]);
        fd = prompt_request(&u.s, ASK("mail", "work"));
        x_focus(x_wait(NAME, 1));
        (void)poll(NULL, 0, 2000);
        x_release(keys[i]);
        expect_silence(fd);
        x_key(XK_Return);
        expect_text(fd, "allow:work");
        end(&u);
    }
}

static void getting_the_keyboard_makes_it_deaf_again(void **state)
{
    struct user u;
    Window w;
    int fd;

    (void)state;
    begin(&u);
    fd = question(&u, ASK("mail", "work"));
    w = x_wait(NAME, 1);
    x_focus(DefaultRootWindow(x_display()));
    (void)poll(NULL, 0, DEAF_MS);
    x_focus(w);
    (void)poll(NULL, 0, 100);
    x_key(XK_Return);
    x_key(XK_Escape);
    expect_silence(fd);
    (void)poll(NULL, 0, DEAF_MS);
    x_key(XK_Return);
    expect_text(fd, "allow:work");
    end(&u);
}

/* Neither by itself, nor does it ask a window manager for it: no time of the user's brought it. */
static void it_does_not_take_the_keyboard(void **state)
{
    Window other;
    struct user u;
    unsigned char *time = NULL;
    unsigned long n = 0, after;
    Atom type;
    int fd, bits;

    (void)state;
    begin(&u);
    other = XCreateSimpleWindow(x_display(), DefaultRootWindow(x_display()), 0, 0, 50, 50, 0, 0, 0);
    XMapWindow(x_display(), other);
    XSync(x_display(), False);
    x_focus(other);
    fd = prompt_request(&u.s, ASK("mail", "work"));
    XGetWindowProperty(x_display(), x_wait(NAME, 1),
                       XInternAtom(x_display(), "_NET_WM_USER_TIME", False), 0, 1, False,
                       XA_CARDINAL, &type, &bits, &n, &after, &time);
    assert_int_equal(n, 1);
    assert_int_equal(*(unsigned long *)(void *)time, 0);
    XFree(time);
    (void)poll(NULL, 0, DEAF_MS);
    assert_int_equal(x_focused(), other);
    x_key(XK_Return);
    expect_silence(fd);
    close(fd);
    XDestroyWindow(x_display(), other);
    end(&u);
}

static void keys_that_another_program_sends_are_nothing(void **state)
{
    struct user u;
    int fd;

    (void)state;
    begin(&u);
    fd = question(&u, ASK("mail", "work"));
    x_send_key(x_wait(NAME, 1), XK_v); /* a search, which would take the proposal away */
    x_send_key(x_wait(NAME, 1), XK_Return);
    x_send_key(x_wait(NAME, 1), XK_Escape);
    expect_silence(fd);
    x_key(XK_Return);
    expect_text(fd, "allow:work");
    end(&u);
}

static void no_key_reaches_a_button(void **state)
{
    static const KeySym keys[] = {XK_Tab, XK_Left, XK_Right, XK_F10, XK_Home, XK_Menu, XK_space};
    struct user u;
    int fd;

    (void)state;
    begin(&u);
    fd = question(&u, ASK("mail", ""));
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        x_key(keys[i]);
        x_key(XK_space);
        x_key(XK_Return);
    }
    x_press(XK_Alt_L);
    x_key(XK_a);
    x_release(XK_Alt_L);
    expect_silence(fd);
    x_key(XK_Escape);
    expect_text(fd, "deny");
    end(&u);
}

static void a_flood_gives_one_window(void **state)
{
    struct user u;
    int fds[30];
    Window w;
    size_t refused = 0;

    (void)state;
    begin(&u);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        fds[i] = prompt_request(&u.s, ASK("flood", "work"));
    w = x_wait(NAME, 1);
    (void)poll(NULL, 0, 300);
    assert_int_equal(x_count(NAME, &w), 1);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        struct pollfd p = {.fd = fds[i], .events = POLLIN};

        refused += poll(&p, 1, 0) == 1;
    }
    assert_int_equal(refused, ARRAY_SIZE(fds) - 8);
    x_focus(w);
    (void)poll(NULL, 0, DEAF_MS);
    for (int i = 0; i < 20; i++) /* the first one is answered, what follows comes too early */
        x_key(XK_Return);
    expect_text(fds[0], "allow:work");
    expect_silence(fds[1]);
    x_wait(NAME, 1);
    for (size_t i = 1; i < ARRAY_SIZE(fds); i++)
        close(fds[i]);
    x_wait(NAME, 0);
    end(&u);
}

static void a_request_that_is_given_up_closes_the_window(void **state)
{
    struct user u;
    int fd;

    (void)state;
    begin(&u);
    fd = question(&u, ASK("mail", "work"));
    close(fd);
    x_wait(NAME, 0);
    fd = question(&u, ASK("mail", "vault"));
    x_key(XK_Return);
    expect_text(fd, "allow:vault");
    end(&u);
}

/* What a window manager says when the user closes a window; not within its deaf time either. */
static void ask_to_close(Window w)
{
    XClientMessageEvent e = {.type = ClientMessage,
                             .window = w,
                             .message_type = XInternAtom(x_display(), "WM_PROTOCOLS", False),
                             .format = 32};

    e.data.l[0] = (long)XInternAtom(x_display(), "WM_DELETE_WINDOW", False);
    XSendEvent(x_display(), w, False, NoEventMask, (XEvent *)&e);
    XSync(x_display(), False);
}

static void the_windows_close_button_refuses(void **state)
{
    struct user u;
    int fd;

    (void)state;
    begin(&u);
    fd = prompt_request(&u.s, ASK("mail", "work"));
    ask_to_close(x_wait(NAME, 1));
    expect_silence(fd);
    (void)poll(NULL, 0, DEAF_MS);
    ask_to_close(x_wait(NAME, 1));
    expect_text(fd, "deny");
    end(&u);
}

static void nothing_is_shown_while_the_screen_is_locked(void **state)
{
    struct user u;
    struct desktop *d;
    Window w;
    int fd;

    (void)state;
    prepare(&u);
    d = desktop_begin(&u.s, true);
    begin_agent(&u);
    fd = prompt_request(&u.s, ASK("mail", "work"));
    (void)poll(NULL, 0, 300);
    assert_int_equal(x_count(NAME, &w), 0);
    desktop_lock(d, false);
    x_wait(NAME, 1);
    desktop_lock(d, true);
    x_wait(NAME, 0);
    desktop_lock(d, false);
    x_focus(x_wait(NAME, 1));
    x_key(XK_Return); /* deaf again */
    (void)poll(NULL, 0, DEAF_MS);
    expect_silence(fd);
    x_key(XK_Return);
    expect_text(fd, "allow:work");
    desktop_end(d);
    end(&u);
}

static void keys_choose_how_long_it_is_kept(void **state)
{
    static const struct {
        size_t rights;
        const char *answer;
    } cases[] = {{0, "allow:work"},
                 {1, "allow:work\nkeep=session\n"},
                 {2, "allow:work\nkeep=3600\n"},
                 {3, "allow:work\nkeep=28800\n"},
                 {9, "allow:work\nkeep=86400\n"}};
    struct user u;
    int fd;

    (void)state;
    begin(&u);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        fd = question(&u, KEEP);
        for (size_t k = 0; k < cases[i].rights; k++)
            x_key(XK_Right);
        x_key(XK_Return);
        expect_text(fd, cases[i].answer);
        x_wait(NAME, 0);
    }
    fd = question(&u, ASK("mail", "work"));
    x_key(XK_Right);
    x_key(XK_Return);
    expect_text(fd, "allow:work");
    end(&u);
}

static void notices_are_notifications_one_a_minute(void **state)
{
    struct user u;
    struct desktop *d;

    (void)state;
    prepare(&u);
    d = desktop_begin(&u.s, false);
    begin_agent(&u);
    (void)poll(NULL, 0, 300); /* it has found the bus */
    for (int i = 0; i < 20; i++)
        expect_text(prompt_request(&u.s, NOTIFY), "");
    expect_notification(d, "denied: a.B+: mail -&gt; work");
    expect_no_notification(d);
    expect_text(prompt_request(&u.s, NOTIFY_OF("other")), "");
    expect_notification(d, "denied: a.B+: other -&gt; work");
    desktop_end(d);
    end(&u);
}

static void hostile_names_are_no_trouble(void **state)
{
    struct user u;
    int fd;

    (void)state;
    begin(&u);
    fd = question(&u, "policy.Ask dom0%c{\"source\":\"mail\",\"service\":\"a.B\","
                      "\"argument\":\"+<b>\\u202e&\\u200b\\n\\u001b\",\"targets\":[\"<i>&amp\","
                      "\"\\u202e\\ud83d\\ude00\"],\"default_target\":\"\"," ICONS "}");
    x_key(XK_Up);
    x_key(XK_Return);
    expect_text(fd, "allow:\342\200\256\360\237\230\200");
    expect_text(prompt_request(&u.s, "policy.Ask dom0%c{\"source\":\"ma\\nil\",\"service\":\"a\","
                                     "\"argument\":\"+\",\"targets\":[\"a\"],\"default_target\":"
                                     "\"\"," ICONS "}"),
                "");
    end(&u);
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
