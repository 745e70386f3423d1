/* The window's parts: see widgets.h. */
#include "policy-engine/prompt/widgets.h"

#include "policy-engine/prompt/icon.h"

#define NAME_WIDTH  400 /* pixels */
#define TEXT_WIDTH  60  /* characters */
#define TEXT_SHORT  240 /* characters that need no scrolling */
#define TEXT_HEIGHT 120

static PangoAttrList *no_hyphens(void)
{
    PangoAttrList *list = pango_attr_list_new();

    pango_attr_list_insert(list, pango_attr_insert_hyphens_new(FALSE));
    return list;
}

GtkWidget *widget_label_new(const char *text)
{
    GtkWidget *l = gtk_label_new(text);
    PangoAttrList *attributes = no_hyphens();

    gtk_label_set_attributes(GTK_LABEL(l), attributes);
    pango_attr_list_unref(attributes);
    gtk_label_set_xalign(GTK_LABEL(l), 0);
    gtk_label_set_line_wrap(GTK_LABEL(l), TRUE);
    gtk_label_set_line_wrap_mode(GTK_LABEL(l), PANGO_WRAP_CHAR);
    gtk_label_set_max_width_chars(GTK_LABEL(l), TEXT_WIDTH);
    return l;
}

GtkWidget *widget_scrolled_new(GtkWidget *child, int least, int most)
{
    GtkWidget *s = gtk_scrolled_window_new(NULL, NULL);

    gtk_scrolled_window_set_policy(GTK_SCROLLED_WINDOW(s), GTK_POLICY_NEVER, GTK_POLICY_AUTOMATIC);
    gtk_scrolled_window_set_propagate_natural_height(GTK_SCROLLED_WINDOW(s), TRUE);
    gtk_scrolled_window_set_max_content_height(GTK_SCROLLED_WINDOW(s), most);
    gtk_scrolled_window_set_min_content_height(GTK_SCROLLED_WINDOW(s), least);
    gtk_scrolled_window_set_overlay_scrolling(GTK_SCROLLED_WINDOW(s), FALSE);
    gtk_scrolled_window_set_shadow_type(GTK_SCROLLED_WINDOW(s), GTK_SHADOW_IN);
    gtk_container_add(GTK_CONTAINER(s), child);
    return s;
}

GtkWidget *widget_text_new(const char *text)
{
    GtkWidget *l = widget_label_new(text);

    if (g_utf8_strlen(text, -1) <= TEXT_SHORT)
        return l;
    return widget_scrolled_new(l, TEXT_HEIGHT, TEXT_HEIGHT);
}

GtkWidget *widget_domain_new(const char *icon, const char *name)
{
    GtkWidget *box = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6);
    GdkPixbuf *picture = icon_new(icon);

    gtk_container_add(GTK_CONTAINER(box), gtk_image_new_from_pixbuf(picture));
    gtk_container_add(GTK_CONTAINER(box), widget_label_new(name));
    g_object_unref(picture);
    return box;
}

GtkWidget *widget_list_new(GtkTreeModel *model, int icon_column, int text_column)
{
    GtkWidget *view = gtk_tree_view_new_with_model(model);
    GtkTreeViewColumn *column = gtk_tree_view_column_new();
    GtkCellRenderer *icon = gtk_cell_renderer_pixbuf_new(), *text = gtk_cell_renderer_text_new();
    PangoAttrList *attributes = no_hyphens();

    g_object_set(text, "wrap-mode", PANGO_WRAP_CHAR, "wrap-width", NAME_WIDTH, "attributes",
                 attributes, NULL);
    pango_attr_list_unref(attributes);
    gtk_tree_view_column_pack_start(column, icon, FALSE);
    gtk_tree_view_column_pack_start(column, text, TRUE);
    gtk_tree_view_column_add_attribute(column, icon, "pixbuf", icon_column);
    gtk_tree_view_column_add_attribute(column, text, "text", text_column);
    gtk_tree_view_append_column(GTK_TREE_VIEW(view), column);
    gtk_tree_view_set_headers_visible(GTK_TREE_VIEW(view), FALSE);
    gtk_tree_view_set_enable_search(GTK_TREE_VIEW(view), FALSE);
    gtk_widget_set_can_focus(view, FALSE);
    return view;
}

GtkGrid *widget_grid_new(void)
{
    GtkGrid *grid = GTK_GRID(gtk_grid_new());

    gtk_grid_set_row_spacing(grid, 8);
    gtk_grid_set_column_spacing(grid, 12);
    gtk_container_set_border_width(GTK_CONTAINER(grid), 16);
    return grid;
}

void widget_grid_add(GtkGrid *grid, const char *name, GtkWidget *value)
{
    GtkWidget *l;

    if (!name) {
        gtk_grid_attach_next_to(grid, value, NULL, GTK_POS_BOTTOM, 2, 1);
        return;
    }
    l = gtk_label_new(name);
    gtk_label_set_xalign(GTK_LABEL(l), 0);
    gtk_widget_set_valign(l, GTK_ALIGN_START);
    gtk_widget_set_hexpand(value, TRUE);
    gtk_grid_attach_next_to(grid, l, NULL, GTK_POS_BOTTOM, 1, 1);
    gtk_grid_attach_next_to(grid, value, l, GTK_POS_RIGHT, 1, 1);
}
