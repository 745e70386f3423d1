/*
 * The icon of a domain: the theme's of that name, or a square in the colour of its label.
 */
#ifndef QREXEC_PROMPT_ICON_H
#define QREXEC_PROMPT_ICON_H

#include <gtk/gtk.h>

#define ICON_SIZE 16

/* name: as in the request, e.g. "appvm-red"; the label is its last word. The caller unrefs; never
 * NULL for a name without colour either: an empty picture. */
GdkPixbuf *icon_new(const char *name);

#endif
