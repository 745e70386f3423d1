/* policy.RegisterArgument: see register-argument.h. */
#include "rpc-services/dom0/register-argument.h"

#include "rpc-services/dom0/policy-check.h"
#include "rpc-services/dom0/token.h"

#include <errno.h>

#define WORD "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._"

static bool is_word(const char *text, size_t n, size_t max)
{
    if (!text || !n || n > max)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!text[i] || !strchr(WORD, text[i]))
            return false;
    return true;
}

static bool is_text_word(const char *text, size_t max)
{
    return text && is_word(text, strnlen(text, max + 1), max);
}

int registration_check(const struct registration *r, char reterr[static ADMIN_TEXT_MAX])
{
    if (!is_text_word(r->service, 255))
        return admin_fail(reterr, REGISTER_E_REFUSED,
                          "the argument must be the name of a service (A-Z a-z 0-9 - . _)");
    if (!r->target_type || !str_equal(r->target_type, "name") || !is_text_word(r->frontend, 63))
        return admin_fail(reterr, REGISTER_E_REFUSED,
                          "the target must be the name of the frontend domain");
    if (!is_text_word(r->backend, 63))
        return admin_fail(reterr, REGISTER_E_REFUSED, "the caller has no name");
    if (!is_word(r->argument, r->argument_len, REGISTER_ARGUMENT_MAX))
        return admin_fail(reterr, REGISTER_E_REFUSED,
                          "the payload must be an argument of 1 to %d bytes (A-Z a-z 0-9 - . _)",
                          REGISTER_ARGUMENT_MAX);
    return 0;
}

/* What is there, and the new line behind it. */
static int new_content(const struct registration *r, const char *old, size_t old_len,
                       struct buf *ret)
{
    int e = buf_append(ret, old, old_len);

    if (!e && old_len && old[old_len - 1] != '\n')
        e = buf_append_str(ret, "\n");
    if (!e)
        e = buf_appendf(ret, "%s +%.*s %s %s allow\n", r->service, (int)r->argument_len,
                        r->argument, r->frontend, r->backend);
    return e;
}

static int append(const struct policy_store *s, const struct registration *r,
                  char reterr[static ADMIN_TEXT_MAX])
{
    struct store_change c = {.place = STORE_POLICY, .name = REGISTER_FILE, .token = "any"};
    struct buf content = BUF_NULL(REGISTER_CONTENT_MAX);
    _cleanup_(freep) char *old = NULL;
    size_t old_len = 0;
    int e = store_read(s, STORE_POLICY, REGISTER_FILE, &old, &old_len, reterr);

    if (e && e != ADMIN_E_NOT_FOUND)
        return e;
    e = new_content(r, old ? old : "", old_len, &content);
    if (e == -ENOBUFS) {
        e = admin_fail(reterr, ADMIN_E_PROTOCOL, "%s.policy is full (%u bytes)", REGISTER_FILE,
                       REGISTER_CONTENT_MAX);
    } else if (e) {
        (void)admin_fail(reterr, e, "cannot add the rule: %s", strerror(-e));
    } else {
        c.content = (const char *)buf_data(&content);
        c.len = buf_len(&content);
        e = store_apply(s, &c, reterr);
    }
    buf_deinit(&content);
    return e;
}

int registration_add(const struct policy_store *s, const struct registration *r,
                     char reterr[static ADMIN_TEXT_MAX])
{
    char argument[REGISTER_ARGUMENT_MAX + 2];
    _cleanup_(closep) int lock = -1;
    bool taken = false;
    int e = registration_check(r, reterr);

    if (e)
        return e;
    e = format(argument, sizeof(argument), "+%.*s", (int)r->argument_len, r->argument);
    if (!e)
        e = store_lock(s, &lock, reterr);
    if (!e)
        e = policy_names_argument(s, r->service, argument, &taken, reterr);
    if (!e && taken)
        e = admin_fail(reterr, REGISTER_E_REFUSED, "a rule names this argument of %s already",
                       r->service);
    if (!e)
        e = append(s, r, reterr);
    return e > 0 ? REGISTER_E_REFUSED : e;
}
