/* qubes-policy: policy files listed, shown, replaced, removed, by way of the policy.* services. */
#include "libqrexec/base/io.h"
#include "libqrexec/base/log.h"
#include "rpc-services/dom0/admin-log.h"
#include "rpc-services/dom0/policy-client.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>

static int usage(FILE *f, int code)
{
    fprintf(f, "usage: qubes-policy [-l] [include/]\n"
               "       qubes-policy -g|-r|-d [include/]NAME\n"
               "  -l, --list     names of the policy files (default)\n"
               "  -g, --get      print a file\n"
               "  -r, --replace  put what stdin says in its place\n"
               "  -d, --remove   remove it\n");
    return code;
}

/* One of l, g, r, d; 'h'; 0: bad usage. */
static int parse_options(int argc, char **argv)
{
    static const struct option longs[] = {{"list", no_argument, NULL, 'l'},
                                          {"get", no_argument, NULL, 'g'},
                                          {"replace", no_argument, NULL, 'r'},
                                          {"remove", no_argument, NULL, 'd'},
                                          {"delete", no_argument, NULL, 'd'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    int mode = 0, o;

    while ((o = getopt_long(argc, argv, "lgrdh", longs, NULL)) != -1) {
        if (o == 'h')
            return o;
        if (o == '?' || (mode && mode != o))
            return 0;
        mode = o;
    }
    return argc - optind > 1 ? 0 : mode ? mode : 'l';
}

static int print(const char *text, size_t n)
{
    int r = write_full(STDOUT_FILENO, text, n);

    if (r)
        log_error("cannot print: %s", strerror(-r));
    return r ? 1 : 0;
}

/* All of stdin, then the change. */
static int replace(const struct policy_name *name, char why[static ADMIN_TEXT_MAX])
{
    _cleanup_(freep) char *content = NULL;
    size_t n = 0;
    int r = admin_read_payload(STDIN_FILENO, ADMIN_CONTENT_MAX, &content, &n);

    if (r)
        return admin_fail(why, r, "cannot read the new text from stdin: %s", strerror(-r));
    return policy_call("Replace", name, "any", content, n, NULL, NULL, why);
}

static int run(int mode, const struct policy_name *name)
{
    _cleanup_(freep) char *out = NULL;
    char why[ADMIN_TEXT_MAX] = "";
    const char *text;
    size_t n = 0;
    int r;

    if (mode == 'r')
        r = replace(name, why);
    else if (mode == 'd')
        r = policy_call("Remove", name, "any", NULL, 0, NULL, NULL, why);
    else
        r = policy_call(mode == 'g' ? "Get" : "List", name, NULL, NULL, 0, &out, &n, why);
    if (r) {
        log_error("%s", why);
        return 1;
    }
    text = out;
    if (mode == 'g') {
        const char *end = memchr(out, '\n', n); /* of the token */

        text = end ? end + 1 : out + n;
        n -= (size_t)(text - out);
    }
    return n ? print(text, n) : 0;
}

int main(int argc, char **argv)
{
    struct policy_name name = {0};
    int mode;

    if (process_begin())
        return 1;
    signal(SIGPIPE, SIG_IGN);
    log_open("qubes-policy", LOG_TARGET_STDERR);
    if (paths_init(NULL, PATHS_TOOL)) {
        log_error("QREXEC_ROOT is no absolute path");
        return 1;
    }
    mode = parse_options(argc, argv);
    if (mode == 'h')
        return usage(stdout, 0);
    if (!mode || (optind < argc && !policy_name_parse(argv[optind], &name)) ||
        (mode == 'l') != !*name.name)
        return usage(stderr, 2);
    return run(mode, &name);
}
