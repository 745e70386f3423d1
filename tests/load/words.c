/* Words of a command, and bytes of an argument: what was decided is what arrives, without a shell.
 */
#include "tests/load/load.h"

#include "libqrexec/wire/vmexec.h"

#include <errno.h>

#define WORDS_MOST 12
#define WORD_MOST  60

/* The words that a shell would have liked come often. */
static void random_word(char word[static WORD_MOST + 1])
{
    static const char tempting[] = "$`\"'\\;&|<>(){}*?~# \n\t!-=%+@";
    size_t n = rnd(WORD_MOST);

    for (size_t i = 0; i < n; i++)
        word[i] = rnd(3) ? (char)(1 + rnd(255)) : tempting[rnd(sizeof(tempting) - 1)];
    word[n] = 0;
}

static bool words_arrive(const char *show)
{
    static char words[WORDS_MOST][WORD_MOST + 1], service[65000];
    const char *argv[WORDS_MOST + 1] = {show};
    size_t n = 1 + rnd(WORDS_MOST), at = 0, prefix = strlen("qubes.VMExec+");
    _cleanup_(freep) char *text = NULL;
    struct call c = {.from = 1, .target = "b", .service = service};
    struct wire_writer w;
    int code;

    memcpy(service, "qubes.VMExec+", prefix);
    for (size_t i = 1; i <= n; i++) {
        random_word(words[i - 1]);
        argv[i] = words[i - 1];
    }
    w = wire_writer(service + prefix, sizeof(service) - prefix - 1);
    if (vmexec_encode(&w, argv, n + 1))
        return false;
    service[prefix + w.len] = 0;
    text = call_text(&c, &code);
    for (size_t i = 1; i <= n; i++) {
        size_t len = strlen(argv[i]);

        if (memcmp(text + at, argv[i], len + 1) != 0)
            return false;
        at += len + 1;
    }
    return code == 0 && str_equal(text + at, "end");
}

static void random_words_arrive_as_they_were(void)
{
    size_t n = full ? 1000 : 30, right = 0;

    write_file(in_dir("show"), "#!/bin/sh\n[ $# -eq 0 ] || printf '%s\\0' \"$@\"\nprintf end\n",
               0755);
    for (size_t i = 0; i < n; i++)
        right += words_arrive(in_dir("show"));
    check(right == n, "random words arrive as they were", "%zu of %zu", right, n);
}

static bool may_stand(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           strchr("_-.+@:", c) != NULL;
}

/* Each in the middle of an argument: the policy's log and the service have the same name. */
static void each_byte_is_what_was_decided(void)
{
    size_t right = 0, decided = 0;
    _cleanup_(freep) char *log = NULL;
    size_t n;

    for (unsigned b = 1; b < 256; b++) {
        const char raw = (char)b;
        char service[64], expected[64];
        struct call c = {.from = 1, .target = "b", .service = service};
        _cleanup_(freep) char *text = NULL;
        int code;

        snprintf(service, sizeof(service), "load.Name+%ux%cy", b, raw);
        snprintf(expected, sizeof(expected), "load.Name+%ux%cy", b,
                 may_stand((unsigned char)b) ? raw : '_');
        if (!full && b % 4 && ((b > 48 && b < 126) || b > 128))
            continue; /* letters are much alike, and so is what is no ASCII */
        text = call_text(&c, &code);
        right += code == 0 && str_equal(text, expected);
        if (!str_equal(text, expected))
            printf("  byte %u: \"%s\"\n", b, text);
        decided++;
    }
    check(right == decided, "each byte of an argument is what was decided", "%zu of %zu bytes",
          right, decided);
    if (file_read(in_dir("log/policy"), 64U << 20, &log, &n))
        log = NULL;
    check(log && strstr(log, "load.Name+10x_y: a -> b: allowed"), "and so says the log", NULL);
}

static void a_nul_is_refused(void)
{
    int fd = dial_agent(&world.vms[0]);
    char byte[16];
    /* a trigger whose service has a NUL inside */
    unsigned char message[8 + 64 + 64 + 32 + 8] = {0x13, 2, 0, 0, 168};

    memcpy(message + 8 + 64, "b", 2);
    memcpy(message + 8 + 128, "SOCKET", 7);
    memcpy(message + 8 + 160, "lo\0.Echo", 8);
    if (write_full(fd, message, sizeof(message)))
        die("send: %s", strerror(errno));
    check(read_until_end(fd, byte, sizeof(byte), WAIT_MS) == 0, "a NUL in a service is refused",
          NULL);
    close_fd(&fd);
}

void word_checks(void)
{
    random_words_arrive_as_they_were();
    each_byte_is_what_was_decided();
    a_nul_is_refused();
}
