/* Xvfb and its user: see x-stage.h. */
#include "tests/talk/x-stage.h"

#include "libqrexec/base/spawn.h"

#include <X11/extensions/XTest.h>
#include <poll.h>
#include <signal.h>

#define WAIT_MS 10000

static pid_t server;
static Display *display;

/* A window may go at any moment. */
static int on_error(Display *d, XErrorEvent *e)
{
    (void)d;
    (void)e;
    return 0;
}

bool x_begin(void)
{
    char *argv[] = {(char *)"/bin/sh", (char *)"-c",
                    (char *)"command -v Xvfb >/dev/null || exit 127\n"
                            "exec Xvfb -displayfd 3 -screen 0 1024x768x24 -nolisten tcp",
                    NULL};
    char number[16] = "", name[20];
    int out[2];

    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(spawn_process(&(struct spawn){.path = argv[0],
                                                   .argv = argv,
                                                   .fds = (int[]){-1, -1, -1, out[1]},
                                                   .n_fds = 4,
                                                   .parent_death_signal = SIGKILL},
                                   &server, NULL),
                     0);
    close(out[1]);
    for (size_t n = 0; n < sizeof(number) - 1 && !strchr(number, '\n');) {
        ssize_t got = read(out[0], number + n, sizeof(number) - 1 - n);

        if (got <= 0)
            break;
        n += (size_t)got;
    }
    close(out[0]);
    if (!strchr(number, '\n')) {
        (void)spawn_wait(server);
        return false;
    }
    *strchr(number, '\n') = 0;
    assert_int_equal(format(name, sizeof(name), ":%s", number), 0);
    setenv("DISPLAY", name, 1);
    setenv("GDK_BACKEND", "x11", 1);
    setenv("NO_AT_BRIDGE", "1", 1);
    setenv("GTK_THEME", "Adwaita", 1);
    XSetErrorHandler(on_error);
    display = XOpenDisplay(name);
    assert_non_null(display);
    XTestFakeMotionEvent(display, -1, 1, 1, 0); /* a window under it has the keyboard, too */
    XSync(display, False);
    return true;
}

void x_end(void)
{
    if (!display)
        return;
    XCloseDisplay(display);
    display = NULL;
    kill(server, SIGTERM);
    (void)spawn_wait(server);
}

Display *x_display(void)
{
    return display;
}

static bool is_seen(Window w, const char *name)
{
    XWindowAttributes a;
    char *got = NULL;
    bool seen = XGetWindowAttributes(display, w, &a) && a.map_state == IsViewable &&
                XFetchName(display, w, &got) && got && str_equal(got, name);

    if (got)
        XFree(got);
    return seen;
}

size_t x_count(const char *name, Window *ret)
{
    Window root, parent, *children = NULL;
    unsigned n = 0;
    size_t seen = 0;

    if (!XQueryTree(display, DefaultRootWindow(display), &root, &parent, &children, &n))
        return 0;
    for (unsigned i = 0; i < n; i++) {
        if (!is_seen(children[i], name))
            continue;
        seen++;
        *ret = children[i];
    }
    if (children)
        XFree(children);
    return seen;
}

Window x_wait(const char *name, size_t n)
{
    uint64_t deadline = clock_ms() + WAIT_MS;
    Window w = None;

    while (x_count(name, &w) != n) {
        if (clock_ms() > deadline)
            fail_msg("not %zu windows named \"%s\"", n, name);
        (void)poll(NULL, 0, 20);
    }
    return w;
}

void x_focus(Window w)
{
    XSetInputFocus(display, w, RevertToPointerRoot, CurrentTime);
    XSync(display, False);
}

Window x_focused(void)
{
    Window w;
    int revert;

    XGetInputFocus(display, &w, &revert);
    return w;
}

static void fake(KeySym key, Bool down)
{
    XTestFakeKeyEvent(display, XKeysymToKeycode(display, key), down, 0);
    XSync(display, False);
}

void x_press(KeySym key)
{
    fake(key, True);
}

void x_release(KeySym key)
{
    fake(key, False);
}

void x_key(KeySym key)
{
    x_press(key);
    x_release(key);
}

void x_type(const char *text)
{
    for (; *text; text++)
        x_key((KeySym)(unsigned char)*text);
}

void x_click(int x, int y)
{
    XTestFakeMotionEvent(display, -1, x, y, 0);
    XTestFakeButtonEvent(display, 1, True, 0);
    XTestFakeButtonEvent(display, 1, False, 0);
    XSync(display, False);
}

void x_send_key(Window w, KeySym key)
{
    XKeyEvent e = {.display = display,
                   .window = w,
                   .root = DefaultRootWindow(display),
                   .same_screen = True,
                   .keycode = XKeysymToKeycode(display, key)};

    e.type = KeyPress;
    XSendEvent(display, w, False, NoEventMask, (XEvent *)&e); /* to whose window it is */
    e.type = KeyRelease;
    XSendEvent(display, w, False, NoEventMask, (XEvent *)&e);
    XSync(display, False);
}
