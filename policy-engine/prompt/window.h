/* The window's widgets, for its test: see front.h for the rest. */
#ifndef QREXEC_PROMPT_WINDOW_H
#define QREXEC_PROMPT_WINDOW_H

#include "policy-engine/prompt/front.h"

#include <gtk/gtk.h>

/* The window of the question that stands; NULL: none. It stays the front's. */
GtkWidget *window_widget(const struct front *f);

#endif
