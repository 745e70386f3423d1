/*
 * The parts of the window, as they look. None of them takes the keyboard, and none shows a
 * character that is not in its text: a line that is broken gets no hyphen.
 */
#ifndef QREXEC_PROMPT_WIDGETS_H
#define QREXEC_PROMPT_WIDGETS_H

#include <gtk/gtk.h>

GtkWidget *widget_label_new(const char *text);
/* A text of any length: a long one scrolls, so that the rest of the window stays on the screen. */
GtkWidget *widget_text_new(const char *text);
/* least, most: of its height, in pixels. */
GtkWidget *widget_scrolled_new(GtkWidget *child, int least, int most);
/* icon: as in the request. */
GtkWidget *widget_domain_new(const char *icon, const char *name);
/* Rows of a picture and a text; the columns' numbers in the model. */
GtkWidget *widget_list_new(GtkTreeModel *model, int icon_column, int text_column);

GtkGrid *widget_grid_new(void);
/* One more row; name NULL: over the whole width. */
void widget_grid_add(GtkGrid *grid, const char *name, GtkWidget *value);

#endif
