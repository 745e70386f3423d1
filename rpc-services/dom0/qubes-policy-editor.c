/* qubes-policy-editor: edits a policy file, and installs it only if the policy loads with it. */
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "rpc-services/dom0/policy-edit.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>

static int usage(FILE *f, int code)
{
    fprintf(f, "usage: qubes-policy-editor [[include/]FILE]\n"
               "FILE is 30-user where none is given; the editor is $VISUAL, $EDITOR or vi.\n");
    return code;
}

/* True: edit again. Anything that is no answer is asked again, the end of input is "quit". */
static bool ask_again(void)
{
    char line[256];

    for (;;) {
        fputs("(e)dit again or (q)uit? ", stdout);
        (void)fflush(stdout);
        if (!fgets(line, sizeof(line), stdin))
            return false;
        if (line[0] == 'e' || line[0] == 'E')
            return true;
        if (line[0] == 'q' || line[0] == 'Q')
            return false;
    }
}

enum outcome { OUTCOME_DONE, OUTCOME_AGAIN, OUTCOME_LOST };

static enum outcome edit_once(struct policy_edit *e)
{
    int r;

    if (policy_edit_run_editor(e) || policy_edit_read(e))
        return OUTCOME_LOST;
    if (!policy_edit_is_changed(e)) {
        puts("Nothing was changed.");
        return OUTCOME_DONE;
    }
    if (!policy_edit_lint(e))
        return OUTCOME_AGAIN;
    r = policy_edit_install(e);
    return !r ? OUTCOME_DONE : r == ADMIN_E_TOKEN ? OUTCOME_LOST : OUTCOME_AGAIN;
}

static int edit(const struct policy_name *name)
{
    struct policy_edit e = {0};
    enum outcome outcome;
    bool keep;

    if (policy_edit_init(&e, name))
        return 1;
    do
        outcome = edit_once(&e);
    while (outcome == OUTCOME_AGAIN && ask_again());
    /* an editor that failed may have written something all the same */
    keep = outcome != OUTCOME_DONE && (policy_edit_read(&e) || policy_edit_is_changed(&e));
    policy_edit_deinit(&e, keep);
    return outcome == OUTCOME_DONE ? 0 : 1;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {{"help", no_argument, NULL, 'h'}, {0}};
    struct policy_name name = {.name = "30-user"};
    int o;

    if (process_begin())
        return 1;
    signal(SIGPIPE, SIG_IGN);
    log_open("qubes-policy-editor", LOG_TARGET_STDERR);
    if (paths_init(NULL, PATHS_TOOL)) {
        log_error("QREXEC_ROOT is no absolute path");
        return 1;
    }
    while ((o = getopt_long(argc, argv, "h", longs, NULL)) != -1)
        return o == 'h' ? usage(stdout, 0) : usage(stderr, 2);
    if (argc - optind > 1 || (optind < argc && !policy_name_parse(argv[optind], &name)) ||
        !*name.name)
        return usage(stderr, 2);
    return edit(&name);
}
