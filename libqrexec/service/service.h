/*
 * Services: from a command line to a running program or a connected socket.
 *
 * Three steps, in this order. service_plan() reads the line, finds the service and its settings;
 * it opens nothing that lasts and starts nothing. service_start() makes the streams and starts
 * what was found. The relay then owns the descriptors and the process. Between the first two a
 * daemon decides who does the second (itself, a fork server) and waits for a session if it must.
 *
 * A command that cannot be run has an exit code of qrexec (wire.md, "Finding and running a
 * service"): the functions return it as their positive outcome, and the reason as text.
 */
#ifndef QREXEC_SERVICE_SERVICE_H
#define QREXEC_SERVICE_SERVICE_H

#include "libqrexec/base/paths.h"
#include "libqrexec/base/util.h"

#include <sys/types.h>

#define SERVICE_E_TROUBLE   125 /* trouble in qrexec itself, or in how the service is set up */
#define SERVICE_E_NOT_FOUND 127

#define SERVICE_NAME_MAX 255 /* bytes of a service's name, and of a file that is looked for */
#define SERVICE_TEXT_MAX 512 /* of a reason */
#define SERVICE_USER_MAX 256

/* Where this process stands: who runs the program, and what its environment is made of. */
enum service_place {
    SERVICE_PLACE_VM,      /* qrexec-agent: a login session of the command's user */
    SERVICE_PLACE_SESSION, /* qrexec-fork-server: inside the user's session already */
    SERVICE_PLACE_DOM0,    /* qrexec-client: this user (but for force-user), this environment */
};

enum service_kind {
    SERVICE_SHELL,   /* not a service: a command for a shell */
    SERVICE_PROGRAM, /* path is executable */
    SERVICE_SOCKET,  /* path is a Unix socket */
    SERVICE_TCP,     /* host and port, numeric */
};

/* [ext] Which direction of data goes through. */
enum service_flow { SERVICE_FLOW_BOTH, SERVICE_FLOW_IN /* to the service */, SERVICE_FLOW_OUT };

struct service_settings {
    bool wait_for_session;
    bool skip_service_descriptor;
    bool exit_on_client_eof;
    bool exit_on_service_eof;
    char force_user[SERVICE_USER_MAX]; /* "": none */
    /* [ext] 0: no limit */
    uint32_t max_time;  /* s, from the service's start */
    uint64_t max_bytes; /* of data, both directions together */
    enum service_flow flow;
};

/* Everything that the line says; the pointers point into one copy of it, or are NULL. */
struct service_words {
    char *storage;
    char *user;        /* NULL where the place has no users (session, dom0) */
    bool nogui;        /* overrides wait-for-session */
    bool is_service;   /* the line began with QUBESRPC */
    char *command;     /* without the user and nogui: */
    char *full_name;   /* SERVICE+ARG as it came; the +ARG may be missing */
    char *name;        /* SERVICE */
    char *argument;    /* NULL without a + */
    size_t n_words;    /* behind QUBESRPC; a program takes 2 or 4 only */
    char *source;      /* who calls */
    char *target_type; /* "name" or "keyword", NULL with fewer words */
    char *target;
    char *descriptor; /* all words behind QUBESRPC, as a socket gets them */
};

/* A command that can be started. Zeroes are an empty one. */
struct service {
    enum service_place place;
    enum service_kind kind;
    struct service_words words;
    struct service_settings settings;
    char user[SERVICE_USER_MAX]; /* after force-user */
    char path[PATH_SIZE];
    char host[64], port[8];
};

#define SERVICE_NULL ((struct service){0})

/*
 * 0; SERVICE_E_* and a reason; or a negative errno, which a caller treats as SERVICE_E_TROUBLE.
 * With a failure *ret holds the words as far as they were understood; service_deinit() in any case.
 */
int service_plan(enum service_place place, const char *line, struct service *ret,
                 char reterr[static SERVICE_TEXT_MAX]);
void service_deinit(struct service *s);

/*
 * Whether the fork server of the user may do it: "nogui:" and settings that the fork server is not
 * told about keep it here. (wire.md, "Fork server")
 */
bool service_fits_fork_server(const struct service *s);

/* What service_start() made; -1 and 0 where there is no such thing. The caller owns all. */
struct service_run {
    int in_fd;  /* the service's output: to read */
    int out_fd; /* the service's input: to write; for a socket the same number as in_fd */
    int err_fd; /* the service's stderr: to read */
    int log_fd; /* where its stderr is to be written too: the log of this VM */
    pid_t pid;
    bool socket; /* a socket service */
};

#define SERVICE_RUN_NULL                                                                           \
    ((struct service_run){.in_fd = -1, .out_fd = -1, .err_fd = -1, .log_fd = -1})

/*
 * Who knows users: service_users_own for a process that runs commands of its own user, a login's
 * (login.h) for root's in a VM, service_users_dom0 in dom0.
 */
struct service_users;
extern const struct service_users service_users_own;
extern const struct service_users service_users_dom0;

/* What the caller of service_start() wants. */
struct service_start {
    bool just_exec;         /* stdin and stdout are /dev/null, stderr goes to the log alone */
    bool new_session;       /* setsid(); false for a person's own local program in dom0 */
    const char *const *env; /* more variables, NAME=VALUE, NULL at the end; may be NULL */
    const struct service_users *users; /* NULL: as this process, whatever the settings say */
};

/*
 * Starts it. QREXEC_AGENT_PID is the calling process, which carries the data. 0; SERVICE_E_* and a
 * reason; negative errno.
 */
int service_start(const struct service *s, const struct service_start *how, struct service_run *ret,
                  char reterr[static SERVICE_TEXT_MAX]);
void service_run_deinit(struct service_run *run);

/* The parts, for tests and for programs that need one of them. */

/* Reads the line into words. 0; SERVICE_E_TROUBLE and a reason; -ENOMEM. */
int service_words_parse(enum service_place place, const char *line, struct service_words *ret,
                        char reterr[static SERVICE_TEXT_MAX]);
void service_words_deinit(struct service_words *w);

/* Finds path and kind (and host, port) for s->words. 0, SERVICE_E_*. */
int service_find(struct service *s, char reterr[static SERVICE_TEXT_MAX]);

/* Reads the settings for s->words, defaults where there is no file. 0, SERVICE_E_TROUBLE. */
int service_settings_read(struct service *s, char reterr[static SERVICE_TEXT_MAX]);
int service_settings_parse(const char *path, const char *text, size_t n,
                           struct service_settings *ret, char reterr[static SERVICE_TEXT_MAX]);

/*
 * Looks for a file in the directories of the environment variable (or its default): SERVICE+ARG in
 * all of them, then SERVICE in all. 0 and the path, SERVICE_E_NOT_FOUND, SERVICE_E_TROUBLE.
 * *ret_link is what the file links to, "" where it is no link.
 */
int service_search(const struct service *s, const char *variable, const char *fallback,
                   char ret[static PATH_SIZE], char ret_link[static PATH_SIZE],
                   char reterr[static SERVICE_TEXT_MAX]);

#endif
