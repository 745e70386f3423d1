/* qrexec-policy log: the decisions that were made, and whether their record is whole. */
#include "libqrexec/base/log.h"
#include "policy-engine/log-read.h"
#include "policy-engine/policy-cli.h"

#include <getopt.h>
#include <inttypes.h>

struct options {
    struct log_filter filter;
    const char *path;
    bool verify, json;
};

static int usage(int code)
{
    fprintf(code ? stderr : stdout,
            "usage: qrexec-policy log [--source S] [--target T] [--service N[+ARG]]\n"
            "    [--verdict allow|deny] [--since TIME|5m|2h|1d] [--call ID] [--json] [--verify] "
            "[FILE|-]\n");
    return code;
}

/* 0; else the exit code plus one. */
static int read_options(int argc, char **argv, struct options *o)
{
    static const struct option longs[] = {
        {"source", required_argument, NULL, 's'},  {"target", required_argument, NULL, 't'},
        {"service", required_argument, NULL, 'n'}, {"verdict", required_argument, NULL, 'v'},
        {"since", required_argument, NULL, 'S'},   {"call", required_argument, NULL, 'c'},
        {"json", no_argument, NULL, 'j'},          {"verify", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},          {0}};
    bool ok = true;
    int c;

    while (ok && (c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        switch (c) {
        case 's': o->filter.source = optarg; break;
        case 't': o->filter.target = optarg; break;
        case 'n': o->filter.service = optarg; break;
        case 'v':
            o->filter.verdict = optarg;
            ok = str_equal(optarg, "allow") || str_equal(optarg, "deny");
            break;
        case 'S': ok = log_parse_since(optarg, o->filter.since); break;
        case 'c': o->filter.call_id = optarg; break;
        case 'j': o->json = true; break;
        case 'V': o->verify = true; break;
        case 'h': return 1 + usage(0);
        default: ok = false;
        }
    }
    if (!ok || argc - optind > 1)
        return 1 + usage(2);
    o->path = argv[optind];
    return 0;
}

/* Bytes that could steer a terminal are shown as ?. */
static void put(const char *s)
{
    for (; *s; s++)
        putchar(*s >= 0x20 && *s <= 0x7e ? *s : '?');
}

static void put_verdict(const struct log_record *r)
{
    put(r->verdict);
    if (*r->final) {
        printf(" to ");
        put(r->final);
    }
    if (*r->reason) {
        printf(" (");
        put(r->reason);
        putchar(')');
    }
    if (*r->asked) {
        printf(", answered by ");
        put(r->asked);
    }
    if (*r->rule) {
        printf(", ");
        put(r->rule);
    }
    if (*r->evaluated_by) {
        printf(", evaluated for ");
        put(r->evaluated_by);
    }
    if (*r->shadow) {
        printf(", shadow: ");
        put(r->shadow);
    }
}

static int print_record(void *user, const struct log_record *r)
{
    const struct options *o = user;

    if (o->json)
        return puts(r->line) < 0 ? 1 : 0;
    put(r->time);
    putchar(' ');
    put(r->call_id);
    putchar(' ');
    if (r->repeats) {
        printf("%" PRIu64 " more calls of ", r->repeats);
        put(r->source);
        printf(" were refused\n");
        return 0;
    }
    put(r->service);
    put(r->argument);
    putchar(' ');
    put(r->source);
    if (*r->requested_source) {
        printf(" for ");
        put(r->requested_source);
    }
    printf(" -> ");
    put(*r->target ? r->target : "@default");
    printf(": ");
    put_verdict(r);
    printf(", %" PRIu64 " us\n", r->total_us);
    return 0;
}

static int report(const struct log_check *c)
{
    printf("%" PRIu64 " records", c->records);
    if (c->records)
        printf(" from %s to %s, the last one %s", c->first, c->last, c->hash);
    putchar('\n');
    if (!c->lines_bad && !c->chain_breaks)
        return 0;
    printf("NOT whole: %" PRIu64 " breaks of the chain, %" PRIu64 " lines that are no record\n",
           c->chain_breaks, c->lines_bad);
    return 1;
}

int cmd_log(int argc, char **argv)
{
    struct options o = {0};
    struct log_check check;
    char path[4096];
    int r = read_options(argc, argv, &o);

    if (r)
        return r - 1;
    if (!o.path && log_default_path(path))
        return 2;
    if (!o.path)
        o.path = path;
    r = log_read(o.path,
                 &(struct log_reader){.filter = &o.filter,
                                      .fn = o.verify ? NULL : print_record,
                                      .user = &o,
                                      .complain = o.verify ? stdout : stderr,
                                      .verify = true},
                 &check);
    if (r < 0)
        log_error("cannot read the decision log %s: %s", o.path, strerror(-r));
    if (r)
        return 2;
    r = o.verify ? report(&check) : 0;
    return fflush(stdout) ? 2 : r;
}
