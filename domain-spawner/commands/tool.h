/*
 * What dom0's tools have in common: options that may be mixed with words, the error forms
 * ("PROG: error: TEXT", exit 1; usage, exit 2), naming several domains, tables.
 */
#ifndef QREXEC_COMMANDS_TOOL_H
#define QREXEC_COMMANDS_TOOL_H

#include "domain-spawner/commands/admin-client.h"

#include <getopt.h>

struct tool {
    const char *name;
    const char *usage; /* what follows "usage: NAME " */
    const char *help;  /* one line for each option */
    const char *shorts;
    const struct option *longs;
    /* Takes one option; false: the value is bad and tool_usage() was called. */
    bool (*option)(void *user, int c, const char *value);
};

/* Values of options that every tool has; a tool's own start at TOOL_OWN. */
enum { TOOL_VERSION = 256, TOOL_FORCE_ROOT, TOOL_OWN };
#define TOOL_SHORTS "hvq"
/* clang-format off */
#define TOOL_LONGS                                                                                 \
    {"help", no_argument, NULL, 'h'}, {"verbose", no_argument, NULL, 'v'},                         \
    {"quiet", no_argument, NULL, 'q'}, {"version", no_argument, NULL, TOOL_VERSION},               \
    {"force-root", no_argument, NULL, TOOL_FORCE_ROOT}
/* clang-format on */

extern int tool_quiet;

/*
 * Opens 0 to 2, finds the instance, reads the options. Negative: go on, words start at optind;
 * else the exit code to end with.
 */
int tool_start(const struct tool *t, int argc, char **argv, void *user);
/* Reads on at optind, as tool_start() did: for options that stand behind a word. */
int tool_options(const struct tool *t, int argc, char **argv, void *user);
/* Usage line and "PROG: error: TEXT"; returns 2. */
int tool_usage(const struct tool *t, const char *fmt, ...) _printf_(2, 3);
/* "PROG: error: TEXT"; returns 1. */
int tool_error(const char *fmt, ...) _printf_(1, 2);
/* A call that failed: shows why; 2 for an unknown domain, else 1. */
int tool_failed(const struct tool *t, const char *domain, const struct admin_reply *r);

struct domain_line {
    char *name, *klass, *state, *uuid;
};

struct domain_list {
    struct domain_line *items;
    size_t n;
};

#define DOMAIN_LIST_NULL ((struct domain_list){0})
void domain_list_deinit(struct domain_list *l);
/* All domains, dom0 first; on failure *r says why. */
int domain_list_get(struct domain_list *ret, struct admin_reply *r);

/*
 * The domains that words (with shell patterns) or --all less exclude name, without dom0 for --all
 * unless with_dom0. Negative: fine; else the exit code, the user was told.
 */
struct selection {
    bool all, with_dom0;
    const char *exclude[64];
    size_t n_exclude;
};
/* False: there is no room for another, and the user was told. */
bool tool_exclude(struct selection *s, const char *name);
int tool_select(const struct tool *t, const struct selection *s, char **words, int n,
                struct domain_list *ret);

/* Rows of text, columns padded, two blanks between. Owns its cells. */
struct table {
    size_t columns, cells, size;
    char **cell;
};
#define TABLE_NULL(cols) ((struct table){.columns = (cols)})
void table_deinit(struct table *t);
int table_add(struct table *t, const char *text);
/* Prints and returns 0, or 1 where stdout could not be written. */
int table_print(const struct table *t, const char *separator);

/* "default=True type=str VALUE" of a Get, taken apart in place. 0 or -EBADMSG. */
struct property_value {
    bool is_default;
    const char *type, *value;
};
int property_parse(char *text, struct property_value *ret);
/* Undoes \\ and \n of a GetAll line, in place. */
void property_unescape(char *text);

/* The next line of *text, cut at its newline; NULL at the end. */
char *next_line(char **text);

#endif
