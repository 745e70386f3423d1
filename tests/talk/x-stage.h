/*
 * A display of its own (Xvfb) and a user in front of it, whose keys and clicks the server takes for
 * real ones (XTEST).
 */
#ifndef QREXEC_TESTS_TALK_X_STAGE_H
#define QREXEC_TESTS_TALK_X_STAGE_H

#include "tests/unit/test.h"

#include <X11/Xlib.h>
#include <X11/keysym.h>

/* Once for a program; false: there is no Xvfb. Sets the environment for GTK. */
bool x_begin(void);
void x_end(void);
Display *x_display(void);

/* The windows with that name that can be seen: how many; *ret the last one. */
size_t x_count(const char *name, Window *ret);
/* Waits until that many are there. */
Window x_wait(const char *name, size_t n);
void x_focus(Window w);
Window x_focused(void);

void x_press(KeySym key);
void x_release(KeySym key);
void x_key(KeySym key); /* both */
void x_type(const char *text);
/* A click at that place of the screen. */
void x_click(int x, int y);
/* A key as another program sends it to the window, past the server's keyboard. */
void x_send_key(Window w, KeySym key);

#endif
