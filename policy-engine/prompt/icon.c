/* Icons by label: see icon.h. */
#include "policy-engine/prompt/icon.h"

#include "libqrexec/base/util.h"

/* The labels that every system has, in their usual colours. */
static const struct {
    const char *label;
    guint32 colour; /* RGBA */
} labels[] = {
    {"red", 0xcc0000ff},   {"orange", 0xf57900ff}, {"yellow", 0xedd400ff},
    {"green", 0x73d216ff}, {"gray", 0x555753ff},   {"grey", 0x555753ff},
    {"blue", 0x3465a4ff},  {"purple", 0x75507bff}, {"black", 0x000000ff},
};

static guint32 colour_of(const char *name)
{
    const char *dash = strrchr(name, '-'), *label = dash ? dash + 1 : name;

    for (size_t i = 0; i < ARRAY_SIZE(labels); i++)
        if (str_equal(labels[i].label, label))
            return labels[i].colour;
    return 0;
}

GdkPixbuf *icon_new(const char *name)
{
    GtkIconTheme *theme = gtk_icon_theme_get_default();
    GdkPixbuf *icon = NULL;

    if (*name && gtk_icon_theme_has_icon(theme, name))
        icon = gtk_icon_theme_load_icon(theme, name, ICON_SIZE, GTK_ICON_LOOKUP_FORCE_SIZE, NULL);
    if (!icon) {
        icon = gdk_pixbuf_new(GDK_COLORSPACE_RGB, TRUE, 8, ICON_SIZE, ICON_SIZE);
        gdk_pixbuf_fill(icon, colour_of(name));
    }
    return icon;
}
