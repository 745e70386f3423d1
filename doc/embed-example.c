/*
 * Embedding the policy library: may SOURCE call SERVICE[+ARGUMENT] of TARGET?
 *
 *   cc embed-example.c $(pkg-config --cflags --libs qrexec-policy) -o may-call
 *   ./may-call /etc/qubes/policy.d work vault qubes.Filecopy
 *
 * Prints what a daemon would do; an ask is answered by a line on standard input. Exit status: 0
 * allowed, 1 denied, 2 the policy does not load or the words are wrong.
 */
#include <qrexec/policy.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where the domains come from is the embedder's business; these would be read from somewhere. */
static int add_domains(struct policy_domains *domains)
{
    static const char *const tags[] = {"office"};
    static const struct policy_domain all[] = {
        {.name = "dom0", .type = "AdminVM", .power_state = "Running"},
        {.name = "work",
         .type = "AppVM",
         .tags = tags,
         .n_tags = 1,
         .default_dispvm = "dvm",
         .power_state = "Running",
         .guivm = "dom0"},
        {.name = "vault", .type = "AppVM", .power_state = "Halted"},
        {.name = "dvm", .type = "AppVM", .template_for_dispvms = true, .power_state = "Halted"},
    };
    int r = 0;

    for (size_t i = 0; !r && i < sizeof(all) / sizeof(all[0]); i++)
        r = policy_domains_add(domains, &all[i]);
    return r;
}

/* Any error makes the whole policy invalid, and then nothing is allowed. */
static struct policy *load(const char *dir)
{
    const char *const dirs[] = {dir, NULL};
    const struct policy_source source = {.dirs = dirs};
    struct policy_error error = {0};
    struct policy *policy = NULL;
    int r = policy_load(&source, &policy, &error);

    if (r == POLICY_E_INVALID)
        fprintf(stderr, "%s:%u: %s\n", error.file, error.line, error.text);
    else if (r)
        fprintf(stderr, "%s: %s\n", dir, strerror(-r));
    policy_error_deinit(&error);
    return policy;
}

/* NULL: the user said no. */
static const char *ask_user(const struct policy_verdict *asked, char *buf, int size)
{
    printf("ask:");
    for (size_t i = 0; i < asked->n_choices; i++)
        printf(" %s", asked->choices[i]);
    printf("\n");
    if (!fgets(buf, size, stdin))
        return NULL;
    buf[strcspn(buf, "\n")] = '\0';
    return *buf ? buf : NULL;
}

/* The verdict of the rules, or after an ask that of the user. */
static int decide(const struct policy *policy, const struct policy_domains *domains,
                  const struct policy_request *request)
{
    struct policy_verdict verdict = {0}, asked = {0};
    char answer[128];
    int r = policy_decide(policy, domains, request, &verdict);
    int status;

    if (!r && verdict.action == POLICY_ASK) {
        asked = verdict;
        verdict = (struct policy_verdict){0};
        r = policy_answer_ask(policy, domains, request, &asked,
                              ask_user(&asked, answer, sizeof(answer)), &verdict);
    }
    if (r)
        fprintf(stderr, "deciding: %s\n", strerror(-r));
    else if (verdict.action == POLICY_ALLOW)
        printf("allow: %s as user %s\n", verdict.target, verdict.user);
    else
        printf("deny: %s, by %s\n", policy_reason_text(verdict.reason),
               verdict.rule_file ? verdict.rule_file : "no rule");
    status = r ? 2 : verdict.action == POLICY_ALLOW ? 0 : 1;
    policy_verdict_deinit(&verdict);
    policy_verdict_deinit(&asked);
    return status;
}

int main(int argc, char **argv)
{
    struct policy_domains *domains = NULL;
    struct policy_request request = {0};
    struct policy *policy;
    char service[64] = "";
    int status = 2;

    if (argc != 5 || strlen(argv[4]) >= sizeof(service)) {
        fprintf(stderr, "usage: may-call POLICY-DIR SOURCE TARGET SERVICE[+ARGUMENT]\n");
        return 2;
    }
    memcpy(service, argv[4], strcspn(argv[4], "+"));
    request.service = service;
    request.argument = strchr(argv[4], '+'); /* NULL is the empty argument */
    request.source = argv[2];
    request.target = argv[3];
    policy = load(argv[1]);
    if (policy && !policy_domains_new(1, &domains) && !add_domains(domains))
        status = decide(policy, domains, &request);
    policy_domains_unref(domains);
    policy_unref(policy);
    return status;
}
