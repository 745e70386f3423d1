/*
 * Where a service is: SERVICE+ARG in every directory, then SERVICE in every directory.
 *
 * Not there: no entry, or a link to nothing. Any other error ends the search, so that a directory
 * that cannot be read does not let a less particular file answer. A link to /dev/tcp/… is an
 * address, and is looked at as a link, never followed.
 */
#include "libqrexec/service/service-internal.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#define FALLBACK "/run/qubes-rpc:/usr/local/etc/qubes-rpc:/etc/qubes-rpc"
#define TCP_ROOT "/dev/tcp"

/* An entry that is a link to a TCP address. */
static bool is_tcp(const char *link)
{
    return str_starts(link, TCP_ROOT) &&
           (link[strlen(TCP_ROOT)] == 0 || link[strlen(TCP_ROOT)] == '/');
}

/* 0: it is there; SERVICE_E_NOT_FOUND; negative errno. */
static int look(const char *path, char ret_link[static PATH_SIZE])
{
    struct stat st;
    ssize_t n;

    ret_link[0] = 0;
    if (lstat(path, &st) < 0)
        return errno == ENOENT ? SERVICE_E_NOT_FOUND : -errno;
    if (!S_ISLNK(st.st_mode))
        return 0;
    n = readlink(path, ret_link, PATH_SIZE - 1);
    if (n < 0)
        return -errno;
    ret_link[n] = 0;
    if (is_tcp(ret_link))
        return 0;
    if (stat(path, &st) < 0)
        return errno == ENOENT ? SERVICE_E_NOT_FOUND : -errno;
    return 0;
}

/* dir: one of a list; ours in a private instance of dom0, where only the default list moves. */
static int join(char ret[static PATH_SIZE], bool rooted, const char *dir, size_t n,
                const char *name)
{
    if (rooted)
        return path_get(ret, "%.*s/%s", (int)n, dir, name);
    return format(ret, PATH_SIZE, "%.*s/%s", (int)n, dir, name);
}

static int search_name(const char *dirs, bool rooted, const char *name, char ret[static PATH_SIZE],
                       char ret_link[static PATH_SIZE], char *reterr)
{
    if (strlen(name) > SERVICE_NAME_MAX || strchr(name, '/'))
        return SERVICE_E_NOT_FOUND;
    while (*dirs) {
        const char *end = strchrnul(dirs, ':');
        int r = 0;

        if (end > dirs) {
            r = join(ret, rooted, dirs, (size_t)(end - dirs), name);
            if (!r)
                r = look(ret, ret_link);
            if (r < 0) {
                snprintf(reterr, SERVICE_TEXT_MAX, "%.300s: %s", ret, strerror(-r));
                return SERVICE_E_TROUBLE;
            }
            if (!r)
                return 0;
        }
        dirs = *end ? end + 1 : end;
    }
    return SERVICE_E_NOT_FOUND;
}

int service_search(const struct service *s, const char *variable, const char *fallback,
                   char ret[static PATH_SIZE], char ret_link[static PATH_SIZE],
                   char reterr[static SERVICE_TEXT_MAX])
{
    const struct service_words *w = &s->words;
    const char *dirs = getenv(variable);
    bool rooted = !dirs && s->place == SERVICE_PLACE_DOM0;
    _cleanup_(freep) char *full = NULL;
    int r;

    if (!dirs)
        dirs = fallback;
    full = w->argument ? strdup(w->full_name) : format_new("%s+", w->name);
    if (!full)
        return -ENOMEM;
    r = search_name(dirs, rooted, full, ret, ret_link, reterr);
    if (r == SERVICE_E_NOT_FOUND)
        r = search_name(dirs, rooted, w->name, ret, ret_link, reterr);
    if (r == SERVICE_E_NOT_FOUND)
        snprintf(reterr, SERVICE_TEXT_MAX, "no service %.255s in %.200s", w->name, dirs);
    return r;
}

static int bad_tcp(const struct service *s, const char *why, char *reterr)
{
    snprintf(reterr, SERVICE_TEXT_MAX, "%.300s: a link to /dev/tcp: %s", s->path, why);
    return SERVICE_E_TROUBLE;
}

/* HOST+PORT of an argument; in HOST a + stands for the : of IPv6. */
static const char *take_host_and_port(struct service *s, const char *argument)
{
    const char *plus = strrchr(argument, '+');

    if (!plus || plus == argument)
        return "the argument is not HOST+PORT";
    if (strchr(argument, '_'))
        return "an address has no _";
    if (format(s->host, sizeof(s->host), "%.*s", (int)(plus - argument), argument) ||
        format(s->port, sizeof(s->port), "%s", plus + 1))
        return "the address is too long";
    for (char *p = s->host; *p; p++)
        if (*p == '+')
            *p = ':';
    return NULL;
}

static const char *take_address(struct service *s, const char *link, const char *argument)
{
    const char *host = link + strlen(TCP_ROOT), *slash;

    if (!*host)
        return *argument ? take_host_and_port(s, argument) : "the argument must be HOST+PORT";
    host++;
    slash = strchrnul(host, '/');
    if (slash == host)
        return "no host";
    if (format(s->host, sizeof(s->host), "%.*s", (int)(slash - host), host))
        return "the host is too long";
    if (*slash && *argument)
        return "an argument that is not needed";
    if (!*slash && !*argument)
        return "the argument must be a port";
    return format(s->port, sizeof(s->port), "%s", *slash ? slash + 1 : argument)
               ? "the port is too long"
               : NULL;
}

static int find_tcp(struct service *s, const char *link, char *reterr)
{
    const char *wrong = take_address(s, link, s->words.argument ? s->words.argument : "");
    uint32_t port;

    if (wrong)
        return bad_tcp(s, wrong, reterr);
    if (parse_u32(s->port, 65535, &port) || port == 0)
        return bad_tcp(s, "the port is not a decimal number from 1 to 65535", reterr);
    s->kind = SERVICE_TCP;
    return 0;
}

int service_find(struct service *s, char reterr[static SERVICE_TEXT_MAX])
{
    char link[PATH_SIZE];
    struct stat st;
    int r = service_search(s, "QREXEC_SERVICE_PATH", FALLBACK, s->path, link, reterr);

    if (r)
        return r;
    if (is_tcp(link))
        return find_tcp(s, link, reterr);
    if (stat(s->path, &st) < 0) {
        snprintf(reterr, SERVICE_TEXT_MAX, "%.300s: %s", s->path, strerror(errno));
        return SERVICE_E_TROUBLE;
    }
    if (S_ISSOCK(st.st_mode)) {
        s->kind = SERVICE_SOCKET;
    } else if (S_ISREG(st.st_mode) && eaccess(s->path, X_OK) == 0) {
        s->kind = SERVICE_PROGRAM;
    } else {
        snprintf(reterr, SERVICE_TEXT_MAX,
                 "%.300s: neither executable nor a socket (chmod +x may be missing)", s->path);
        return SERVICE_E_TROUBLE;
    }
    return 0;
}
